/*
 * Small products, straight from the operands: B is read in vectors along n, A by single elements at any strides.
 *
 * One function a tile height runs along all columns. They are functions of their own so that a first, long call goes
 * over to optimised code midway: the engine replaces callees, not loops that are running.
 */

import type { FunctionBuilder, Local, ModuleBuilder } from '../../wasm/assembler';
import { LANES } from './lanes';
import { forRowTiles, tileHeights } from './rows';
import type { GemmSpec } from './spec';
import { emitTile, type Tile } from './tile';

/** Vectors along n for a tile height: low tiles are wider, to keep eight sums or more in flight. */
function vectorsFor(rows: number): number {
  return rows >= 4 ? 2 : 8 / rows;
}

/** Defines the functions of the plan and returns the index of the one over rows. */
export function emitDirect(module: ModuleBuilder, spec: GemmSpec, exportName?: string): number {
  const { dtype, micro } = spec;
  const { bytes } = LANES[dtype];
  const { a } = spec;
  const heights = tileHeights(micro.rows).filter((height) => height <= spec.m);
  const bands = new Map(heights.map((rows) => [rows, emitBand(module, spec, rows)]));
  const params = ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const;
  return module.function({ params, export: exportName }, (f) => {
    const [row, end] = [f.param(3), f.param(4)];
    forRowTiles(f, { row, end, full: micro.rows }, (height) => {
      const band = bands.get(height);
      if (band === undefined) return; // no call has so many rows
      f.get(f.param(0))
        .get(row)
        .i32(a.m * bytes)
        .op('i32.mul')
        .op('i32.add');
      f.get(f.param(1));
      f.get(f.param(2))
        .get(row)
        .i32(spec.cRow * bytes)
        .op('i32.mul')
        .op('i32.add');
      f.call(band);
    });
  });
}

/** A function (a, b, c) that computes `rows` rows of C. */
function emitBand(module: ModuleBuilder, spec: GemmSpec, rows: number): number {
  const lanes = LANES[spec.dtype];
  const { bytes } = lanes;
  const { a, b } = spec;
  const tileWidth = vectorsFor(rows) * lanes.count;
  const shape = {
    lanes,
    fused: spec.micro.fused,
    unroll: spec.micro.unroll,
    rows,
    padded: false,
    aRow: a.m * bytes,
    aStep: a.k * bytes,
    bStep: b.k * bytes,
    cRow: spec.cRow * bytes,
    k: spec.k,
    start: spec.accumulate === true ? 'c' : 'zero',
  } as const satisfies Partial<Tile>;
  return module.function({ params: ['i32', 'i32', 'i32'] }, (f) => {
    const j = f.local('i32');
    const full = spec.n - (spec.n % tileWidth);
    f.for(j, { to: full * bytes, step: tileWidth * bytes }, () => emitAt(f, j, { ...shape, columns: tileWidth }));
    if (full < spec.n) emitAt(f, j, { ...shape, columns: spec.n - full });
  });
}

/** A tile whose first column lies `j` bytes from the left. */
function emitAt(f: FunctionBuilder, j: Local, tile: Tile): void {
  const [a, b, c] = [f.borrow('i32'), f.borrow('i32'), f.borrow('i32')];
  f.get(f.param(0)).set(a);
  f.get(f.param(1)).get(j).op('i32.add').set(b);
  f.get(f.param(2)).get(j).op('i32.add').set(c);
  emitTile(f, tile, { a, b, c });
  f.release(a, b, c);
}
