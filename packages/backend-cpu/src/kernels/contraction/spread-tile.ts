/*
 * A register tile with vectors along n: each step of k loads vectors of the right operand, spreads one element of the
 * left over a vector for every row, and adds the products. The operands are read where they lie, whatever the axes of k.
 */
import type { FunctionBuilder, Local, ModuleBuilder } from '../../wasm/assembler';
import { type Lanes, loadPartial, multiplyAdd, storePartial } from '../gemm/lanes';
import { walk } from './walk';

export interface SpreadTile {
  readonly lanes: Lanes;
  readonly fused: boolean;
  readonly rows: number;
  /** Columns to store. */
  readonly columns: number;
  /** Whether whole vectors may be read beyond the columns. */
  readonly padded: boolean;
  /** Bytes between rows of the left operand, and of the result. */
  readonly aRow: number;
  readonly cRow: number;
  /** Elements between columns of the right operand. */
  readonly bColumn: number;
  readonly k: readonly { readonly size: number; readonly a: number; readonly b: number }[];
  readonly unroll: boolean;
  /** Place in `k` of an axis of which each call says how many steps to take, or −1. */
  readonly counted: number;
}

const tileSignature = { params: ['i32', 'i32', 'i32', 'i32'] } as const;

/** Defines the function (a, b, c, count) of a tile: byte addresses of the first elements, and steps of the counted axis. */
export function emitSpreadTile(module: ModuleBuilder, tile: SpreadTile): number {
  return module.function(tileSignature, (f) => {
    const [a, b, c] = [f.param(0), f.param(1), f.param(2)];
    const { rows, lanes } = tile;
    const vectors = Math.ceil(tile.columns / lanes.count);
    const sums = Array.from({ length: rows }, () => f.locals('v128', vectors));
    // A single row uses each vector once.
    const held = rows === 1 ? [] : f.locals('v128', vectors);
    const spread = f.local('v128');
    const last = tile.unroll ? tile.k.at(-1) : undefined;
    const unrolled = (last?.size ?? 1) - 1;
    const lowA = Math.min(0, (rows - 1) * tile.aRow) + Math.min(0, unrolled * (last?.a ?? 0));
    const lowB = Math.min(0, unrolled * (last?.b ?? 0));
    if (lowA < 0) f.increment(a, lowA);
    if (lowB < 0) f.increment(b, lowB);
    const k = tile.k.map((axis, i) => (i === tile.counted ? { ...axis, size: f.param(3) } : axis));
    const steps = () =>
      walk(f, k, { a, b, unroll: tile.unroll }, (at) => {
        held.forEach((local, position) => {
          loadColumns(f, tile, b, { offset: at.b - lowB, position });
          f.set(local);
        });
        sums.forEach((row, r) => {
          f.get(a)
            .mem(lanes.loadSplat, at.a - lowA + r * tile.aRow, 2)
            .set(spread);
          row.forEach((sum, position) => {
            f.get(spread);
            if (held.length > 0) f.get(held[position]!);
            else loadColumns(f, tile, b, { offset: at.b - lowB, position });
            multiplyAdd(f, lanes, tile.fused, sum);
          });
        });
      });
    if (tile.counted < 0) steps();
    else f.get(f.param(3)).if(steps);
    sums.forEach((row, r) => {
      row.forEach((value, position) => {
        const count = Math.min(lanes.count, tile.columns - position * lanes.count);
        storePartial(f, lanes, count, { address: c, offset: r * tile.cRow + position * 16, value });
      });
    });
  });
}

/** Pushes a vector of columns. */
function loadColumns(
  f: FunctionBuilder,
  { lanes, columns, padded, bColumn }: SpreadTile,
  b: Local,
  { offset, position }: { offset: number; position: number },
): void {
  const first = position * lanes.count;
  const count = padded ? lanes.count : Math.min(lanes.count, columns - first);
  const at = offset + first * bColumn * lanes.bytes;
  if (bColumn === 1) {
    loadPartial(f, lanes, count, b, at);
    return;
  }
  if (bColumn === 2 && padded && lanes.count === 4) {
    f.get(b)
      .mem('v128.load', at, 2)
      .get(b)
      .mem('v128.load', at + 16, 2)
      .shuffle32(0, 2, 4, 6);
    return;
  }
  const step = bColumn * lanes.bytes;
  for (let lane = count - 1; lane >= 0; lane--) f.get(b);
  f.mem(lanes.bytes === 8 ? 'v128.load64_zero' : 'v128.load32_zero', at, 2);
  for (let lane = 1; lane < count; lane++) {
    f.memLane(lanes.bytes === 8 ? 'v128.load64_lane' : 'v128.load32_lane', lane, at + lane * step);
  }
}
