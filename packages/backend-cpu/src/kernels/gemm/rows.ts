/*
 * Splits a range of rows, known only at run time, into tiles whose heights are known when the code is emitted.
 */

import type { FunctionBuilder, Local } from '../../wasm/assembler';

/** Tile heights below the full one, for what remains. */
export function tileHeights(full: 4 | 6): readonly number[] {
  return full === 6 ? [6, 4, 2, 1] : [4, 2, 1];
}

/**
 * Emits a walk from `row` up to `end` in tiles; `row` is advanced after each `body`.
 *
 * With 6 rows, 8 and 9 are taken as 4 + 4 (+ 1), since tiles of 2 and 1 rows keep the multipliers idle.
 */
export function forRowTiles(
  f: FunctionBuilder,
  { row, end, full }: { readonly row: Local; readonly end: Local; readonly full: 4 | 6 },
  body: (height: number) => void,
): void {
  const remaining = () => f.get(end).get(row).op('i32.sub');
  const step = (height: number) => {
    body(height);
    f.increment(row, height);
  };
  for (const height of tileHeights(full)) {
    f.block((done) => {
      f.loop((again) => {
        remaining().i32(height).op('i32.lt_s').brIf(done);
        if (height === 6) remaining().i32(8).op('i32.sub').i32(2).op('i32.lt_u').brIf(done);
        step(height);
        f.br(again);
      });
    });
  }
}
