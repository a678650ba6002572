/*
 * Copies strided operands into panels that the register tile reads from end to end.
 *
 * A panel of A holds `rows` elements for each k, a panel of B two vectors for each k. A column of B that does not exist
 * is zero. Contiguous elements move in vectors; B along k goes through 4×4 transpositions; anything else moves
 * element by element, which is little next to the products.
 */

import type { FunctionBuilder, Local } from '../../wasm/assembler';
import { type Lanes, loadPartial } from './lanes';
import type { OperandA, OperandB, PackA, PackB } from './spec';

/** Sets a new local to base + (i·iStride + k·kStride) bytes. */
function sourceAddress(f: FunctionBuilder, base: Local, terms: readonly (readonly [Local, number])[]): Local {
  const source = f.borrow('i32');
  f.get(base);
  for (const [index, stride] of terms) f.get(index).i32(stride).op('i32.mul').op('i32.add');
  f.set(source);
  return source;
}

/** Runs `body` once for each `step` of k; what does not fill a step is left. Returns nothing, advances nothing. */
function countSteps(f: FunctionBuilder, count: Local, shift: number, body: () => void): void {
  f.scratch('i32', (counter) => {
    f.get(count)
      .i32(shift)
      .op('i32.shr_u')
      .tee(counter)
      .if(() => {
        f.loop((again) => {
          body();
          f.get(counter).i32(1).op('i32.sub').tee(counter).brIf(again);
        });
      });
  });
}

/** The packer of a strided left operand. */
export function stridedPackA(lanes: Lanes, { m, k }: OperandA): PackA {
  const { bytes } = lanes;
  return (f, { base, kStart, kCount, rowStart, rowCount, dest }) => {
    const source = sourceAddress(f, base, [
      [rowStart, m * bytes],
      [kStart, k * bytes],
    ]);
    countSteps(f, kCount, 0, () => {
      if (m === 1) copyContiguous(f, { source, dest, bytes: rowCount * bytes });
      else
        for (let row = 0; row < rowCount; row++)
          copyElement(f, lanes, { source, from: row * m * bytes, dest, to: row * bytes });
      f.increment(source, k * bytes).increment(dest, rowCount * bytes);
    });
    f.release(source);
  };
}

function copyElement(
  f: FunctionBuilder,
  lanes: Lanes,
  {
    source,
    from,
    dest,
    to,
  }: { readonly source: Local; readonly from: number; readonly dest: Local; readonly to: number },
): void {
  f.get(dest).get(source).mem(lanes.loadScalar, from, 2).mem(lanes.storeScalar, to, 2);
}

function copyContiguous(
  f: FunctionBuilder,
  copy: { readonly source: Local; readonly dest: Local; readonly bytes: number },
): void {
  const { source, dest, bytes } = copy;
  let at = 0;
  for (; at + 16 <= bytes; at += 16) f.get(dest).get(source).mem('v128.load', at, 2).mem('v128.store', at, 2);
  for (; at + 8 <= bytes; at += 8) f.get(dest).get(source).mem('i64.load', at, 2).mem('i64.store', at, 2);
  if (at < bytes) f.get(dest).get(source).mem('i32.load', at, 2).mem('i32.store', at, 2);
}

/** The packer of a strided right operand with `n` columns in all. */
export function stridedPackB(lanes: Lanes, b: OperandB, n: number): PackB {
  return (f, { base, kStart, kCount, nStart, nCount, width, dest }) => {
    const source = sourceAddress(f, base, [
      [nStart, b.n * lanes.bytes],
      [kStart, b.k * lanes.bytes],
    ]);
    const panel = (columns: number) => {
      if (b.n === 1) copyRows(f, lanes, { source, dest, kCount, columns, width, kStride: b.k });
      else copyColumns(f, lanes, { source, dest, kCount, columns, width, b });
    };
    const tail = n % width;
    if (tail === 0) panel(width);
    else if (n < width) panel(tail);
    else
      f.get(nCount)
        .i32(width)
        .op('i32.eq')
        .if(
          () => panel(width),
          () => panel(tail),
        );
    f.release(source);
  };
}

interface PanelCopy {
  readonly source: Local;
  readonly dest: Local;
  readonly kCount: Local;
  readonly columns: number;
  readonly width: number;
}

/** Columns are contiguous: one or two vectors for each k. */
function copyRows(f: FunctionBuilder, lanes: Lanes, copy: PanelCopy & { readonly kStride: number }): void {
  const { source, dest, kCount, columns, width, kStride } = copy;
  countSteps(f, kCount, 0, () => {
    for (let column = 0; column < width; column += lanes.count) {
      f.get(dest);
      const count = Math.min(lanes.count, columns - column);
      if (count > 0) loadPartial(f, lanes, count, source, column * lanes.bytes);
      else f.v128(new Uint8Array(16));
      f.mem('v128.store', column * lanes.bytes, 2);
    }
    f.increment(source, kStride * lanes.bytes).increment(dest, width * lanes.bytes);
  });
}

/** Columns are apart: four k at a time by transposition where k is contiguous, else element by element. */
function copyColumns(f: FunctionBuilder, lanes: Lanes, copy: PanelCopy & { readonly b: OperandB }): void {
  const { source, dest, kCount, columns, width, b } = copy;
  const blocked = b.k === 1 && lanes.bytes === 4;
  if (blocked) {
    countSteps(f, kCount, 2, () => {
      for (let column = 0; column < width; column += 4)
        transpose(f, { source, dest, column, columns, width, stride: b.n * 4 });
      f.increment(source, 16).increment(dest, width * 16);
    });
  }
  f.scratch('i32', (rest) => {
    f.get(kCount)
      .i32(blocked ? 3 : -1)
      .op('i32.and')
      .set(rest);
    countSteps(f, rest, 0, () => {
      for (let column = 0; column < width; column++) {
        const to = column * lanes.bytes;
        if (column < columns) copyElement(f, lanes, { source, from: column * b.n * lanes.bytes, dest, to });
        else if (lanes.bytes === 8) f.get(dest).i64(0).mem('i64.store', to, 2);
        else f.get(dest).i32(0).mem('i32.store', to, 2);
      }
      f.increment(source, b.k * lanes.bytes).increment(dest, width * lanes.bytes);
    });
  });
}

/** Turns four columns of four consecutive k into four rows of the panel. */
function transpose(
  f: FunctionBuilder,
  block: {
    readonly source: Local;
    readonly dest: Local;
    readonly column: number;
    readonly columns: number;
    readonly width: number;
    readonly stride: number;
  },
): void {
  const { source, dest, column, columns, width, stride } = block;
  const [c0, c1, c2, c3, low01, low23, high01, high23] = f.borrowAll('v128', 8) as Locals8;
  for (const [position, local] of [c0, c1, c2, c3].entries()) {
    if (column + position < columns) f.get(source).mem('v128.load', (column + position) * stride, 2);
    else f.v128(new Uint8Array(16));
    f.set(local);
  }
  f.get(c0).get(c1).shuffle32(0, 4, 1, 5).set(low01);
  f.get(c2).get(c3).shuffle32(0, 4, 1, 5).set(low23);
  f.get(c0).get(c1).shuffle32(2, 6, 3, 7).set(high01);
  f.get(c2).get(c3).shuffle32(2, 6, 3, 7).set(high23);
  const rows = [
    [low01, low23, 0],
    [low01, low23, 2],
    [high01, high23, 0],
    [high01, high23, 2],
  ] as const;
  for (const [k, [left, right, half]] of rows.entries()) {
    f.get(dest)
      .get(left)
      .get(right)
      .shuffle32(half, half + 1, half + 4, half + 5);
    f.mem('v128.store', (k * width + column) * 4, 2);
  }
  f.release(c0, c1, c2, c3, low01, low23, high01, high23);
}

type Locals8 = [Local, Local, Local, Local, Local, Local, Local, Local];
