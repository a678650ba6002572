/*
 * Copies strided operands into panels that the register tile reads from end to end.
 *
 * A panel of A holds `rows` elements for each k, a panel of B two vectors for each k. A column of B that does not exist
 * is zero. Contiguous elements move in vectors; B along k goes through 4×4 transpositions; anything else moves
 * element by element, which is little next to the products.
 */

import type { FunctionBuilder, Local } from '../../wasm/assembler';
import { type Lanes, loadPartial } from './lanes';
import type { OperandA, OperandB } from './spec';

/** Runs `body` with a copy of an address that it may move. */
function withCopy(f: FunctionBuilder, address: Local, body: (copy: Local) => void): void {
  f.scratch('i32', (copy) => {
    f.get(address).set(copy);
    body(copy);
  });
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

/** Where a packer reads and writes: addresses of the first elements, which are left as they are, but `dest`. */
export interface PackRequest {
  readonly source: Local;
  readonly dest: Local;
  readonly kCount: Local;
}

/** Panels that are filled side by side where their source is contiguous across them, so that whole lines are read. */
export const GROUP = 4;

/** The addresses of panels side by side, `bytes` for each k; those after the first in borrowed locals. */
function panelsFrom(f: FunctionBuilder, { dest, kCount }: PackRequest, panels: number, bytes: number): Local[] {
  const dests = [dest, ...f.borrowAll('i32', panels - 1)];
  for (const [i, to] of dests.slice(1).entries()) {
    f.get(dests[i]!).get(kCount).i32(bytes).op('i32.mul').op('i32.add').set(to);
  }
  return dests;
}

/**
 * Packs panels of `rows` rows of A side by side: element (row, k) of a panel goes to `k·rows + row`. Several only where
 * rows are contiguous.
 */
export function emitPackA(
  f: FunctionBuilder,
  lanes: Lanes,
  { m, k }: OperandA,
  { panels, rows }: { readonly panels: number; readonly rows: number },
  at: PackRequest,
): void {
  const { bytes } = lanes;
  const dests = panelsFrom(f, at, panels, rows * bytes);
  withCopy(f, at.source, (source) =>
    countSteps(f, at.kCount, 0, () => {
      for (const [panel, dest] of dests.entries()) {
        if (m === 1) copyContiguous(f, { source, from: panel * rows * bytes, dest, bytes: rows * bytes });
        else
          for (let row = 0; row < rows; row++)
            copyElement(f, lanes, { source, from: row * m * bytes, dest, to: row * bytes });
      }
      f.increment(source, k * bytes);
      for (const dest of dests) f.increment(dest, rows * bytes);
    }),
  );
  f.release(...dests.slice(1));
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
  copy: { readonly source: Local; readonly from: number; readonly dest: Local; readonly bytes: number },
): void {
  const { source, from, dest, bytes } = copy;
  let at = 0;
  for (; at + 16 <= bytes; at += 16)
    f.get(dest)
      .get(source)
      .mem('v128.load', from + at, 2)
      .mem('v128.store', at, 2);
  for (; at + 8 <= bytes; at += 8)
    f.get(dest)
      .get(source)
      .mem('i64.load', from + at, 2)
      .mem('i64.store', at, 2);
  if (at < bytes)
    f.get(dest)
      .get(source)
      .mem('i32.load', from + at, 2)
      .mem('i32.store', at, 2);
}

/**
 * Packs `panels` panels of B side by side, the last of `columns` columns: element (k, column) of a panel goes to
 * `k·width + column`. Several only where columns are contiguous.
 */
export function emitPackB(
  f: FunctionBuilder,
  lanes: Lanes,
  b: OperandB,
  { panels, columns }: { readonly panels: number; readonly columns: number },
  at: PackRequest,
): void {
  const width = lanes.count * 2;
  withCopy(f, at.source, (source) => {
    const copy = { source, dest: at.dest, kCount: at.kCount, columns, width };
    if (b.n === 1 || columns === 1) copyRows(f, lanes, { ...copy, panels, kStride: b.k });
    else copyColumns(f, lanes, { ...copy, b });
  });
}

interface PanelCopy {
  readonly source: Local;
  readonly dest: Local;
  readonly kCount: Local;
  readonly columns: number;
  readonly width: number;
}

/** Columns are contiguous: two vectors for each k and panel. */
function copyRows(
  f: FunctionBuilder,
  lanes: Lanes,
  copy: PanelCopy & { readonly panels: number; readonly kStride: number },
): void {
  const { source, dest, kCount, columns, width, kStride, panels } = copy;
  const rowBytes = width * lanes.bytes;
  const dests = panelsFrom(f, { source, dest, kCount }, panels, rowBytes);
  countSteps(f, kCount, 0, () => {
    for (const [panel, to] of dests.entries()) {
      for (let column = 0; column < width; column += lanes.count) {
        f.get(to);
        const count = panel < panels - 1 ? lanes.count : Math.min(lanes.count, columns - column);
        if (count > 0) loadPartial(f, lanes, count, source, (panel * width + column) * lanes.bytes);
        else f.v128(new Uint8Array(16));
        f.mem('v128.store', column * lanes.bytes, 2);
      }
    }
    f.increment(source, kStride * lanes.bytes);
    for (const to of dests) f.increment(to, rowBytes);
  });
  f.release(...dests.slice(1));
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
