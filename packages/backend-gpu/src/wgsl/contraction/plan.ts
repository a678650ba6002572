/*
 * How a contraction is computed, by its sizes and what suits the device. Each output is a sum over k in order, or over parts of k in
 * order whose number follows from the sizes; so the choice of a tile changes no result.
 */
import type { Contraction, Expr } from '@dl/tensor';

/** A tile of the output: what a thread computes, and how many threads do it together. */
export interface Tile {
  /** Outputs of a thread. */
  readonly m: number;
  readonly n: number;
  /** Threads of a workgroup. */
  readonly threadsM: number;
  readonly threadsN: number;
  /** Elements along k that are brought into workgroup memory at once, a divisor of 16; 0: operands are read where they are. */
  readonly k: number;
}

export interface Sizes {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Tiles through workgroup memory, by the outputs of a workgroup. All fit the limits that every device has. */
export const sharedTiles = {
  '32×32': { m: 4, n: 4, threadsM: 8, threadsN: 8, k: 16 },
  '64×64': { m: 4, n: 4, threadsM: 16, threadsN: 16, k: 16 },
  '128×64': { m: 8, n: 4, threadsM: 16, threadsN: 16, k: 16 },
  '128×128': { m: 8, n: 8, threadsM: 16, threadsN: 16, k: 16 },
} as const satisfies Record<string, Tile>;

/**
 * What suits a device: how products of at least 16 rows, columns and products a sum are computed, each from so many outputs on, the
 * smallest first. `direct`: without workgroup memory, which costs much where barriers do, and gains little where caches are large.
 */
export type Tuning = readonly { readonly from: number; readonly tile: Tile | 'direct' }[];

/** For adapters that nothing else is known of. */
export function tuningFor(vendor: string, isFallback: boolean): Tuning {
  const direct = isFallback || ['apple', 'arm', 'qualcomm', 'img-tec'].includes(vendor.toLowerCase());
  if (direct) return [];
  return [
    { from: 0, tile: sharedTiles['32×32'] },
    { from: 256 * 256, tile: sharedTiles['64×64'] },
    { from: 1024 * 1024, tile: sharedTiles['128×64'] },
  ];
}

export type Method =
  /** Each output a row of a reduction. */
  { readonly kind: 'reduce' } | { readonly kind: 'tile'; readonly tile: Tile; readonly splits: number };

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

export const sizesOf = ({ batch, m, n, k }: Contraction): Sizes => ({
  batch: product(batch),
  m: product(m),
  n: product(n),
  k: product(k),
});

/** Outputs below which a sum is shared by threads. */
const fewOutputs = 128;
const longSum = 256;
/** Outputs that keep a device busy, and the shortest part of k. */
const enoughOutputs = 1 << 14;
const shortestPart = 128;
const maxSplits = 32;

/** In how many parts k is summed: few outputs with long sums are computed in parts, which are added afterwards. */
export function splitsOf({ batch, m, n, k }: Sizes): number {
  const outputs = batch * m * n;
  if (outputs >= enoughOutputs || k < 4 * shortestPart) return 1;
  return Math.max(1, Math.min(maxSplits, Math.floor(enoughOutputs / outputs), Math.floor(k / shortestPart)));
}

/** Whether neighbours along the last k axis are neighbours in memory. */
function isContiguous(index: Expr, lastK: number): boolean {
  const terms = index.kind === 'add' ? index.terms : [index];
  return terms.some((t) => t.kind === 'var' && t.index === lastK);
}

export function methodOf(contraction: Contraction, tuning: Tuning): Method {
  const sizes = sizesOf(contraction);
  const { batch, m, n, k } = sizes;
  const outputs = batch * m * n;
  const lastK = contraction.batch.length + contraction.m.length + contraction.n.length + contraction.k.length - 1;
  const vector = Math.min(m, n) === 1 && isContiguous((n === 1 ? contraction.lhs : contraction.rhs).index, lastK);
  if (contraction.dtype === 'f32' && k >= longSum && (outputs <= fewOutputs || (vector && outputs < enoughOutputs))) {
    return { kind: 'reduce' };
  }
  const splits = splitsOf(sizes);
  const large = m >= 16 && n >= 16 && k >= 16;
  const chosen = large ? tuning.findLast(({ from }) => outputs >= from) : undefined;
  const tile = chosen === undefined || chosen.tile === 'direct' ? directTile(sizes) : chosen.tile;
  return { kind: 'tile', tile, splits };
}

/** A tile without workgroup memory: as much a thread as leaves enough threads. */
function directTile({ batch, m, n }: Sizes): Tile {
  const own = (size: number): number => (size >= 32 ? 4 : size >= 8 ? 2 : 1);
  let [tm, tn] = [own(m), own(n)];
  while (tm * tn > 1 && (batch * m * n) / (tm * tn) < 1024) {
    if (tm >= tn) tm /= 2;
    else tn /= 2;
  }
  let threadsN = 1;
  while (threadsN < 64 && threadsN * tn < n && (threadsN < 8 || (64 / threadsN) * tm > m)) threadsN *= 2;
  return { m: tm, n: tn, threadsM: 64 / threadsN, threadsN, k: 0 };
}
