/**
 * Splitting a dataset into disjoint parts. This file decides which sample goes where: by a seeded shuffle, so the
 * same seed gives the same parts on every machine, and with `stratify` so that each class is shared out in proportion.
 */
import { type TypedArray, ValueError, zerosArray } from '@dl/tensor';
import { type Dataset, fieldSize } from './dataset';
import { RandomStream } from './random';
import { subset } from './views';

export interface SplitOptions {
  /** Default 0. */
  readonly seed?: number;
  /** False keeps the order: the first part is the first samples. Default true. */
  readonly shuffle?: boolean;
  /** The name of a field of one element, or a function of a sample's index, whose values keep their proportions. */
  readonly stratify?: string | ((index: number) => unknown);
}

/**
 * Splits a dataset into disjoint parts.
 *
 * @param parts - the size of each part: fractions of at most 1 in all (`{ train: 0.9, dev: 0.1 }`; what is left over
 *   is in no part), or numbers of samples (`{ train: 50000, dev: 10000 }`)
 * @returns a dataset under each name
 * @throws ValueError for sizes that are neither, more samples than there are, or a stratifying field that is missing
 *
 * @example
 * const { train, dev } = split(digits, { train: 0.8, dev: 0.2 }, { seed: 1, stratify: 'label' });
 */
export function split<B, K extends string>(
  dataset: Dataset<B>,
  parts: Readonly<Record<K, number>>,
  options: SplitOptions = {},
): Record<K, Dataset<B>> {
  const counts = countsOf(parts, dataset.length);
  const order = dealingOrder(dataset, options);
  const result = {} as Record<K, Dataset<B>>;
  let start = 0;
  for (const [name, count] of Object.entries(counts) as [K, number][]) {
    result[name] = subset(dataset, order.subarray(start, start + count));
    start += count;
  }
  return result;
}

/** The order in which samples are dealt out; a part is a run of it. */
export function dealingOrder<B>(
  dataset: Dataset<B>,
  { seed = 0, shuffle = true, stratify }: SplitOptions,
): Uint32Array {
  const inOrder = Uint32Array.from({ length: dataset.length }, (_, i) => i);
  const shuffled = shuffle ? new RandomStream(seed).shuffle(inOrder) : inOrder;
  return stratify === undefined ? shuffled : interleave(shuffled, keysOf(dataset, stratify));
}

function countsOf<K extends string>(parts: Readonly<Record<K, number>>, length: number): Record<K, number> {
  const sizes = Object.values(parts) as number[];
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const given = JSON.stringify(parts);
  if (sizes.every((size) => size >= 0 && size <= 1) && total <= 1 + 1e-9) return apportion(parts, length);
  if (!sizes.every((size) => Number.isInteger(size) && size >= 0)) {
    throw new ValueError(
      `split: sizes are all fractions of at most 1 in all, or all numbers of samples, but these are ${given}` +
        (sizes.every((size) => size >= 0 && size <= 1) ? `, ${total} in all` : ''),
    );
  }
  if (total > length) {
    throw new ValueError(`split: ${given} asks for ${total} samples, but the dataset has ${length}`);
  }
  return { ...parts };
}

/** Whole numbers for fractions, the remainders to the parts that lost most, so that they add up. */
function apportion<K extends string>(parts: Readonly<Record<K, number>>, length: number): Record<K, number> {
  const names = Object.keys(parts) as K[];
  const exact = names.map((name) => parts[name] * length);
  // A fraction such as 0.07 of 100 is 7.000000000000001, which must be 7 and not lose its neighbour one.
  const counts = exact.map((size) => Math.floor(size + 1e-6));
  const all = Math.round(exact.reduce((sum, size) => sum + size, 0));
  const byLoss = names.map((_, i) => i).sort((a, b) => exact[b]! - counts[b]! - (exact[a]! - counts[a]!) || a - b);
  let missing = all - counts.reduce((sum, count) => sum + count, 0);
  for (const i of byLoss) if (missing-- > 0) counts[i]!++;
  return Object.fromEntries(names.map((name, i) => [name, counts[i]!])) as Record<K, number>;
}

function keysOf<B>(dataset: Dataset<B>, stratify: string | ((index: number) => unknown)): unknown[] {
  if (typeof stratify === 'function') return Array.from({ length: dataset.length }, (_, i) => stratify(i));
  const f = dataset.fields.findIndex((field) => field.name === stratify);
  const field = dataset.fields[f];
  if (!field || fieldSize(field) !== 1) {
    const known = dataset.fields.map(({ name, shape }) => `'${name}' [${shape.join(', ')}]`).join(', ');
    throw new ValueError(
      `split: stratify names a field of one element, but '${stratify}' ${field ? 'has more' : 'is no field'}; there are ${known}`,
    );
  }
  const sample: TypedArray[] = dataset.fields.map((each) => zerosArray(each.dtype, fieldSize(each)));
  return Array.from({ length: dataset.length }, (_, i) => {
    dataset.copy(i, sample, 0, 0);
    return sample[f]![0];
  });
}

/**
 * Orders indices so that any run of them has each key in proportion: the j-th of a key's n samples stands at
 * (j + 1/2) / n. Cut anywhere, each part has every key to within one sample of its share for each cut.
 */
function interleave(order: Uint32Array, keys: readonly unknown[]): Uint32Array {
  const totals = new Map<unknown, number>();
  for (const key of keys) totals.set(key, (totals.get(key) ?? 0) + 1);
  const seen = new Map<unknown, number>();
  const places = new Float64Array(keys.length);
  for (const index of order) {
    const rank = seen.get(keys[index]) ?? 0;
    seen.set(keys[index], rank + 1);
    places[index] = (rank + 0.5) / totals.get(keys[index])!;
  }
  // The sort is stable, so ties stay in shuffled order.
  return order.slice().sort((a, b) => places[a]! - places[b]!);
}
