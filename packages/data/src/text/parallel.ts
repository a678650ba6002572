/**
 * Parallel text: pairs of sequences of different lengths, such as sentences and their translations. Pairs of about one
 * length form a batch, so that little is padding, and lengths are rounded up, so that few shapes occur and a compiled
 * step has few signatures. The order of an epoch is a function of (seed, epoch).
 */
import { type Tensor, tensor, ValueError } from '@dl/tensor';
import { RandomStream } from '../random';

/** A sequence and its counterpart, as ids. */
export interface TextPair {
  readonly source: ArrayLike<number>;
  readonly target: ArrayLike<number>;
}

/** One side of a batch. */
export interface PaddedText {
  /** i32 `[B, L]` */
  readonly ids: Tensor;
  /** i32 `[B]`: tokens that are no padding. */
  readonly lengths: Tensor;
  /** bool `[B, L]`: true where there is a token, false at padding. */
  readonly mask: Tensor;
}

export interface ParallelBatch {
  readonly source: PaddedText;
  readonly target: PaddedText;
  /** The pairs' indices. */
  readonly indices: readonly number[];
}

export interface ParallelOptions {
  /** Pairs a batch. */
  readonly batchSize: number;
  /** What fills sequences up. */
  readonly padId: number;
  /** Lengths are rounded up to a multiple of this. Default 8. */
  readonly multiple?: number;
  /**
   * Fills both sides up to the longer one's length, and lets pairs that do not fill a batch join longer ones, so that there are
   * as few shapes as lengths, and one more for what is left in the end. For sides of about one length. Default false.
   */
  readonly joint?: boolean;
  /** Another order each epoch. Default true. */
  readonly shuffle?: boolean;
  /** Default 0. */
  readonly seed?: number;
  /** Leaves out batches of fewer than `batchSize` pairs. Default false. */
  readonly dropLast?: boolean;
}

/** Where a loader is. */
export interface ParallelState {
  readonly epoch: number;
  readonly batch: number;
}

/**
 * Sequences filled up to one length.
 *
 * @param length - default: the longest
 * @throws ValueError for an empty list, an empty sequence, or one that is longer than `length`
 */
export function padText(sequences: readonly ArrayLike<number>[], padId: number, length?: number): PaddedText {
  const longest = sequences.reduce((most, s) => Math.max(most, s.length), 0);
  const width = length ?? longest;
  if (sequences.length === 0 || sequences.some((s) => s.length === 0))
    throw new ValueError('padText: a sequence is empty, or there is none. Each has at least one token.');
  if (longest > width) throw new ValueError(`padText: a sequence has ${longest} tokens, but the length is ${width}.`);
  const ids = new Int32Array(sequences.length * width).fill(padId);
  const mask = new Uint8Array(ids.length);
  sequences.forEach((s, row) => {
    ids.set(Array.from(s), row * width);
    mask.fill(1, row * width, row * width + s.length);
  });
  const shape = [sequences.length, width];
  return {
    ids: tensor(ids, shape),
    lengths: tensor(Int32Array.from(sequences, (s) => s.length)),
    mask: tensor(mask, shape, { dtype: 'bool' }),
  };
}

/**
 * Goes through pairs in batches of about one length. Each loop over it is one epoch; `stateDict` says where it is.
 *
 * @example
 * for await (const { source, target } of new ParallelLoader(pairs, { batchSize: 64, padId: 0 }))
 *   step(source.ids, source.lengths, target.ids, target.mask);
 */
export class ParallelLoader implements AsyncIterable<ParallelBatch> {
  /** The number of batches in an epoch. */
  readonly length: number;
  readonly #options: Required<ParallelOptions>;
  readonly #groups: readonly (readonly number[])[];
  #epoch = 0;
  #batch = 0;

  /** @throws ValueError for options out of range, no pairs, or an empty sequence */
  constructor(
    readonly pairs: readonly TextPair[],
    options: ParallelOptions,
  ) {
    this.#options = { multiple: 8, joint: false, shuffle: true, seed: 0, dropLast: false, ...options };
    const { batchSize, multiple } = this.#options;
    if (!Number.isInteger(batchSize) || batchSize < 1 || !Number.isInteger(multiple) || multiple < 1)
      throw new ValueError(
        `ParallelLoader: batchSize is ${batchSize} and multiple ${multiple}, but both are whole numbers above 0.`,
      );
    if (pairs.length === 0) throw new ValueError('ParallelLoader: there are no pairs. Give at least one.');
    const empty = pairs.findIndex(({ source, target }) => source.length === 0 || target.length === 0);
    if (empty >= 0)
      throw new ValueError(
        `ParallelLoader: a sequence of pair ${empty} is empty. Leave the pair out, or add an end token.`,
      );
    this.#groups = this.#bucket();
    this.length = this.#plan(0).length;
  }

  /** Pairs whose rounded lengths are equal, by rising length. */
  #bucket(): number[][] {
    const groups = new Map<number, number[]>();
    this.pairs.forEach((_, i) => {
      const [source, target] = this.#lengths([i]);
      const key = source! * 1e6 + target!;
      const group = groups.get(key);
      if (group) group.push(i);
      else groups.set(key, [i]);
    });
    return [...groups].sort(([a], [b]) => a - b).map(([, group]) => group);
  }

  /** How long the two sides of some pairs are together: the longest sequence, rounded up. */
  #lengths(indices: readonly number[]): number[] {
    const { multiple, joint } = this.#options;
    const sides = (['source', 'target'] as const).map((side) =>
      indices.reduce((most, i) => Math.max(most, this.pairs[i]![side].length), 0),
    );
    const longest = joint ? sides.map(() => Math.max(...sides)) : sides;
    return longest.map((length) => Math.ceil(length / multiple) * multiple);
  }

  /** The batches of an epoch, as indices of pairs. */
  #plan(epoch: number): number[][] {
    const { batchSize, joint, shuffle, seed, dropLast } = this.#options;
    const random = new RandomStream(seed, epoch);
    const batches: number[][] = [];
    let rest: readonly number[] = []; // of shorter pairs
    this.#groups.forEach((group, g) => {
      const order = [...rest, ...(shuffle ? random.shuffle([...group]) : group)];
      const isLast = !joint || g === this.#groups.length - 1;
      const full = order.length - (order.length % batchSize);
      for (let i = 0; i < full; i += batchSize) batches.push(order.slice(i, i + batchSize));
      rest = isLast ? [] : order.slice(full);
      if (isLast && !dropLast && full < order.length) batches.push(order.slice(full));
    });
    return shuffle ? random.shuffle(batches) : batches;
  }

  /** One epoch, or what is left of it. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ParallelBatch, void, void> {
    const plan = this.#plan(this.#epoch);
    while (this.#batch < plan.length) {
      const indices = plan[this.#batch++]!;
      const [source, target] = this.#lengths(indices);
      yield { source: this.#side('source', indices, source!), target: this.#side('target', indices, target!), indices };
    }
    this.#epoch++;
    this.#batch = 0;
  }

  #side(side: 'source' | 'target', indices: readonly number[], length: number): PaddedText {
    const sequences = indices.map((i) => this.pairs[i]![side]);
    return padText(sequences, this.#options.padId, length);
  }

  stateDict(): ParallelState {
    return { epoch: this.#epoch, batch: this.#batch };
  }

  loadStateDict({ epoch, batch }: ParallelState): void {
    this.#epoch = epoch;
    this.#batch = batch;
  }
}
