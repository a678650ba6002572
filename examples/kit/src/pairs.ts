/** Pairs of texts as ids, in batches of about one length: what a model that translates is trained on. */
import { type ParallelBatch, ParallelLoader, type ParallelState, type TextPair, type Tokenizer } from '@dl/data';
import type { Tensor } from '@dl/tensor';

/** A source and its translation. */
export type Pair = readonly [source: string, target: string];

/** Tensors only, so that a compiled step has a signature for each pair of lengths. */
export interface PairBatch {
  /** i32 `[B, S]` */
  readonly source: Tensor;
  /** bool `[B, S]`: true where there is no token. */
  readonly padding: Tensor;
  /** i32 `[B, T]`: from the begin token on. */
  readonly target: Tensor;
  readonly [key: string]: Tensor;
}

/** Sources with an end token; targets between a begin and an end token. */
export const encodePairs = (pairs: readonly Pair[], tokenizer: Tokenizer): TextPair[] =>
  pairs.map(([source, target]) => ({
    source: tokenizer.encode(source, { end: true }),
    target: tokenizer.encode(target, { begin: true, end: true }),
  }));

export interface PairOptions {
  readonly batchSize: number;
  readonly padId: number;
  readonly seed: number;
  readonly shuffle?: boolean;
  /** Lengths are rounded up to a multiple of this, so that there are few signatures. Default 16. */
  readonly multiple?: number;
  /** Fills both sides up to one length. */
  readonly joint?: boolean;
}

/** Batches of pairs. */
export class PairLoader implements AsyncIterable<PairBatch> {
  readonly #loader: ParallelLoader;

  constructor(pairs: readonly TextPair[], options: PairOptions) {
    this.#loader = new ParallelLoader(pairs, { multiple: 16, ...options, dropLast: options.shuffle !== false });
  }

  /** Batches of an epoch. */
  get length(): number {
    return this.#loader.length;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<PairBatch, void, void> {
    for await (const batch of this.#loader) yield tensorsOf(batch);
  }

  stateDict(): ParallelState {
    return this.#loader.stateDict();
  }

  loadStateDict(state: ParallelState): void {
    this.#loader.loadStateDict(state);
  }
}

const tensorsOf = ({ source, target }: ParallelBatch): PairBatch => ({
  source: source.ids,
  padding: source.mask.not(),
  target: target.ids,
});
