/*
 * What the product needs to know of an element type: how many stand in a vector, how one is spread over all lanes,
 * how a term is added to a sum, and how to load and store fewer elements than a vector holds.
 */

import type { FunctionBuilder, Local, MemoryOp, PlainOp } from '../../wasm/assembler';

/** Element types of a product. Integers wrap. */
export type GemmType = 'f32' | 'f64' | 'i32';

/** The instructions of one element type. */
export interface Lanes {
  /** Elements in a vector. */
  readonly count: number;
  /** Bytes of an element. */
  readonly bytes: 4 | 8;
  readonly loadSplat: MemoryOp;
  readonly loadScalar: MemoryOp;
  readonly storeScalar: MemoryOp;
  readonly multiply: PlainOp;
  readonly add: PlainOp;
  /** a·b + c in one instruction, where the type has one. */
  readonly fused: PlainOp | undefined;
}

/** Scalars move as integers, so that no NaN changes on the way. */
export const LANES = {
  f32: {
    count: 4,
    bytes: 4,
    loadSplat: 'v128.load32_splat',
    loadScalar: 'i32.load',
    storeScalar: 'i32.store',
    multiply: 'f32x4.mul',
    add: 'f32x4.add',
    fused: 'f32x4.relaxed_madd',
  },
  f64: {
    count: 2,
    bytes: 8,
    loadSplat: 'v128.load64_splat',
    loadScalar: 'i64.load',
    storeScalar: 'i64.store',
    multiply: 'f64x2.mul',
    add: 'f64x2.add',
    fused: 'f64x2.relaxed_madd',
  },
  i32: {
    count: 4,
    bytes: 4,
    loadSplat: 'v128.load32_splat',
    loadScalar: 'i32.load',
    storeScalar: 'i32.store',
    multiply: 'i32x4.mul',
    add: 'i32x4.add',
    fused: undefined,
  },
} as const satisfies Record<GemmType, Lanes>;

/** Pushes the first `count` elements at `address + offset`, zeros in the other lanes. Reads nothing beyond them. */
export function loadPartial(f: FunctionBuilder, lanes: Lanes, count: number, address: Local, offset: number): void {
  const bytes = count * lanes.bytes;
  if (bytes === 16) {
    f.get(address).mem('v128.load', offset, 2);
  } else if (bytes === 4) {
    f.get(address).mem('v128.load32_zero', offset, 2);
  } else if (bytes === 8) {
    f.get(address).mem('v128.load64_zero', offset, 2);
  } else {
    f.get(address);
    f.get(address).mem('v128.load64_zero', offset, 2);
    f.memLane('v128.load32_lane', 2, offset + 8);
  }
}

/** Stores the first `count` elements of `value` at `address + offset`. */
export function storePartial(
  f: FunctionBuilder,
  lanes: Lanes,
  count: number,
  { address, offset, value }: { readonly address: Local; readonly offset: number; readonly value: Local },
): void {
  const bytes = count * lanes.bytes;
  f.get(address).get(value);
  if (bytes === 16) {
    f.mem('v128.store', offset, 2);
  } else if (bytes === 4) {
    f.memLane('v128.store32_lane', 0, offset);
  } else {
    f.memLane('v128.store64_lane', 0, offset);
    if (bytes === 12)
      f.get(address)
        .get(value)
        .memLane('v128.store32_lane', 2, offset + 8);
  }
}

/** Adds the product of the two vectors on top of the stack to the sum in `accumulator`. */
export function multiplyAdd(f: FunctionBuilder, lanes: Lanes, fused: boolean, accumulator: Local): void {
  if (fused && lanes.fused !== undefined) f.get(accumulator).op(lanes.fused);
  else f.op(lanes.multiply).get(accumulator).op(lanes.add);
  f.set(accumulator);
}
