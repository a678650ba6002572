/*
 * The register tile: a few rows times a few vectors of C held in registers while k runs.
 *
 * Each step of k loads the vectors of B, spreads one element of A after the other over a vector, and adds the products.
 * V8 has 15 vector registers to give: 6 rows × 2 vectors, the two of B and the spread element of A fill them, and one
 * more halves the speed. Packed and unpacked operands differ only in strides.
 */

import type { FunctionBuilder, I32Operand, Local } from '../../wasm/assembler';
import { type Lanes, loadPartial, multiplyAdd, storePartial } from './lanes';

/** Bytes of a line of the cache. */
const LINE = 64;

/** A tile of C and where its operands lie. Strides are in bytes and become constant offsets. */
export interface Tile {
  readonly lanes: Lanes;
  readonly fused: boolean;
  readonly unroll: number;
  readonly rows: number;
  /** Columns to store. */
  readonly columns: number;
  /** Whether B may be read up to a whole vector beyond `columns`. */
  readonly padded: boolean;
  readonly aRow: number;
  readonly aStep: number;
  readonly bStep: number;
  /** Bytes by which B is touched before its turn. */
  readonly ahead?: number | undefined;
  readonly cRow: number;
  /** Steps of k. */
  readonly k: I32Operand;
  /** Where the sums start: at zero, at C, or at C where the local is not zero. */
  readonly start: 'zero' | 'c' | Local;
}

/** Byte addresses of the first elements. */
export interface TileAddress {
  readonly a: Local;
  readonly b: Local;
  readonly c: Local;
}

/** Emits a tile. `a` and `b` are left beyond their last step, `c` as it was. */
export function emitTile(f: FunctionBuilder, tile: Tile, at: TileAddress): void {
  const vectors = Math.ceil(tile.columns / tile.lanes.count);
  const sums = Array.from({ length: tile.rows }, () =>
    Array.from({ length: vectors }, (_, position) => ({ local: f.borrow('v128'), position })),
  );
  emitStart(f, tile, at.c, sums);
  emitSteps(f, tile, at, sums);
  for (const [row, sum] of sums.entries()) {
    for (const { local, position } of sum) {
      const offset = row * tile.cRow + position * 16;
      storePartial(f, tile.lanes, width(tile, position), { address: at.c, offset, value: local });
    }
  }
  f.release(...sums.flat().map(({ local }) => local));
}

type Sums = readonly (readonly { readonly local: Local; readonly position: number }[])[];

/** Elements of C in the vector at `position`. */
function width({ columns, lanes }: Tile, position: number): number {
  return Math.min(lanes.count, columns - position * lanes.count);
}

function emitStart(f: FunctionBuilder, tile: Tile, c: Local, sums: Sums): void {
  const zero = new Uint8Array(16);
  const clear = () => {
    for (const { local } of sums.flat()) f.v128(zero).set(local);
  };
  const load = () => {
    for (const [row, sum] of sums.entries()) {
      for (const { local, position } of sum) {
        loadPartial(f, tile.lanes, width(tile, position), c, row * tile.cRow + position * 16);
        f.set(local);
      }
    }
  };
  if (tile.start === 'zero') clear();
  else if (tile.start === 'c') load();
  else f.get(tile.start).if(load, clear);
}

/** All steps of k: rounds of `unroll`, then what is left. */
function emitSteps(f: FunctionBuilder, tile: Tile, at: TileAddress, sums: Sums): void {
  const { k, unroll } = tile;
  const round = (steps: number) => {
    for (let step = 0; step < steps; step++) emitStep(f, tile, { ...at, step }, sums);
  };
  const touch = (bytes: number) => {
    if (tile.ahead === undefined) return;
    for (let line = 0; line + LINE <= bytes; line += LINE)
      f.get(at.b)
        .mem('i32.load', tile.ahead + line, 2)
        .drop();
  };
  const advance = (steps: number) => {
    f.increment(at.a, steps * tile.aStep).increment(at.b, steps * tile.bStep);
  };
  f.scratch('i32', (counter) => {
    const countdown = (steps: number) =>
      f.loop((again) => {
        touch(steps * tile.bStep);
        round(steps);
        advance(steps);
        f.get(counter).i32(1).op('i32.sub').tee(counter).brIf(again);
      });
    if (typeof k === 'number') {
      if (k >= unroll) {
        f.i32(Math.floor(k / unroll)).set(counter);
        countdown(unroll);
      }
      round(k % unroll);
      return;
    }
    f.get(k)
      .i32(Math.log2(unroll))
      .op('i32.shr_u')
      .tee(counter)
      .if(() => countdown(unroll));
    if (unroll > 1)
      f.get(k)
        .i32(unroll - 1)
        .op('i32.and')
        .tee(counter)
        .if(() => countdown(1));
  });
}

/** One step of k at a constant distance from the addresses. */
function emitStep(f: FunctionBuilder, tile: Tile, at: TileAddress & { readonly step: number }, sums: Sums): void {
  const { lanes, fused } = tile;
  const loadB = (position: number) => {
    const count = tile.padded ? lanes.count : width(tile, position);
    loadPartial(f, lanes, count, at.b, at.step * tile.bStep + position * 16);
  };
  const [first = []] = sums;
  // A single row uses each vector of B once, so none is held.
  const held = sums.length === 1 ? [] : first.map(() => f.borrow('v128'));
  for (const [position, local] of held.entries()) {
    loadB(position);
    f.set(local);
  }
  f.scratch('v128', (spread) => {
    for (const [row, sum] of sums.entries()) {
      f.get(at.a)
        .mem(lanes.loadSplat, at.step * tile.aStep + row * tile.aRow, 2)
        .set(spread);
      for (const { local, position } of sum) {
        f.get(spread);
        const vector = held[position];
        if (vector === undefined) loadB(position);
        else f.get(vector);
        multiplyAdd(f, lanes, fused, local);
      }
    }
  });
  f.release(...held);
}
