/*
 * What a matrix product is asked to be, and which of three plans computes it.
 *
 * C[m, n] = Σ_k A[m, k]·B[k, n], with sizes and strides known when the code is emitted. The plan follows from the
 * specification alone, never from the range of rows of a call, so any split over threads gives the same bits. In the
 * direct and the packed plan every element is one sum in the order of k; the dot plan sums lanes apart.
 */

import type { FunctionBuilder, Local } from '../../wasm/assembler';
import { type GemmType, LANES } from './lanes';

/** Distance between neighbours along two axes of an operand, in elements; not negative. */
export interface OperandA {
  readonly m: number;
  readonly k: number;
}

/** Strides of the right operand, in elements; not negative. */
export interface OperandB {
  readonly k: number;
  readonly n: number;
}

/** The register tile of the inner loop. Eight columns, that is two vectors of f32. */
export interface MicroKernel {
  readonly rows: 4 | 6;
  readonly unroll: 1 | 4;
  /** Relaxed multiply-add instead of multiply, then add. */
  readonly fused: boolean;
}

/** Where a custom packer reads and writes. All locals are i32 and must be left as they are, but `dest`. */
export interface PackARequest {
  /** The function's `aBase`. */
  readonly base: Local;
  readonly kStart: Local;
  readonly kCount: Local;
  readonly rowStart: Local;
  /** Rows of the panel. */
  readonly rowCount: number;
  /** Byte address of the panel: element (row, k) goes to `k·rowCount + row`. */
  readonly dest: Local;
}

/** Where a custom packer reads and writes. All locals are i32 and must be left as they are, but `dest`. */
export interface PackBRequest {
  /** The function's `bBase`. */
  readonly base: Local;
  readonly kStart: Local;
  readonly kCount: Local;
  readonly nStart: Local;
  /** Columns that exist, at most `width`. */
  readonly nCount: Local;
  /** Columns of the panel; those from `nCount` on may hold any finite numbers. */
  readonly width: number;
  /** Byte address of the panel: element (k, column) goes to `k·width + column`. */
  readonly dest: Local;
}

/** Emits code that fills a panel of A. */
export type PackA = (f: FunctionBuilder, request: PackARequest) => void;
/** Emits code that fills a panel of B. */
export type PackB = (f: FunctionBuilder, request: PackBRequest) => void;

/** A matrix product. */
export interface GemmSpec {
  readonly dtype: GemmType;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Strides, or an emitter that computes panels (then the plan is packed). */
  readonly a: OperandA | PackA;
  readonly b: OperandB | PackB;
  /** Elements from one row of C to the next; columns are contiguous. */
  readonly cRow: number;
  /** Adds to C instead of overwriting it. */
  readonly accumulate?: boolean;
  readonly micro: MicroKernel;
}

/** How a product is computed: straight from the operands, as dot products along k, or from packed panels. */
export type GemmPlan = 'direct' | 'dot' | 'packed';

/** Depth of a block: a panel of B of this depth stays in the first-level cache. */
export const BLOCK_K = 256;
/** Rows of a block of packed A, a multiple of every tile height. */
export const BLOCK_M = 192;
/** Columns of a block of packed B, a multiple of every tile width. */
export const BLOCK_N = 512;
/** Multiply-adds up to which packing does not pay. */
const DIRECT_WORK = 256 ** 3;
/** Rows up to which packing does not pay. */
const DIRECT_ROWS = 24;

/** The plan of a specification. */
export function planOf({ m, n, k, a, b }: GemmSpec): GemmPlan {
  if (typeof a === 'function' || typeof b === 'function') return k === 0 ? 'direct' : 'packed';
  if (k === 0) return 'direct';
  if (a.k === 1 && b.k === 1 && (m <= 3 || n <= 3)) return 'dot';
  if (b.n !== 1 && n > 1) return 'packed';
  return m * n * k <= DIRECT_WORK || m <= DIRECT_ROWS ? 'direct' : 'packed';
}

/** Bytes of scratch that every concurrent call needs, aligned to 16. 0 where nothing is packed. */
export function scratchBytes(spec: GemmSpec): number {
  if (planOf(spec) !== 'packed') return 0;
  return packedABytes(spec) + packedBBytes(spec);
}

const roundUp = (value: number, multiple: number) => Math.ceil(value / multiple) * multiple;

/** Bytes of the block of packed A, a multiple of 64. */
export function packedABytes({ dtype, m, k }: GemmSpec): number {
  return roundUp(Math.min(m, BLOCK_M) * Math.min(k, BLOCK_K) * LANES[dtype].bytes, 64);
}

function packedBBytes({ dtype, n, k }: GemmSpec): number {
  const width = LANES[dtype].count * 2;
  return roundUp(Math.min(roundUp(n, width), BLOCK_N) * Math.min(k, BLOCK_K) * LANES[dtype].bytes, 64);
}

/** @throws RangeError for sizes and strides that the emitters cannot encode */
export function checkSpec(spec: GemmSpec): void {
  const strides = [spec.a, spec.b].flatMap((operand) => (typeof operand === 'function' ? [] : Object.values(operand)));
  for (const value of [spec.m, spec.n, spec.k, spec.cRow, ...(strides as number[])]) {
    if (!Number.isInteger(value) || value < 0) {
      throw new RangeError(`gemm: sizes and strides must be whole numbers, not ${value}; pack reversed axes instead`);
    }
  }
}
