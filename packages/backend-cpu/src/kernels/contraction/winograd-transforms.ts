/*
 * The transforms of F(2×2, 3×3), Winograd's minimal algorithm for a 3×3 filter and 2×2 outputs (Lavin & Gray 2015):
 *
 *   Y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A,   16 multiplications where there were 36,
 *
 * with d the 4×4 elements of the image under 2×2 outputs. Summed over channels, each of the 16 places of the product is
 * a matrix product of its own. Image and outputs are transformed four tiles of a row at a time, a filter four channels
 * at a time, one in each lane. An output depends on no element outside its own 3×3.
 */
import type { FunctionBuilder, Local } from '../../wasm/assembler';
import type { Constants } from '../../wasm/constants';

/** Places of a transformed tile. */
export const PLACES = 16;
/** Outputs of a tile along an axis, and tiles that are transformed together. */
export const TILE = 2;
export const GROUP = 4;

type Four = readonly [Local, Local, Local, Local];
const indices = [0, 1, 2, 3] as const;

/** Sets a new local to a + b or a − b. */
function combined(f: FunctionBuilder, op: 'f32x4.add' | 'f32x4.sub', a: Local, b: Local): Local {
  const result = f.borrow('v128');
  f.get(a).get(b).op(op).set(result);
  return result;
}

/** Bᵀ along four elements: d0 − d2, d1 + d2, d2 − d1, d1 − d3. */
function imageAlong(f: FunctionBuilder, [d0, d1, d2, d3]: Four): Four {
  return [
    combined(f, 'f32x4.sub', d0, d2),
    combined(f, 'f32x4.add', d1, d2),
    combined(f, 'f32x4.sub', d2, d1),
    combined(f, 'f32x4.sub', d1, d3),
  ];
}

/** Aᵀ along four elements: m0 + m1 + m2, m1 − m2 − m3. */
function outputAlong(f: FunctionBuilder, [m0, m1, m2, m3]: Four): readonly [Local, Local] {
  const sum = combined(f, 'f32x4.add', m0, m1);
  f.get(sum).get(m2).op('f32x4.add').set(sum);
  const difference = combined(f, 'f32x4.sub', m1, m2);
  f.get(difference).get(m3).op('f32x4.sub').set(difference);
  return [sum, difference];
}

/** G along three elements: g0, (g0 + g2 + g1)/2, (g0 + g2 − g1)/2, g2. */
function filterAlong(f: FunctionBuilder, constants: Constants, [g0, g1, g2]: readonly Local[]): Four {
  const [copy0, copy2] = [f.borrow('v128'), f.borrow('v128')];
  f.get(g0!).set(copy0).get(g2!).set(copy2);
  const ends = combined(f, 'f32x4.add', g0!, g2!);
  const halves = (['f32x4.add', 'f32x4.sub'] as const).map((op) => {
    const half = combined(f, op, ends, g1!);
    f.get(half);
    constants.splat(f, 'f32x4', 0.5);
    f.op('f32x4.mul').set(half);
    return half;
  });
  f.release(ends);
  return [copy0, halves[0]!, halves[1]!, copy2];
}

/** Loads the four columns of d for four tiles of a row, whose tiles begin every second element. */
function loadImageRow(f: FunctionBuilder, address: Local, offset: number): Four {
  const columns = f.borrowAll('v128', 4) as unknown as Four;
  const [left, right] = [f.borrow('v128'), f.borrow('v128')];
  for (const pair of [0, 1] as const) {
    f.get(address)
      .mem('v128.load', offset + pair * 8, 2)
      .set(left);
    f.get(address)
      .mem('v128.load', offset + pair * 8 + 16, 2)
      .set(right);
    f.get(left)
      .get(right)
      .shuffle32(0, 2, 4, 6)
      .set(columns[2 * pair]!);
    f.get(left)
      .get(right)
      .shuffle32(1, 3, 5, 7)
      .set(columns[2 * pair + 1]!);
  }
  f.release(left, right);
  return columns;
}

/** Where a transformed tile goes or comes from: an address, and bytes from one of the 16 places to the next. */
export interface Places {
  readonly address: Local;
  readonly step: number;
}

/** Transforms the image under four tiles: `rowBytes` from one of its rows to the next. */
export function emitImage(f: FunctionBuilder, image: { address: Local; rowBytes: number }, to: Places): void {
  const rows = indices.map((i) => {
    const d = loadImageRow(f, image.address, i * image.rowBytes);
    const along = imageAlong(f, d);
    f.release(...d);
    return along;
  });
  for (const column of indices) {
    const d = rows.map((row) => row[column]) as unknown as Four;
    const down = imageAlong(f, d);
    for (const row of indices) {
      f.get(to.address)
        .get(down[row])
        .mem('v128.store', (row * 4 + column) * to.step, 2);
    }
    f.release(...down, ...d);
  }
}

/** The 2×2 outputs of four tiles: for each row, the even columns and the odd ones. To be released. */
export function emitOutputs(f: FunctionBuilder, from: Places): readonly (readonly [even: Local, odd: Local])[] {
  const rows = indices.map((row) => {
    const m = indices.map((column) => {
      const local = f.borrow('v128');
      f.get(from.address)
        .mem('v128.load', (row * 4 + column) * from.step, 2)
        .set(local);
      return local;
    }) as unknown as Four;
    const along = outputAlong(f, m);
    f.release(...m);
    return along;
  });
  const [even, odd] = [0, 1].map((side) => {
    const column = rows.map((row) => row[side]!) as unknown as Four;
    const down = outputAlong(f, column);
    f.release(...column);
    return down;
  }) as [readonly [Local, Local], readonly [Local, Local]];
  return [
    [even[0], odd[0]],
    [even[1], odd[1]],
  ];
}

/** Where filters lie: bytes from one channel, row and column of a filter to the next. */
export interface FilterStrides {
  readonly channel: number;
  readonly row: number;
  readonly column: number;
}

/** Transforms the filters of four channels. Strides may be negative: `address` is that of the first elements. */
export function emitFilters(
  f: FunctionBuilder,
  constants: Constants,
  { address, strides }: { address: Local; strides: FilterStrides },
  to: Places,
): void {
  const far = (row: number, column: number, lane: number) =>
    row * strides.row + column * strides.column + lane * strides.channel;
  const low = Math.min(0, ...[0, 2].flatMap((r) => [0, 2].flatMap((c) => [0, 3].map((l) => far(r, c, l)))));
  if (low < 0) f.increment(address, low);
  const load = (row: number, column: number): Local => {
    const local = f.borrow('v128');
    for (let lane = 3; lane >= 0; lane--) f.get(address);
    f.mem('v128.load32_zero', far(row, column, 0) - low, 2);
    for (let lane = 1; lane < 4; lane++) f.memLane('v128.load32_lane', lane, far(row, column, lane) - low);
    f.set(local);
    return local;
  };
  const rows = [0, 1, 2].map((row) => {
    const g = [0, 1, 2].map((column) => load(row, column));
    const along = filterAlong(f, constants, g);
    f.release(...g);
    return along;
  });
  for (const column of indices) {
    const g = rows.map((row) => row[column]);
    const down = filterAlong(f, constants, g);
    for (const row of indices) {
      f.get(to.address)
        .get(down[row])
        .mem('v128.store', (row * 4 + column) * to.step, 2);
    }
    f.release(...down, ...g);
  }
  if (low < 0) f.increment(address, -low);
}
