import type { Window } from '@dl/tensor';
import { checkProgram, type ProgramCase, programArbitrary, referenceBackend } from '@dl/testing';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { schedule } from '../src/schedule';

/** A window wholly within the padding has no largest element, so `window_argmax` is free there. */
const isDefined = ({ program }: ProgramCase): boolean =>
  program.nodes.every((node) => {
    if (node.op !== 'window_argmax') return true;
    const { size, dilation, padding } = node.attrs as Window;
    return size.every((n, i) => Math.max(...padding[i]!) <= (n - 1) * dilation[i]!);
  });

const numRuns = Number(process.env['SCHEDULE_RUNS'] ?? 400);

describe('schedule', () => {
  it('computes what random programs mean', async () => {
    const backend = referenceBackend();
    await fc.assert(
      fc.asyncProperty(programArbitrary().filter(isDefined), (program) => checkProgram(backend, schedule, program)),
      { numRuns },
    );
  });
});
