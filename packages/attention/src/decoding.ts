/**
 * What generation asks of a model: logits after a prompt, and after one more token for each row, where rows may go on
 * from other rows. Two ways to answer: a cache, for which a token costs the same wherever it is, and a window that is
 * computed anew each time, for models without one. The first is one compiled function with fixed shapes: it is recorded at the
 * first token and no kernel is made afterwards. The second is recorded anew whenever the window has doubled.
 */
import { noGrad } from '@dl/autograd';
import { compile, type Tensor, tensor, ValueError } from '@dl/tensor';
import type { DecodingCache } from './cache';

/** Tokens of a row. */
export type Tokens = ArrayLike<number>;

export interface Decoding {
  /** Sequences side by side. */
  readonly rows: number;
  /** How many tokens a sequence may have, the prompt included. */
  readonly capacity: number;
  /** Forgets what was, and takes the prompts in. @returns logits `[rows, V]` */
  begin(prompts: readonly Tokens[]): Tensor;
  /**
   * Takes one token for each row in.
   *
   * @param parents - row n goes on from what was row `parents[n]`; null: from itself
   * @returns logits `[rows, V]`
   */
  next(tokens: Tokens, parents: Tokens | null): Tensor;
}

const ids = (values: Iterable<number>, shape: readonly number[]): Tensor => tensor(Int32Array.from(values), shape);

/** @throws ValueError unless there is one prompt a row, all of one length, of whole numbers */
function checkPrompts(prompts: readonly Tokens[], { rows, capacity }: Decoding): number {
  const length = prompts[0]?.length ?? 0;
  if (prompts.length !== rows)
    throw new ValueError(`generate: there are ${prompts.length} prompts for ${rows} rows. Give one a row.`);
  if (length === 0) throw new ValueError('generate: the prompt is empty. Begin with at least one token.');
  if (prompts.some((p) => p.length !== length))
    throw new ValueError('generate: the prompts differ in length. Generate for those of one length at a time.');
  if (length > capacity)
    throw new ValueError(
      `generate: the prompt has ${length} tokens, but the context is ${capacity}. Keep the last ${capacity}.`,
    );
  return length;
}

/**
 * @param vocabulary - how many ids there are
 * @throws ValueError for an id outside the vocabulary
 */
export function checkTokens(tokens: Tokens, vocabulary: number): void {
  for (let i = 0; i < tokens.length; i++) {
    const id = tokens[i]!;
    if (!Number.isInteger(id) || id < 0 || id >= vocabulary)
      throw new ValueError(
        `generate: token ${i} of the prompt is ${id}, but the vocabulary has ids from 0 to ${vocabulary - 1}.`,
      );
  }
}

/** A model that goes on from a cache. */
export interface CachedModel {
  /** @param tokens - i32 `[rows, L]`; the first has the position `cache.length`. @returns logits `[rows, L, V]` */
  forward(tokens: Tensor, cache: DecodingCache): Tensor;
}

export interface VocabularyOptions {
  /** How many ids there are: prompts are checked. Default: not checked. */
  readonly vocabulary?: number;
}

/**
 * Generation with a key/value cache: a token costs the same wherever it is.
 *
 * @example
 * const cache = new DecodingCache(4, { rows: 1, numHeads: 4, capacity: 64, headDim: 32 });
 * const decoding = new CachedDecoding({ forward: (ids, cache) => model.forward(ids, cache) }, cache);
 * for await (const id of generate(decoding, prompt, { maxTokens: 50 })) console.log(id);
 */
export class CachedDecoding implements Decoding {
  readonly rows: number;
  readonly capacity: number;
  readonly #next: (tokens: Tensor, parents?: Tensor) => Tensor;
  #length = 0;

  constructor(
    private readonly model: CachedModel,
    private readonly cache: DecodingCache,
    private readonly options: VocabularyOptions = {},
  ) {
    this.rows = cache.shape.rows;
    this.capacity = cache.shape.capacity;
    this.#next = compile(
      (tokens: Tensor, parents?: Tensor) => {
        if (parents) cache.reorder(parents);
        return this.#run(tokens);
      },
      { name: 'generate' },
    );
  }

  #run(tokens: Tensor): Tensor {
    const [, length] = tokens.dims(2);
    const logits = this.model.forward(tokens, this.cache).at(':', length - 1); // [rows, V]
    this.cache.advance(length);
    return logits;
  }

  begin(prompts: readonly Tokens[]): Tensor {
    const length = checkPrompts(prompts, this);
    if (this.options.vocabulary !== undefined)
      for (const prompt of prompts) checkTokens(prompt, this.options.vocabulary);
    this.cache.reset();
    this.#length = length;
    const flat = prompts.flatMap((prompt) => Array.from(prompt));
    return noGrad(() => this.#run(ids(flat, [this.rows, length])));
  }

  next(tokens: Tokens, parents: Tokens | null): Tensor {
    if (this.#length === this.capacity)
      throw new ValueError(
        `generate: the cache holds ${this.capacity} tokens and is full. Ask for fewer tokens, or make a larger cache.`,
      );
    this.#length++;
    const column = ids(Array.from(tokens), [this.rows, 1]);
    return noGrad(() => (parents ? this.#next(column, ids(Array.from(parents), [this.rows])) : this.#next(column)));
  }
}

/** A causal model as a function of the tokens alone. */
export interface WindowModel {
  /** @param tokens - i32 `[rows, L]`, L ≤ context. @returns logits `[rows, L, V]`, each of the tokens up to it only */
  forward(tokens: Tensor): Tensor;
}

export interface WindowOptions extends VocabularyOptions {
  /** Sequences side by side. Default 1. */
  readonly rows?: number;
  /** How many tokens the model sees; those before are forgotten. */
  readonly context: number;
}

/** The shortest window that is computed, if the context is not shorter. */
const SHORTEST = 64;

/** Windows are padded to few lengths, each twice the one before, so that few functions are recorded. */
function paddedLength(length: number, context: number): number {
  let padded = SHORTEST;
  while (padded < length) padded *= 2;
  return Math.min(padded, context);
}

/** Generation without a cache: the last `context` tokens are computed anew for each token. Sequences may be of any length. */
export class WindowDecoding implements Decoding {
  readonly rows: number;
  readonly capacity = Number.POSITIVE_INFINITY;
  readonly #next: (tokens: Tensor, last: Tensor) => Tensor;
  #sequences: number[][] = [];

  constructor(
    model: WindowModel,
    private readonly options: WindowOptions,
  ) {
    this.rows = options.rows ?? 1;
    this.#next = compile(
      (tokens: Tensor, last: Tensor) => {
        const logits = model.forward(tokens); // [rows, L, V]
        const [rows, , vocabulary] = logits.dims(3);
        return logits.slice([0, last, 0], [rows, 1, vocabulary]).squeeze(1);
      },
      { name: 'generate' },
    );
  }

  #run(): Tensor {
    const { context } = this.options;
    const windows = this.#sequences.map((sequence) => sequence.slice(-context));
    const last = windows[0]!.length - 1;
    const length = paddedLength(last + 1, context);
    const filled = windows.flatMap((w) => [...w, ...Array<number>(length - w.length).fill(0)]); // later tokens are not seen
    return noGrad(() => this.#next(ids(filled, [this.rows, length]), ids([last], [])));
  }

  begin(prompts: readonly Tokens[]): Tensor {
    checkPrompts(prompts, this);
    if (this.options.vocabulary !== undefined)
      for (const prompt of prompts) checkTokens(prompt, this.options.vocabulary);
    this.#sequences = prompts.map((prompt) => Array.from(prompt));
    return this.#run();
  }

  next(tokens: Tokens, parents: Tokens | null): Tensor {
    const before = this.#sequences;
    this.#sequences = before.map((own, n) => [...(parents ? before[parents[n]!]! : own), tokens[n]!]);
    return this.#run();
  }
}
