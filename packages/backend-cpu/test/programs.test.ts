import { searchPrograms, showsNoNaN } from '@dl/testing';
import { expect, test } from 'vitest';
import { cpu } from '../src/index';
import { sharing } from './sharing';

// The same programs each time; FC_SEED and FC_RUNS look at others.
const seed = Number(process.env['FC_SEED'] ?? 1);
const runs = Number(process.env['FC_RUNS'] ?? 400);

test(
  'a scheduled program gives what its primitives give',
  async () => {
    const backend = await cpu();
    const { failures } = await searchPrograms(backend, { runs, seed, filter: showsNoNaN });
    expect(failures).toEqual([]);
    await backend.dispose();
  },
  60_000 + runs * 400,
);

test('so it does when three threads share every kernel', async () => {
  const backend = await sharing(3);
  const { failures } = await searchPrograms(backend, { runs: 60, seed: seed + 1, filter: showsNoNaN });
  expect(failures).toEqual([]);
  expect(backend.pool).not.toBeNull();
  await backend.dispose();
});
