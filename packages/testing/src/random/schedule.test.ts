import { schedule } from '@dl/tensor';
import fc from 'fast-check';
import { test } from 'vitest';
import { referenceBackend } from '../reference/backend';
import { programArbitrary } from './arbitrary';
import { checkProgram } from './run';

// The same programs each time; FC_SEED and FC_RUNS look at others.
const parameters = { seed: Number(process.env['FC_SEED'] ?? 1), numRuns: Number(process.env['FC_RUNS'] ?? 400) };

test.each([64, 8])(
  'a scheduled program gives what its primitives give, with %i bindings a kernel',
  async (maxBindings) => {
    const backend = referenceBackend({ capabilities: { maxBindings } });
    const check = fc.asyncProperty(programArbitrary(), (program) => checkProgram(backend, schedule, program));
    await fc.assert(check, parameters);
  },
);
