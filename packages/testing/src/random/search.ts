/**
 * Looks for programs that a backend gets wrong, in batches with seeds of their own, so that one fault does not end the
 * search: each batch stops at its first failure, shrinks it, and the next goes on.
 */
import { type Backend, schedule } from '@dl/tensor';
import fc from 'fast-check';
import { programArbitrary } from './arbitrary';
import type { ProgramCase } from './builder';
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
    const check = fc.asyncProperty(programArbitrary().filter(filter), (p) => checkProgram(backend, scheduler, p));
    const details = await fc.check(check, parameters);
    ran += details.numRuns;
    if (details.failed) failures.push(`seed ${parameters.seed}: ${(details.errorInstance as Error)?.message}`);
    onBatch?.({ ran, failures });
  }
  return { ran, failures };
}
