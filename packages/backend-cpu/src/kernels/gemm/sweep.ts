/*
 * Products of few rows with a large B whose rows are contiguous, and of a matrix whose columns are contiguous with a vector,
 * which is the same turned round: B is read from end to end, once for every two rows.
 *
 * The register tile would go down a strip of a few columns, a page of memory for each step of k. Here a few steps of k
 * pass along all columns at a time, their elements of A spread over vectors that stay in registers, and C carries the sums
 * from one such sweep to the next. So each element is one sum in the order of k, as in the direct plan.
 */

import type { FunctionBuilder, Local, ModuleBuilder } from '../../wasm/assembler';
import { LANES, loadPartial, multiplyAdd, storePartial } from './lanes';
import { type GemmSpec, isTurned } from './spec';

/** Rows that pass together, steps of k in a sweep, and vectors side by side: with B's, 13 registers. */
const SHAPES = [
  { rows: 2, steps: 4, vectors: 2 },
  { rows: 1, steps: 8, vectors: 4 },
] as const;

interface Sweep {
  readonly rows: number;
  readonly steps: number;
  readonly vectors: number;
  /** Whether the sums go on from C. */
  readonly continues: boolean;
}

/** Defines the functions of the plan and returns the index of the one over rows. */
export function emitSweep(module: ModuleBuilder, spec: GemmSpec, exportName?: string): number {
  const params = ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const;
  const define = isTurned(spec) ? columnsOf(module, turned(spec)) : rowsOf(module, spec);
  return module.function({ params, export: exportName }, define);
}

/** A row times a matrix in place of a matrix times a column. */
const turned = (spec: GemmSpec): GemmSpec => ({
  ...spec,
  m: 1,
  n: spec.m,
  a: { m: 1, k: spec.b.k },
  b: { k: spec.a.k, n: 1 },
});

/** A range of columns of one row: what is a range of rows for the caller. */
function columnsOf(module: ModuleBuilder, spec: GemmSpec): (f: FunctionBuilder) => void {
  const { bytes } = LANES[spec.dtype];
  const band = emitBand(module, spec, SHAPES[1]);
  return (f) => {
    const [begin, end] = [f.param(3), f.param(4)];
    const pushFrom = (base: Local) => f.get(base).get(begin).i32(bytes).op('i32.mul').op('i32.add');
    f.get(f.param(1));
    pushFrom(f.param(0));
    pushFrom(f.param(2));
    f.get(end).get(begin).op('i32.sub').call(band);
  };
}

/** Bands of two rows, then one, of all columns. */
function rowsOf(module: ModuleBuilder, spec: GemmSpec): (f: FunctionBuilder) => void {
  const { bytes } = LANES[spec.dtype];
  const bands = SHAPES.filter(({ rows }) => rows <= spec.m).map((shape) => ({
    rows: shape.rows,
    call: emitBand(module, spec, shape),
  }));
  return (f) => {
    const [row, end] = [f.param(3), f.param(4)];
    const pushRow = (base: Local, stride: number) =>
      f
        .get(base)
        .get(row)
        .i32(stride * bytes)
        .op('i32.mul')
        .op('i32.add');
    for (const { rows, call } of bands) {
      f.block((done) => {
        f.loop((again) => {
          f.get(end).get(row).op('i32.sub').i32(rows).op('i32.lt_s').brIf(done);
          pushRow(f.param(0), spec.a.m);
          f.get(f.param(1));
          pushRow(f.param(2), spec.cRow);
          f.i32(spec.n).call(call);
          f.increment(row, rows).br(again);
        });
      });
    }
  };
}

const bandParams = { params: ['i32', 'i32', 'i32', 'i32'] } as const;

/** A function (a, b, c, columns) for all sweeps of some rows. */
function emitBand(module: ModuleBuilder, spec: GemmSpec, shape: (typeof SHAPES)[number]): number {
  const { bytes } = LANES[spec.dtype];
  const sweep = (steps: number, continues: boolean) => sweepFunction(module, spec, { ...shape, steps, continues });
  const first = sweep(Math.min(shape.steps, spec.k), spec.accumulate === true);
  const full = Math.floor(spec.k / shape.steps);
  const next = full > 1 ? sweep(shape.steps, true) : -1;
  const rest = full > 0 && spec.k % shape.steps > 0 ? sweep(spec.k % shape.steps, true) : -1;
  return module.function(bandParams, (f) => {
    const [a, b, c, columns] = f.params as [Local, Local, Local, Local];
    const call = (to: number) => f.get(a).get(b).get(c).get(columns).call(to);
    const advance = () => f.increment(a, shape.steps * spec.a.k * bytes).increment(b, shape.steps * spec.b.k * bytes);
    call(first);
    if (full > 0) advance();
    f.for(f.local('i32'), { from: 1, to: full }, () => {
      call(next);
      advance();
    });
    if (rest >= 0) call(rest);
  });
}

/** A function (a, b, c, columns) for one sweep: a few steps of k along all columns. */
function sweepFunction(module: ModuleBuilder, spec: GemmSpec, { rows, steps, vectors, continues }: Sweep): number {
  const lanes = LANES[spec.dtype];
  const { bytes, count } = lanes;
  return module.function(bandParams, (f) => {
    const [a, b, c, left] = f.params as [Local, Local, Local, Local];
    const spread = Array.from({ length: rows }, (_, row) =>
      Array.from({ length: steps }, (_, step) => {
        const local = f.local('v128');
        f.get(a)
          .mem(lanes.loadSplat, (row * spec.a.m + step * spec.a.k) * bytes, 2)
          .set(local);
        return local;
      }),
    );
    const sums = Array.from({ length: rows }, () => f.locals('v128', vectors));
    /** Vectors side by side, of `width` columns each. */
    const columns = (across: number, width: number) => {
      const each = (body: (sum: Local, offset: number) => void) => {
        for (const [row, own] of sums.entries())
          for (const [at, sum] of own.slice(0, across).entries()) body(sum, row * spec.cRow * bytes + at * 16);
      };
      each((sum, offset) => {
        if (continues) loadPartial(f, lanes, width, c, offset);
        else f.v128(new Uint8Array(16));
        f.set(sum);
      });
      for (let step = 0; step < steps; step++) {
        for (let at = 0; at < across; at++) {
          emitProducts(f, spec, {
            load: () => loadPartial(f, lanes, width, b, step * spec.b.k * bytes + at * 16),
            pairs: sums.map((own, row) => [spread[row]![step]!, own[at]!]),
          });
        }
      }
      each((value, offset) => storePartial(f, lanes, width, { address: c, offset, value }));
    };
    for (const [across, width] of [
      [vectors, count],
      [1, count],
      [1, 1],
    ] as const) {
      const taken = across * width;
      f.block((done) => {
        f.loop((again) => {
          f.get(left).i32(taken).op('i32.lt_s').brIf(done);
          columns(across, width);
          f.increment(b, taken * bytes)
            .increment(c, taken * bytes)
            .increment(left, -taken)
            .br(again);
        });
      });
    }
  });
}

/** Adds the products of one vector of B with spread elements of A to their sums. */
function emitProducts(
  f: FunctionBuilder,
  { dtype, micro }: GemmSpec,
  { load, pairs }: { readonly load: () => void; readonly pairs: readonly (readonly [spread: Local, sum: Local])[] },
): void {
  f.scratch('v128', (vector) => {
    load();
    f.set(vector);
    for (const [spread, sum] of pairs) {
      f.get(spread).get(vector);
      multiplyAdd(f, LANES[dtype], micro.fused, sum);
    }
  });
}
