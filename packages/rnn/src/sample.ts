/**
 * Drawing a token from a language model's logits, on the host: a distribution of a few thousand numbers a token is not
 * worth a kernel. Logits are cut down by temperature, then the k best, then the smallest set of probability p.
 */
import { ValueError } from '@dl/tensor';

export interface SampleOptions {
  /** Logits are divided by it: below 1 is bolder, above 1 more random; 0 takes the likeliest token. Default 1. */
  readonly temperature?: number;
  /** Only the k likeliest tokens are drawn from. Default: all. */
  readonly topK?: number;
  /** Only the fewest likeliest tokens whose probabilities reach p together are drawn from. Default 1: all. */
  readonly topP?: number;
}

/** A number from [0, 1), another one at each call. */
export type RandomNumbers = () => number;

/**
 * Random numbers from a seed.
 *
 * @param seed - whole number from 0 to 2^32 − 1
 * @see Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators" (its 32-bit mixer)
 */
export function randomNumbers(seed: number): RandomNumbers {
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32)
    throw new ValueError(`randomNumbers: the seed is ${seed}, but must be a whole number from 0 to 2^32 − 1.`);
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let x = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** @throws ValueError for a temperature below 0, a k that is no whole number above 0, or a p outside (0, 1] */
export function checkSampling({ temperature = 1, topK = 1, topP = 1 }: SampleOptions): void {
  if (!(temperature >= 0 && Number.isFinite(temperature)))
    throw new ValueError(`sample: the temperature is ${temperature}, but must be at least 0.`);
  if (!Number.isInteger(topK) || topK < 1)
    throw new ValueError(`sample: topK is ${topK}, but must be a whole number above 0.`);
  if (!(topP > 0 && topP <= 1)) throw new ValueError(`sample: topP is ${topP}, but must be above 0 and at most 1.`);
}

/** Ids of the tokens that may be drawn, the likeliest first, and their weights, the likeliest 1. */
function candidates(logits: ArrayLike<number>, { temperature = 1, topK = logits.length, topP = 1 }: SampleOptions) {
  const order = Array.from(logits, (_, i) => i).sort((a, b) => logits[b]! - logits[a]! || a - b);
  const best = logits[order[0]!]!;
  if (!Number.isFinite(best))
    throw new ValueError(`sample: the largest logit is ${best}. The model's output is not finite.`);
  const ids = temperature === 0 ? order.slice(0, 1) : order.slice(0, topK);
  const weights = ids.map((id) => (id === order[0] ? 1 : Math.exp((logits[id]! - best) / temperature)));
  const total = weights.reduce((a, b) => a + b, 0);
  let [count, sum] = [0, 0];
  while (count < ids.length && (count === 0 || sum < topP * total)) sum += weights[count++]!;
  return { ids: ids.slice(0, count), weights: weights.slice(0, count) };
}

/**
 * Draws a token.
 *
 * @param logits - one number for each token of the vocabulary
 * @param random - where chance comes from
 * @returns the token's id
 * @throws ValueError for options out of range, or logits that are not finite
 */
export function sampleToken(logits: ArrayLike<number>, random: RandomNumbers, options: SampleOptions = {}): number {
  checkSampling(options);
  const { ids, weights } = candidates(logits, options);
  let left = random() * weights.reduce((a, b) => a + b, 0);
  for (let i = 0; i < ids.length; i++) {
    left -= weights[i]!;
    if (left < 0) return ids[i]!;
  }
  return ids.at(-1)!;
}
