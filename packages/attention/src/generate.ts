/** Generation of one token after another, greedily or at random, as an async iterator that can be left at any time. */
import { type Generator, ValueError } from '@dl/tensor';
import { type ChoiceOptions, checkChoice, choose, Uniforms } from './choose';
import type { Decoding, Tokens } from './decoding';

export interface GenerateOptions extends ChoiceOptions {
  /** At most so many tokens. Default: what the context has room for. */
  readonly maxTokens?: number;
  /** A row ends after this token. Default none. */
  readonly endId?: number;
  /** Where random numbers come from. Default: the one that `setSeed` seeds. */
  readonly generator?: Generator;
}

/** @throws ValueError if as many tokens do not fit, or nothing ends the sequence */
export function limitOf(decoding: Decoding, promptLength: number, maxTokens: number | undefined): number {
  const room = decoding.capacity - promptLength + 1; // the last token need not be taken in
  if (maxTokens === undefined) {
    if (room !== Number.POSITIVE_INFINITY) return room;
    throw new ValueError('generate: nothing limits the length. Give maxTokens.');
  }
  if (!Number.isInteger(maxTokens) || maxTokens < 0)
    throw new ValueError(`generate: maxTokens is ${maxTokens}, but must be a whole number of at least 0.`);
  if (maxTokens > room)
    throw new ValueError(
      `generate: ${promptLength} tokens of prompt and ${maxTokens} more are longer than the context of ${decoding.capacity}. Ask for at most ${Math.max(0, room)}.`,
    );
  return maxTokens;
}

/**
 * Goes on from several prompts of one length side by side.
 *
 * @returns at each step one token a row; a row that has ended gives `endId` again
 * @throws ValueError for prompts or options that do not fit
 */
export async function* generateRows(
  decoding: Decoding,
  prompts: readonly Tokens[],
  { maxTokens, endId, generator, ...choice }: GenerateOptions = {},
): AsyncGenerator<Int32Array, void, void> {
  checkChoice(choice);
  const { rows } = decoding;
  const limit = limitOf(decoding, prompts[0]?.length ?? 0, maxTokens);
  const uniforms = new Uniforms(generator);
  const ended = new Uint8Array(rows);
  let logits = decoding.begin(prompts);
  for (let made = 0; made < limit; made++) {
    const data = await logits.data('f32');
    const width = data.length / rows;
    const tokens = new Int32Array(rows);
    for (let n = 0; n < rows; n++) {
      const uniform = choice.temperature === 0 ? 0 : await uniforms.next();
      tokens[n] = ended[n] ? endId! : choose(data.subarray(n * width, (n + 1) * width), choice, uniform);
      if (tokens[n] === endId) ended[n] = 1;
    }
    logits.dispose();
    yield tokens;
    if (made + 1 === limit || ended.every((e) => e === 1)) return;
    logits = decoding.next(tokens, null);
  }
}

/**
 * Goes on from a prompt.
 *
 * @returns the tokens as they are chosen, the end token included
 * @throws ValueError for a prompt or options that do not fit
 * @example
 * for await (const id of generate(decoding, tokenizer.encode('To be'), { temperature: 0.8, topK: 40 }))
 *   process.stdout.write(tokenizer.decode([id]));
 */
export async function* generate(
  decoding: Decoding,
  prompt: Tokens,
  options: GenerateOptions = {},
): AsyncGenerator<number, void, void> {
  if (decoding.rows !== 1)
    throw new ValueError(
      `generate: the decoding has ${decoding.rows} rows, but goes on from one prompt. Use generateRows.`,
    );
  for await (const [token] of generateRows(decoding, [prompt], options)) yield token!;
}
