import { expect, test } from 'vitest';
import { referenceBackend } from '../reference/backend';
import { searchPrograms } from './search';

// The same programs each time; FC_SEED and FC_RUNS look at others.
const seed = Number(process.env['FC_SEED'] ?? 1);
const runs = Number(process.env['FC_RUNS'] ?? 1000);

test.each([64, 8])(
  'a scheduled program gives what its primitives give, with %i bindings a kernel',
  async (maxBindings) => {
    const { failures } = await searchPrograms(referenceBackend({ capabilities: { maxBindings } }), { runs, seed });
    expect(failures).toEqual([]);
  },
  60_000 + runs * 400,
);
