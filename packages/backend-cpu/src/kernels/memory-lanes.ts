/*
 * Loads and stores of the four lanes of a group: as a vector where they are neighbours, lane by lane otherwise, and part
 * of them at the end of an axis. Nothing is read beyond the lanes asked for.
 */
import type { DType } from '@dl/tensor';
import type { FunctionBuilder, Local, MemoryLaneOp, MemoryOp } from '../wasm/function-builder';
import { widths } from './target';

const lanes32 = [0, 1, 2, 3] as const;

/** Where lane i of a group lies: address + offset. */
export interface LaneAddress {
  /** Pushes the base address for a lane; the same for all if `step` is given. */
  push(lane: number): void;
  /** Bytes from one lane to the next, where constant; the base is then that of the first lane. */
  readonly step: number | null;
  /** Of the first lane, folded into the instruction where it is not negative. */
  readonly offset: number;
}

type Width = 1 | 2 | 4 | 8;

const laneLoad: Record<Width, MemoryLaneOp> = {
  1: 'v128.load8_lane',
  2: 'v128.load16_lane',
  4: 'v128.load32_lane',
  8: 'v128.load64_lane',
};
const laneStore: Record<Width, MemoryLaneOp> = {
  1: 'v128.store8_lane',
  2: 'v128.store16_lane',
  4: 'v128.store32_lane',
  8: 'v128.store64_lane',
};
const widthOf = (dtype: DType): Width => widths[dtype] as Width;
/** The lane number of an instruction for lane `lane` of a register. */
const laneNumber = (dtype: DType, lane: number): number => (lane * registerBytes(dtype)) / widthOf(dtype);
/** What an element takes in a register. */
const registerBytes = (dtype: DType): number => Math.max(4, widthOf(dtype));

/** Pushes the address of a lane and returns the offset that the instruction must have. */
function pushLane(f: FunctionBuilder, address: LaneAddress, lane: number): number {
  address.push(lane);
  const at = address.offset + (address.step === null ? 0 : address.step * lane);
  if (at >= 0) return at;
  f.i32(at).op('i32.add');
  return 0;
}

/** Lanes of a register: four, or two of f64. */
export const registerLanes = (dtype: DType): number => (dtype === 'f64' ? 2 : 4);

/** Bytes in memory become lanes of 32 bits, bool a mask. */
function finishLoad(f: FunctionBuilder, dtype: DType): void {
  if (dtype !== 'bool') return;
  f.v128(new Uint8Array(16)).op('i32x4.ne');
}

/** Bool masks become 0 and 1. */
function prepareStore(f: FunctionBuilder, dtype: DType): void {
  if (dtype !== 'bool') return;
  f.v128(Uint8Array.from({ length: 16 }, (_, i) => (i % 4 === 0 ? 1 : 0))).op('v128.and');
}

/** Pushes one register with `count` lanes from `first` on; the rest is 0. */
export function loadLanes(f: FunctionBuilder, dtype: DType, address: LaneAddress, first: number, count: number): void {
  const width = widthOf(dtype);
  if (count <= 0) {
    f.v128(new Uint8Array(16));
    return;
  }
  if (address.step === width && count === registerLanes(dtype)) {
    const offset = pushLane(f, address, first);
    if (width === 1) {
      f.mem('v128.load32_zero', offset).op('i16x8.extend_low_i8x16_u').op('i32x4.extend_low_i16x8_u');
    } else if (width === 2) f.mem('v128.load16x4_u', offset);
    else f.mem('v128.load', offset, 2);
    finishLoad(f, dtype);
    return;
  }
  if (address.step === -width && width === 4 && count === 4) {
    const offset = pushLane(f, address, first + 3);
    f.mem('v128.load', offset, 2);
    const local = f.borrow('v128');
    f.tee(local).get(local).shuffle32(3, 2, 1, 0);
    f.release(local);
    return;
  }
  const offsets: number[] = [];
  for (let lane = count - 1; lane >= 0; lane--) offsets[lane] = pushLane(f, address, first + lane);
  const zero: MemoryOp = width === 8 ? 'v128.load64_zero' : 'v128.load32_zero';
  if (width < 4) f.v128(new Uint8Array(16)).memLane(laneLoad[width], 0, offsets[0]);
  else f.mem(zero, offsets[0]);
  for (let lane = 1; lane < count; lane++) f.memLane(laneLoad[width], laneNumber(dtype, lane), offsets[lane]);
  finishLoad(f, dtype);
}

/** Pushes `into` with one lane replaced by what lies at the address on top of the stack. Not finished. */
export function insertLane(f: FunctionBuilder, dtype: DType, lane: number, offset: number, into: Local): void {
  f.get(into).memLane(laneLoad[widthOf(dtype)], laneNumber(dtype, lane), offset);
}

/** Pushes a register with the element at the address on top of the stack in every lane. */
export function loadSplat(f: FunctionBuilder, dtype: DType, offset = 0): void {
  const width = widthOf(dtype);
  if (width === 8) f.mem('v128.load64_splat', offset);
  else if (width === 4) f.mem('v128.load32_splat', offset);
  else f.mem(width === 2 ? 'i32.load16_u' : 'i32.load8_u', offset).op('i32x4.splat');
  finishLoad(f, dtype);
}

/** Stores `count` lanes of a register from `first` (a lane of the group) on. */
export function storeLanes(
  f: FunctionBuilder,
  dtype: DType,
  value: Local,
  address: LaneAddress,
  { first, count }: { first: number; count: number },
): void {
  if (count <= 0) return;
  const width = widthOf(dtype);
  const ready = f.borrow('v128');
  f.get(value);
  prepareStore(f, dtype);
  f.set(ready);
  if (address.step === width && count === registerLanes(dtype)) {
    const offset = pushLane(f, address, first);
    f.get(ready);
    if (width === 1) {
      f.get(ready).shuffle([0, 4, 8, 12, ...lanes32, ...lanes32, ...lanes32]);
      f.memLane('v128.store32_lane', 0, offset);
    } else if (width === 2) {
      f.get(ready).shuffle([0, 1, 4, 5, 8, 9, 12, 13, ...lanes32, ...lanes32]);
      f.memLane('v128.store64_lane', 0, offset);
    } else f.mem('v128.store', offset, 2);
  } else {
    for (let lane = 0; lane < count; lane++) {
      const offset = pushLane(f, address, first + lane);
      f.get(ready).memLane(laneStore[width], laneNumber(dtype, lane), offset);
    }
  }
  f.release(ready);
}

/** Stores the first lane of a register at the address that `push` pushes. */
export function storeOne(f: FunctionBuilder, dtype: DType, value: Local, push: () => number): void {
  const offset = push();
  f.get(value);
  prepareStore(f, dtype);
  f.memLane(laneStore[widthOf(dtype)], 0, offset);
}
