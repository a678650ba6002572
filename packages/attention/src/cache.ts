/**
 * Keys and values of the tokens so far, so that a new token costs the same whatever came before. Capacity is fixed and
 * the position is data (an i32 variable), so that one compiled step serves all tokens: it writes its slice, and a mask
 * hides what is not written yet.
 */
import { type DType, iota, ShapeError, showShape, type Tensor, tensor, ValueError, Variable, zeros } from '@dl/tensor';

/** Keys and values by head. */
export interface Heads {
  /** `[N, H, S, D]` */
  readonly k: Tensor;
  /** `[N, H, S, D]` */
  readonly v: Tensor;
}

export interface CacheShape {
  /** Sequences side by side: N. */
  readonly rows: number;
  readonly numHeads: number;
  /** How many tokens fit. */
  readonly capacity: number;
  /** Features of a head: D. */
  readonly headDim: number;
  /** Default f32. */
  readonly dtype?: DType;
}

/** Where a layer's attention is in a cache. */
export interface CachePlace {
  readonly layer: KeyValueCache;
  /** i32 scalar: how many tokens came before. */
  readonly position: Tensor;
}

/** The keys and values of one layer, `[N, H, capacity, D]` each. */
export class KeyValueCache {
  readonly keys: Variable;
  readonly values: Variable;

  constructor({ rows, numHeads, capacity, headDim, dtype = 'f32' }: CacheShape) {
    const shape = [rows, numHeads, capacity, headDim];
    this.keys = new Variable(zeros(shape, dtype), { name: 'KeyValueCache.keys' });
    this.values = new Variable(zeros(shape, dtype), { name: 'KeyValueCache.values' });
  }

  get capacity(): number {
    return this.keys.shape[2]!;
  }

  /**
   * Writes keys and values from `position` on.
   *
   * @param heads - of the new tokens, `[N, H, L, D]`
   * @returns all keys and values, `[N, H, capacity, D]`; those after the new ones are old or 0
   * @throws ShapeError if the new ones do not fit
   */
  put({ k, v }: Heads, position: Tensor): Heads {
    const [rows, heads, capacity, features] = this.keys.dims(4);
    const length = k.shape[2]!;
    if (k.rank !== 4 || k.shape[0] !== rows || k.shape[1] !== heads || k.shape[3] !== features || length > capacity)
      throw new ShapeError(
        `KeyValueCache: keys ${showShape(k.shape)} do not fit a cache of ${showShape(this.keys.shape)}. Make the cache for as many rows and tokens.`,
      );
    const place = iota([capacity, 1], 0);
    const isOld = place.lt(position).or(place.ge(position.add(length))); // [capacity, 1]
    for (const [variable, fresh] of [
      [this.keys, k],
      [this.values, v],
    ] as const) {
      const placed = length === 1 ? fresh : fresh.place([0, 0, position, 0], variable.shape);
      variable.assign(isOld.expand(variable.shape).where(variable, placed.expand(variable.shape)));
    }
    return { k: this.keys, v: this.values };
  }

  /** Row n goes on from what was row `parents[n]`. @param parents - i32 `[N]` */
  reorder(parents: Tensor): void {
    this.keys.assign(this.keys.take(0, parents));
    this.values.assign(this.values.take(0, parents));
  }
}

/** The caches of all layers, and how many tokens they hold. */
export class DecodingCache {
  readonly layers: readonly KeyValueCache[];
  /** i32 scalar: how many tokens the cache holds. */
  readonly length = new Variable(tensor(0, [], { dtype: 'i32' }), { name: 'DecodingCache.length' });

  /** @param numLayers - how many attentions there are, shared or not */
  constructor(
    numLayers: number,
    readonly shape: CacheShape,
  ) {
    if (!Number.isInteger(shape.capacity) || shape.capacity < 1)
      throw new ValueError(`DecodingCache: the capacity is ${shape.capacity}, but must be a whole number above 0.`);
    this.layers = Array.from({ length: numLayers }, () => new KeyValueCache(shape));
  }

  /** Where layer i's attention is now. */
  at(i: number): CachePlace {
    const layer = this.layers[i];
    if (layer === undefined)
      throw new ValueError(`DecodingCache: there is no layer ${i} of ${this.layers.length}. Make it for all layers.`);
    return { layer, position: this.length };
  }

  /** Counts tokens that all layers have taken in. */
  advance(tokens: number): void {
    this.length.assign(this.length.add(tokens));
  }

  /** Row n of every layer goes on from row `parents[n]`. @param parents - i32 `[N]` */
  reorder(parents: Tensor): void {
    for (const layer of this.layers) layer.reorder(parents);
  }

  /** Forgets all tokens. */
  reset(): void {
    this.length.assign(0);
  }
}

/** Where queries from `position` on may attend in a cache: bool `[queries, capacity]`. */
export function cacheMask(queries: number, capacity: number, position: Tensor): Tensor {
  const shape = [queries, capacity];
  return iota(shape, 1).le(iota(shape, 0).add(position));
}
