import { isFloat, schedule } from '@dl/tensor';
import { checkProgram, type ProgramCase, programArbitrary } from '@dl/testing';
import fc from 'fast-check';
import { test } from 'vitest';
import { cpu } from '../src/index';

// The same programs each time; FC_SEED and FC_RUNS look at others.
const parameters = { seed: Number(process.env['FC_SEED'] ?? 1), numRuns: Number(process.env['FC_RUNS'] ?? 400) };

/** The bits of a NaN are nobody's promise. */
const showsNaN = ({ program }: ProgramCase): boolean =>
  program.nodes.some((n) => n.op === 'bitcast' && isFloat(program.nodes[n.sources[0]!]!.dtype));

test('a scheduled program gives what its primitives give', async () => {
  const backend = await cpu();
  const programs = programArbitrary().filter((program) => !showsNaN(program));
  const check = fc.asyncProperty(programs, (program) => checkProgram(backend, schedule, program));
  await fc.assert(check, parameters);
  await backend.dispose();
});
