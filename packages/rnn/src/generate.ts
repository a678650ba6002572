/**
 * Text from a language model, token by token, as an async iterator: whoever reads it may stop whenever they like. The model
 * is a function that takes the next token and answers logits; what it remembers (a recurrent state in variables) is its own.
 */
import { type Tensor, tensor, ValueError } from '@dl/tensor';
import { checkSampling, randomNumbers, type SampleOptions, sampleToken } from './sample';

export interface GenerateOptions extends SampleOptions {
  /** The most tokens that are generated. Default 256. */
  readonly maxTokens?: number;
  /** Generation ends when this token is drawn, which is not given out. Default: none. */
  readonly endToken?: number | null;
  /** The same seed gives the same text. Default 0. */
  readonly seed?: number;
}

/**
 * One step of a language model.
 *
 * @param token - i32 `[1]`
 * @returns logits of the next token: any shape with as many elements as the vocabulary has
 */
export type LanguageModelStep = (token: Tensor) => Tensor;

function checkPrompt(prompt: readonly number[] | Int32Array): void {
  if (prompt.length === 0)
    throw new ValueError(
      'generate: the prompt is empty. It has at least one token, such as the one for the beginning.',
    );
  const wrong = Array.from(prompt).find((id) => !Number.isInteger(id) || id < 0);
  if (wrong !== undefined)
    throw new ValueError(`generate: ${wrong} in the prompt is no token id: a whole number of at least 0.`);
}

/** Feeds a token, and reads the logits of the next. */
async function feed(step: LanguageModelStep, token: number): Promise<ArrayLike<number>> {
  const logits = step(tensor(Int32Array.of(token)));
  const values = await logits.data();
  logits.dispose();
  return values;
}

/**
 * Generates tokens after a prompt.
 *
 * @param step - the model; a compiled function costs the same for each token
 * @param prompt - ids; fed one by one first
 * @returns the ids that were drawn, without the prompt
 * @throws ValueError for an empty prompt, an id outside the vocabulary, or options out of range
 *
 * @example
 * const step = compile((token: Tensor) => {
 *   const { output, state: next } = gru.forward(embedding.forward(token).unsqueeze(0), { state });
 *   state.assign(next);
 *   return head.forward(output);
 * });
 * for await (const id of generate(step, [start], { temperature: 0.8, topP: 0.95, seed: 1 })) process.stdout.write(tokens[id]);
 */
export async function* generate(
  step: LanguageModelStep,
  prompt: readonly number[] | Int32Array,
  options: GenerateOptions = {},
): AsyncGenerator<number, void, void> {
  const { maxTokens = 256, endToken = null, seed = 0, ...sampling } = options;
  checkPrompt(prompt);
  checkSampling(sampling);
  const random = randomNumbers(seed);
  let logits: ArrayLike<number> = [];
  for (const [i, id] of Array.from(prompt).entries()) {
    if (i > 0 && id >= logits.length) throw outside(id, logits.length);
    logits = await feed(step, id);
    if (id >= logits.length) throw outside(id, logits.length);
  }
  for (let count = 0; count < maxTokens; count++) {
    const id = sampleToken(logits, random, sampling);
    if (id === endToken) return;
    yield id;
    if (count + 1 < maxTokens) logits = await feed(step, id);
  }
}

const outside = (id: number, size: number): ValueError =>
  new ValueError(
    `generate: ${id} in the prompt is outside the vocabulary of ${size} tokens. Encode it with the model's tokeniser.`,
  );
