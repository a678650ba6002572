/** How the next token is chosen from logits, on the host: the most probable one, or one drawn at random. */
import { defaultGenerator, type Generator, rand, ValueError } from '@dl/tensor';

export interface ChoiceOptions {
  /** Logits are divided by it; 0 takes the most probable token. Default 1. */
  readonly temperature?: number;
  /** Only the k most probable tokens are drawn from. Default all. */
  readonly topK?: number;
  /** Only the most probable tokens are drawn from that together reach this probability. Default 1: all. */
  readonly topP?: number;
}

/** @throws ValueError for options out of range */
export function checkChoice({ temperature = 1, topK = 1, topP = 1 }: ChoiceOptions): void {
  if (!(temperature >= 0) || temperature === Number.POSITIVE_INFINITY)
    throw new ValueError(`generate: temperature is ${temperature}, but must be a number of at least 0.`);
  if (!Number.isInteger(topK) || topK < 1)
    throw new ValueError(`generate: topK is ${topK}, but must be a whole number above 0.`);
  if (!(topP > 0 && topP <= 1)) throw new ValueError(`generate: topP is ${topP}, but must be above 0 and at most 1.`);
}

/** The position of the largest number, the first of those that tie. */
export function argmaxOf(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/**
 * One token of a row of logits.
 *
 * @param uniform - a random number in [0, 1)
 */
export function choose(logits: Float32Array, options: ChoiceOptions, uniform: number): number {
  const { temperature = 1, topK = logits.length, topP = 1 } = options;
  if (temperature === 0) return argmaxOf(logits);
  const order = Array.from(logits, (_, i) => i).sort((a, b) => logits[b]! - logits[a]! || a - b);
  const largest = logits[order[0]!]!;
  const kept = order.slice(0, topK);
  const weights = kept.map((i) => Math.exp((logits[i]! - largest) / temperature));
  const total = weights.reduce((a, b) => a + b, 0);
  let [count, reached] = [0, 0];
  while (count < kept.length && (count === 0 || reached < topP * total)) reached += weights[count++]!;
  let left = uniform * reached;
  for (let i = 0; i < count; i++) {
    left -= weights[i]!;
    if (left < 0) return kept[i]!;
  }
  return kept[count - 1]!;
}

const BLOCK = 1024;

/** Random numbers of a generator, fetched a block at a time. */
export class Uniforms {
  #block: Float32Array = new Float32Array(0);
  #at = 0;

  constructor(private readonly generator: Generator = defaultGenerator) {}

  async next(): Promise<number> {
    if (this.#at === this.#block.length) {
      this.#block = await rand([BLOCK], { generator: this.generator }).data('f32');
      this.#at = 0;
    }
    return this.#block[this.#at++]!;
  }
}

/** log softmax, in f64. */
export function logProbabilities(logits: Float32Array): Float64Array {
  let largest = Number.NEGATIVE_INFINITY;
  for (const x of logits) largest = Math.max(largest, x);
  let total = 0;
  for (const x of logits) total += Math.exp(x - largest);
  const shift = largest + Math.log(total);
  return Float64Array.from(logits, (x) => x - shift);
}
