/**
 * Looks for programs that a backend gets wrong, in batches with seeds of their own, so that one fault does not end the
 * search: each batch stops at its first failure, shrinks it, and the next goes on.
 */
import { type Backend, schedule } from '@dl/tensor';
import fc from 'fast-check';
import { programArbitrary } from './arbitrary';
import type { ProgramCase } from './builder';
import { fitted } from './narrow';
import { checkProgram, type Scheduler } from './run';

export interface SearchOptions {
  /** How many programs to run in all. */
  readonly runs: number;
  /** The first batch's seed; each further batch has the next. Default 1. */
  readonly seed?: number;
  /** Programs a batch. Default 500. */
  readonly batch?: number;
  /** Only programs for which this holds. */
  readonly filter?: (program: ProgramCase) => boolean;
  readonly scheduler?: Scheduler;
  /** Called after each batch. */
  readonly onBatch?: (progress: SearchResult) => void;
}

export interface SearchResult {
  /** Programs that ran, without those tried while shrinking. */
  readonly ran: number;
  /** The smallest failing program of each batch that has one, with its seed. */
  readonly failures: readonly string[];
}

/** Whether the program keeps the bits of floats to itself: those of a NaN are nobody's promise. */
export const showsNoNaN = ({ program }: ProgramCase): boolean =>
  !program.nodes.some((n) => n.op === 'bitcast' && program.nodes[n.sources[0]!]!.dtype === 'f32');

/** Operations that show the sign of a zero. */
const showSign: readonly string[] = ['reciprocal', 'div', 'pow'];
/** Operations that make infinities and NaN of numbers. */
const overflow: readonly string[] = [...showSign, 'log', 'log1p', 'sqrt', 'exp', 'expm1', 'mod', 'cast'];

/** A difference that is only an infinity of the other sign: what is divided by was a zero of the other sign. */
const otherInfinity = /is Infinity, wanted -Infinity|is -Infinity, wanted Infinity/;

/**
 * Whether backends may differ on a program: whether a product that is not a sum of products, or a sum of a single element (which a
 * picked one is too), keeps the sign of a zero, and whether the zeros around a convolution's data count where its kernel holds ∞
 * or NaN. Asked of programs that failed only, so that all run.
 */
function isFree({ program: { nodes } }: ProgramCase, difference: string): boolean {
  const has = (...ops: readonly string[]): boolean => nodes.some((n) => ops.includes(n.op));
  const sumsZeros = otherInfinity.test(difference) && has('sum', 'window_sum', 'gather', 'scatter');
  return (has('convolution') && has(...overflow)) || ((has('dot') || sumsZeros) && has(...showSign));
}

/** Runs one program; a failure counts unless backends are free to differ. */
async function check(backend: Backend, scheduler: Scheduler, program: ProgramCase): Promise<void> {
  try {
    await checkProgram(backend, scheduler, program);
  } catch (error) {
    const [difference] = /output \d+: element.*/.exec((error as Error).message) ?? [];
    if (difference === undefined || !isFree(program, difference)) throw error;
  }
}

/**
 * Runs random programs on a backend and compares them with the evaluator.
 *
 * @example
 * const { failures } = await searchPrograms(referenceBackend(), { runs: 1000 });
 */
export async function searchPrograms(backend: Backend, options: SearchOptions): Promise<SearchResult> {
  const { runs, seed = 1, batch = 500, filter = () => true, scheduler = schedule, onBatch } = options;
  const failures: string[] = [];
  let ran = 0;
  for (let first = 0; first < runs; first += batch) {
    const parameters = { seed: seed + first / batch, numRuns: Math.min(batch, runs - first) };
    const property = fc.asyncProperty(programArbitrary().filter(filter), (p) =>
      check(backend, scheduler, fitted(backend, p)),
    );
    const details = await fc.check(property, parameters);
    ran += details.numRuns;
    if (details.failed) failures.push(`seed ${parameters.seed}: ${(details.errorInstance as Error)?.message}`);
    onBatch?.({ ran, failures });
  }
  return { ran, failures };
}
