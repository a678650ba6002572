/*
 * Products of few rows or few columns whose operands both run along k: vectors along k, one sum of lanes an element.
 *
 * Packing would cost as much as the product, and the register tile would use one lane of four. Several elements of C
 * are computed together only to keep the multipliers busy: each has its own lanes, added in the same order whatever
 * the neighbours, so a split of rows does not change a bit.
 */

import type { FunctionBuilder, Local, ModuleBuilder } from '../../wasm/assembler';
import { LANES, type Lanes, loadPartial, multiplyAdd } from './lanes';
import type { GemmSpec } from './spec';

/** Elements of C computed together. */
interface DotTile {
  readonly rows: number;
  readonly columns: number;
}

/** Defines the functions of the plan and returns the index of the one over rows. */
export function emitDot(module: ModuleBuilder, spec: GemmSpec, exportName?: string): number {
  const byRow = spec.m <= 3;
  const group: DotTile = byRow ? { rows: 1, columns: 8 } : { rows: 8, columns: 1 };
  const many = emitDotTile(module, spec, group);
  const single = emitDotTile(module, spec, { rows: 1, columns: 1 });
  const params = ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const;
  return module.function({ params, export: exportName }, (f) => {
    const [rowEnd, fullEnd] = [f.param(4), f.local('i32')];
    const [row, column] = [f.local('i32'), f.local('i32')];
    const call = (tile: number) => emitCall(f, spec, tile, { row, column });
    if (byRow) {
      const full = spec.n - (spec.n % 8);
      f.for(row, { from: f.param(3), to: rowEnd }, () => {
        f.for(column, { to: full, step: 8 }, () => call(many));
        f.for(column, { from: full, to: spec.n }, () => call(single));
      });
      return;
    }
    f.for(column, { to: spec.n }, () => {
      f.get(rowEnd).get(rowEnd).get(f.param(3)).op('i32.sub').i32(7).op('i32.and').op('i32.sub').set(fullEnd);
      f.for(row, { from: f.param(3), to: fullEnd, step: 8 }, () => call(many));
      f.for(row, { from: fullEnd, to: rowEnd }, () => call(single));
    });
  });
}

function emitCall(
  f: FunctionBuilder,
  spec: GemmSpec,
  tile: number,
  at: { readonly row: Local; readonly column: Local },
): void {
  const { bytes } = LANES[spec.dtype];
  const scaled = (index: Local, stride: number) =>
    f
      .get(index)
      .i32(stride * bytes)
      .op('i32.mul')
      .op('i32.add');
  f.get(f.param(0));
  scaled(at.row, spec.a.m);
  f.get(f.param(1));
  scaled(at.column, spec.b.n);
  f.get(f.param(2));
  scaled(at.row, spec.cRow);
  scaled(at.column, 1);
  f.call(tile);
}

/** A function (a, b, c) for a tile of dot products. */
function emitDotTile(module: ModuleBuilder, spec: GemmSpec, { rows, columns }: DotTile): number {
  const lanes: Lanes = LANES[spec.dtype];
  const [aRow, bColumn] = [spec.a.m * lanes.bytes, spec.b.n * lanes.bytes];
  return module.function({ params: ['i32', 'i32', 'i32'] }, (f) => {
    const [a, b, c] = f.params as [Local, Local, Local];
    const [vectorA, vectorB] = [f.local('v128'), f.local('v128')];
    const sums = f.locals('v128', rows * columns);
    const step = (count: number) => {
      if (rows === 1) loadInto(f, lanes, count, { address: a, offset: 0, local: vectorA });
      else loadInto(f, lanes, count, { address: b, offset: 0, local: vectorB });
      for (const [at, sum] of sums.entries()) {
        if (rows === 1) f.get(vectorA);
        else loadPartial(f, lanes, count, a, at * aRow);
        if (rows === 1) loadPartial(f, lanes, count, b, at * bColumn);
        else f.get(vectorB);
        multiplyAdd(f, lanes, spec.micro.fused, sum);
      }
    };
    const vectors = Math.floor(spec.k / lanes.count);
    f.for(f.local('i32'), { to: vectors }, () => {
      step(lanes.count);
      f.increment(a, 16).increment(b, 16);
    });
    if (spec.k % lanes.count > 0) step(spec.k % lanes.count);
    for (const [at, sum] of sums.entries()) {
      emitReduction(f, spec, sum, { c, offset: rows === 1 ? at * lanes.bytes : at * spec.cRow * lanes.bytes });
    }
  });
}

function loadInto(
  f: FunctionBuilder,
  lanes: Lanes,
  count: number,
  { address, offset, local }: { readonly address: Local; readonly offset: number; readonly local: Local },
): void {
  loadPartial(f, lanes, count, address, offset);
  f.set(local);
}

/** Adds the lanes of a sum pairwise and stores the result. */
function emitReduction(
  f: FunctionBuilder,
  spec: GemmSpec,
  sum: Local,
  { c, offset }: { c: Local; offset: number },
): void {
  const lanes = LANES[spec.dtype];
  f.get(sum).get(sum).get(sum).shuffle32(2, 3, 0, 1).op(lanes.add).set(sum);
  if (lanes.count === 4) f.get(sum).get(sum).get(sum).shuffle32(1, 0, 3, 2).op(lanes.add).set(sum);
  if (spec.accumulate === true) {
    loadPartial(f, lanes, 1, c, offset);
    f.get(sum).op(lanes.add).set(sum);
  }
  f.get(c)
    .get(sum)
    .memLane(lanes.bytes === 8 ? 'v128.store64_lane' : 'v128.store32_lane', 0, offset);
}
