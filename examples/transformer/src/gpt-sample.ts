/** What the trained GPT writes, and how fast with and without the cache. */
import { CachedDecoding, type Decoding, generate, WindowDecoding } from '@dl/attention';
import { rounded, type Text } from '@dl/example-kit';
import { Generator } from '@dl/tensor';
import { GPT, type Gpt } from './gpt-model';
import type { Options } from './options';

const cachedDecoding = (model: Gpt): Decoding => {
  const options = { vocabulary: model.vocabulary };
  return new CachedDecoding({ forward: (ids, cache) => model.forward(ids, cache) }, model.newCache(1), options);
};

const windowDecoding = (model: Gpt): Decoding => {
  const options = { context: GPT.context, vocabulary: model.vocabulary };
  return new WindowDecoding({ forward: (ids) => model.forward(ids) }, options);
};

/** The first characters of the validation text: what is not in training is a fair beginning. */
const promptOf = (text: Text): Int32Array => text.validation.slice(0, 8);

/**
 * Writes a sample, longer than the context: the model sees the last tokens only.
 *
 * @param write - takes each character as it comes
 */
export async function writeSample(
  model: Gpt,
  text: Text,
  { sample, temperature, seed }: Options,
  write: (character: string) => void,
): Promise<string> {
  model.eval();
  const prompt = promptOf(text);
  let written = text.tokenizer.decode(prompt);
  write(written);
  const options = { maxTokens: sample, temperature, topK: 40, generator: new Generator(seed) };
  for await (const id of generate(windowDecoding(model), prompt, {
    ...options,
    topK: Math.min(40, model.vocabulary),
  })) {
    const character = text.tokenizer.decode([id]);
    write(character);
    written += character;
  }
  return written;
}

async function timed(decoding: Decoding, prompt: Int32Array): Promise<{ tokens: number[]; perSecond: number }> {
  const options = { temperature: 0, maxTokens: GPT.context - prompt.length };
  for await (const _ of generate(decoding, prompt, { ...options, maxTokens: 2 })); // recorded here
  const tokens: number[] = [];
  const began = performance.now();
  for await (const token of generate(decoding, prompt, options)) tokens.push(token);
  return { tokens, perSecond: (tokens.length * 1000) / (performance.now() - began) };
}

/** Greedy tokens a second to the end of the context, with and without the cache, which must agree. */
export async function generationSpeed(model: Gpt, text: Text): Promise<{ cached: number; recomputed: number }> {
  model.eval();
  const prompt = promptOf(text);
  const cached = await timed(cachedDecoding(model), prompt);
  const recomputed = await timed(windowDecoding(model), prompt);
  if (String(cached.tokens) !== String(recomputed.tokens))
    console.warn('the cache and the recomputed window chose different tokens: two logits were nearly equal');
  return { cached: rounded(cached.perSecond, 1), recomputed: rounded(recomputed.perSecond, 1) };
}
