import type { Window } from '@dl/tensor';
import { checkProgram, type ProgramCase, programArbitrary, referenceBackend } from '@dl/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { schedule } from '../src/schedule';

/** Where the zeros around a convolution's data meet ∞ or NaN, a product may count or not. */
const overflows = ['log', 'log1p', 'pow', 'reciprocal', 'sqrt', 'div', 'exp', 'expm1'];

function isPlain({ program: { nodes } }: ProgramCase): boolean {
  // A product that is not a sum of products keeps the sign of zero, which a division shows.
  return !nodes.some((n) => n.op === 'convolution' || n.op === 'dot') || !nodes.some((n) => overflows.includes(n.op));
}

/** A window wholly within the padding has no largest element, so `window_argmax` is free there. */
const isDefined = ({ program }: ProgramCase): boolean =>
  program.nodes.every((node) => {
    if (node.op !== 'window_argmax') return true;
    const { size, dilation, padding } = node.attrs as Window;
    return size.every((n, i) => Math.max(...padding[i]!) <= (n - 1) * dilation[i]!);
  });

const numRuns = Number(process.env['SCHEDULE_RUNS'] ?? 400);

const programs = programArbitrary().filter((p) => isDefined(p) && isPlain(p));

describe('schedule', () => {
  it('computes what random programs mean', async () => {
    const backend = referenceBackend();
    await fc.assert(
      fc.asyncProperty(programs, (program) => checkProgram(backend, schedule, program)),
      { numRuns },
    );
  });

  it('keeps to few bindings and operations', async () => {
    const backend = referenceBackend({ capabilities: { maxBindings: 8, maxOperations: 12 } });
    const checked: typeof schedule = (program, capabilities) => {
      const made = schedule(program, capabilities);
      for (const step of made.steps)
        if (step.kind === 'kernel') expect(step.kernel.bindings.length).toBeLessThanOrEqual(8);
      return made;
    };
    await fc.assert(
      fc.asyncProperty(programs, (program) => checkProgram(backend, checked, program)),
      { numRuns },
    );
  });

  it('gives the same schedule for the same program', () => {
    const { capabilities } = referenceBackend();
    fc.assert(
      fc.property(programs, ({ program }) => {
        expect(schedule(program, capabilities)).toEqual(schedule(program, capabilities));
      }),
      { numRuns: 100 },
    );
  });
});
