import { grad } from '@dl/autograd';
import { setBackend } from '@dl/tensor';
import { expect, test } from 'vitest';
import { referenceBackend } from '../reference/backend';
import { audioOps } from './ops/audio';
import { readGolden } from './read';
import { type Gradient, runGolden } from './run';

const gradient: Gradient = (loss, wrt) => grad(loss, wrt, { unused: 'zero' });

test('@dl/audio gives what torchaudio gives, eager and compiled, with gradients', async () => {
  setBackend(referenceBackend());
  const cases = readGolden('audio');
  const { passed, failed, unserved } = await runGolden(cases, audioOps, { gradient });
  expect(failed).toEqual([]);
  expect(unserved).toEqual([]);
  expect(passed.length).toBe(cases.length);
});
