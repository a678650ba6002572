/*
 * What a matrix product is asked to be, and which of four plans computes it.
 *
 * C[m, n] = Σ_k A[m, k]·B[k, n], with sizes and strides known when the code is emitted. The plan follows from the
 * specification alone, never from the range of rows of a call, so any split over threads gives the same bits. Every element
 * is one sum in the order of k, but in the dot plan, which sums lanes apart.
 */

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

/** A matrix product. */
export interface GemmSpec {
  readonly dtype: GemmType;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: OperandA;
  readonly b: OperandB;
  /** Whether B is given as panels that `emitPanels` has filled. */
  readonly panels?: boolean;
  /**
   * Bytes by which lines of B are touched before their turn, where it comes from beyond the cache and the engine unrolls. As
   * much must be readable behind it.
   */
  readonly ahead?: number;
  /** Elements from one row of C to the next; columns are contiguous. */
  readonly cRow: number;
  /** Adds to C instead of overwriting it. */
  readonly accumulate?: boolean;
  readonly micro: MicroKernel;
}

/**
 * How a product is computed: straight from the operands, as dot products along k, by rows of B from end to end, or with B in
 * packed panels.
 */
export type GemmPlan = 'direct' | 'dot' | 'sweep' | 'packed';

/** Depth of a block: a panel of B of this depth stays in the first-level cache. */
export const BLOCK_K = 256;
/** Rows of a block of packed A, a multiple of every tile height. */
export const BLOCK_M = 96;
/** Columns of a block of C and of B, a multiple of every panel's width. */
export const BLOCK_N = 512;
/** Multiply-adds up to which packing does not pay. */
const DIRECT_WORK = 256 ** 3;
/** Rows up to which packing does not pay. */
const DIRECT_ROWS = 24;
/** Elements of B from which it is read from beyond the first-level cache, and better in panels. */
const LARGE_B = 1 << 16;
/** Those from which reading it once for every two rows costs more than packing does, and rows from which that is so. */
const HUGE_B = 1 << 20;
const HUGE_B_ROWS = 12;
/** Columns from which a few rows of B are a sweep. */
const SWEEP_COLUMNS = 64;

/** Whether a product is a matrix, in columns, times a vector: a vector times a matrix in rows, turned round. */
export const isTurned = ({ n, a, cRow }: GemmSpec): boolean => n === 1 && a.m === 1 && cRow === 1;

/** The plan of a specification. */
export function planOf(spec: GemmSpec): GemmPlan {
  const { m, n, k, a, b, panels } = spec;
  if (k === 0) return 'direct';
  if (panels) return 'packed';
  if (a.k === 1 && b.k === 1 && (m <= 3 || n <= 3)) return 'dot';
  if (isTurned(spec)) return 'sweep';
  if (b.n !== 1 && n > 1) return 'packed';
  if (n * k < LARGE_B) return m <= DIRECT_ROWS || m * n * k <= DIRECT_WORK ? 'direct' : 'packed';
  if (m > DIRECT_ROWS || (m >= HUGE_B_ROWS && n * k >= HUGE_B)) return 'packed';
  return n >= SWEEP_COLUMNS ? 'sweep' : 'direct';
}

/** Bytes of scratch that every concurrent call needs, aligned to 64. */
export function scratchBytes(spec: GemmSpec): number {
  if (planOf(spec) !== 'packed') return 0;
  return packedABytes(spec) + (spec.panels ? 0 : panelBytes({ ...spec, n: Math.min(spec.n, BLOCK_N) }));
}

const roundUp = (value: number, multiple: number) => Math.ceil(value / multiple) * multiple;

/** Columns of a panel of B: two vectors. */
export const panelWidth = ({ dtype }: Pick<GemmSpec, 'dtype'>): number => LANES[dtype].count * 2;

/** Bytes of all panels of B. */
export function panelBytes(spec: Pick<GemmSpec, 'dtype' | 'n' | 'k'>): number {
  return roundUp(roundUp(spec.n, panelWidth(spec)) * spec.k * LANES[spec.dtype].bytes, 64);
}

/** Whether tiles read A in panels of their own. Rows that run along k are read where they lie. */
export const packsA = ({ a }: GemmSpec): boolean => a.k !== 1;

/** Bytes of the block of packed A, a multiple of 64. */
export function packedABytes(spec: GemmSpec): number {
  if (!packsA(spec)) return 0;
  const { dtype, m, k } = spec;
  return roundUp(Math.min(m, BLOCK_M) * Math.min(k, BLOCK_K) * LANES[dtype].bytes, 64);
}

/** @throws RangeError for sizes and strides that the emitters cannot encode */
export function checkSpec(spec: GemmSpec): void {
  for (const value of [spec.m, spec.n, spec.k, spec.cRow, spec.a.m, spec.a.k, spec.b.k, spec.b.n]) {
    if (!Number.isInteger(value) || value < 0) {
      throw new RangeError(`gemm: sizes and strides must be whole numbers, not ${value}; pack reversed axes instead`);
    }
  }
}
