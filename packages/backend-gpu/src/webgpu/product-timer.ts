/*
 * How long a product of two square matrices takes: some runs in one pass, so that there is enough to measure, and the shortest of a few
 * such passes.
 */
import type { Expr, Schedule } from '@dl/tensor';

/** Multiplications and additions of a pass, and the most runs that it is made of. */
const work = 2 ** 34;
const mostRuns = 256;
/** Passes after the first, which may be slow for other reasons; none if that took so many milliseconds. */
const passes = 3;
const longPass = 100;

const times = (index: number, size: number, factor: number): Expr => {
  const term: Expr = { kind: 'var', index, size };
  return factor === 1 ? term : { kind: 'mul', term, factor };
};

/** The product of bound storages 0 and 1 of n × n elements, into the third. */
export function productSchedule(n: number): Schedule {
  const at = (row: number, column: number): Expr => ({ kind: 'add', terms: [times(row, n, n), times(column, n, 1)] });
  const modes = ['read', 'read', 'write'] as const;
  const kernel = {
    name: `product of ${n} × ${n}`,
    bindings: modes.map((mode, slot) => ({ slot, mode, dtype: 'f32' as const })),
    params: [],
    producer: {
      kind: 'contraction' as const,
      dtype: 'f32' as const,
      batch: [],
      m: [n],
      n: [n],
      k: [n],
      lhs: { binding: 0, index: at(0, 2), bounds: [] },
      rhs: { binding: 1, index: at(2, 1), bounds: [] },
      out: 2,
    },
    rows: [n, n],
    reduced: [],
    body: [],
    range: 1,
  };
  return {
    steps: [{ kind: 'kernel', kernel }],
    slots: modes.map((_, index) => ({ kind: 'bound', index, offset: 0, dtype: 'f32', size: n * n })),
    bound: modes.length,
    arenaBytes: 0,
    scalars: 0,
  };
}

/** Milliseconds of one run, by what times a pass of so many runs of a product. */
export async function shortest(size: number, timePass: (runs: number) => Promise<number>): Promise<number> {
  const runs = Math.max(1, Math.min(mostRuns, Math.round(work / (2 * size ** 3))));
  const first = await timePass(runs);
  if (first > longPass) return first / runs;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < passes; i++) least = Math.min(least, await timePass(runs));
  return least / runs;
}
