/*
 * A register tile with vectors along the last axis of k, for results whose rows are too short for vectors of their own,
 * such as the gradient of a convolution's weights: every element of the tile is a dot product of its own.
 */
import type { FunctionBuilder, Local, ModuleBuilder } from '../../wasm/assembler';
import { type Lanes, loadPartial, multiplyAdd } from '../gemm/lanes';
import { type WalkAxis, walk } from './walk';

export interface DotTile {
  readonly lanes: Lanes;
  readonly fused: boolean;
  readonly rows: number;
  readonly columns: number;
  /** Bytes between rows of the left operand, between columns of the right one, and between rows of the result. */
  readonly aRow: number;
  readonly bColumn: number;
  readonly cRow: number;
  /** The last is contiguous in both operands. */
  readonly k: readonly (WalkAxis & { readonly size: number })[];
}

/** Vectors along k that are written out. */
const maxWritten = 8;

/** Defines the function (a, b, c) of a tile: byte addresses of the first elements. */
export function emitDotTile(module: ModuleBuilder, tile: DotTile, unroll: boolean): number {
  return module.function({ params: ['i32', 'i32', 'i32'] }, (f) => {
    const { rows, columns, lanes } = tile;
    const [a, b, c] = [f.param(0), f.param(1), f.param(2)];
    const sums = Array.from({ length: rows }, () => f.locals('v128', columns));
    const last = tile.k.at(-1)!;
    const vectors = Math.floor(last.size / lanes.count);
    const rest = last.size % lanes.count;
    const low = { a: Math.min(0, (rows - 1) * tile.aRow), b: Math.min(0, (columns - 1) * tile.bColumn) };
    if (low.a < 0) f.increment(a, low.a);
    if (low.b < 0) f.increment(b, low.b);
    const step = (count: number, offset: number) =>
      emitStep(f, tile, sums, {
        a: { local: a, offset: offset - low.a },
        b: { local: b, offset: offset - low.b },
        count,
      });
    const written = unroll && vectors <= maxWritten;
    // The vectors of the last axis are an axis of their own; what is left of it follows at their end.
    const outer = tile.k.slice(0, -1);
    walk(f, outer, { a, b, unroll: false }, () => {
      if (written) {
        for (let i = 0; i < vectors; i++) step(lanes.count, i * 16);
        if (rest > 0) step(rest, vectors * 16);
        return;
      }
      walk(
        f,
        [{ size: vectors, a: 16, b: 16 }],
        { a, b, unroll: vectors === 0 },
        () => vectors > 0 && step(lanes.count, 0),
      );
      if (rest > 0) step(rest, 0);
      if (vectors > 0) f.increment(a, -16 * vectors).increment(b, -16 * vectors);
    });
    sums.forEach((row, r) => {
      row.forEach((sum, column) => emitTotal(f, tile, sum, { c, offset: r * tile.cRow + column * lanes.bytes }));
    });
  });
}

interface At {
  readonly local: Local;
  readonly offset: number;
}

/** One vector of k: the shorter side of the tile is held in registers, the other passes by. */
function emitStep(
  f: FunctionBuilder,
  { rows, columns, lanes, fused, aRow, bColumn }: DotTile,
  sums: readonly (readonly Local[])[],
  { a, b, count }: { a: At; b: At; count: number },
): void {
  const rowsHeld = rows <= columns;
  const held = Array.from({ length: Math.min(rows, columns) }, () => f.borrow('v128'));
  held.forEach((local, i) => {
    const [at, step] = rowsHeld ? [a, aRow] : [b, bColumn];
    loadPartial(f, lanes, count, at.local, at.offset + i * step);
    f.set(local);
  });
  f.scratch('v128', (passing) => {
    for (let j = 0; j < Math.max(rows, columns); j++) {
      const [at, step] = rowsHeld ? [b, bColumn] : [a, aRow];
      loadPartial(f, lanes, count, at.local, at.offset + j * step);
      f.set(passing);
      held.forEach((local, i) => {
        f.get(local).get(passing);
        multiplyAdd(f, lanes, fused, rowsHeld ? sums[i]![j]! : sums[j]![i]!);
      });
    }
  });
  f.release(...held);
}

/** Adds the lanes of a sum pairwise and stores the result. */
function emitTotal(
  f: FunctionBuilder,
  { lanes }: DotTile,
  sum: Local,
  { c, offset }: { c: Local; offset: number },
): void {
  f.get(sum).get(sum).get(sum).shuffle32(2, 3, 0, 1).op(lanes.add).set(sum);
  if (lanes.count === 4) f.get(sum).get(sum).get(sum).shuffle32(1, 0, 3, 2).op(lanes.add).set(sum);
  f.get(c)
    .get(sum)
    .memLane(lanes.bytes === 8 ? 'v128.store64_lane' : 'v128.store32_lane', 0, offset);
}
