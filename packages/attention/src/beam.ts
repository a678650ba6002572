/**
 * Beam search: for each sentence the best few beginnings are kept and continued side by side. A hypothesis that ends
 * leaves its beam; scores are divided by length^penalty, so that short ones are not preferred.
 */
import { ValueError } from '@dl/tensor';
import { logProbabilities } from './choose';
import type { Decoding, Tokens } from './decoding';
import { limitOf } from './generate';

export interface Hypothesis {
  /** Without the prompt and the end token. */
  readonly tokens: readonly number[];
  /** Sum of log-probabilities over length^penalty. */
  readonly score: number;
  /** Whether it ended with the end token. */
  readonly ended: boolean;
}

export interface BeamOptions {
  /** Hypotheses a sentence: the decoding has as many rows a sentence. */
  readonly beams: number;
  /** The token that ends a hypothesis. */
  readonly endId: number;
  /** Default: what the context has room for. */
  readonly maxTokens?: number;
  /** Exponent of the length that scores are divided by. Default 1. */
  readonly lengthPenalty?: number;
}

/** What is known after a step: the hypotheses of each sentence, best first. */
export type BeamStep = readonly (readonly Hypothesis[])[];

interface Beam {
  readonly tokens: readonly number[];
  readonly logProbability: number;
  /** The row that it goes on from. */
  readonly row: number;
}

interface Sentence {
  beams: Beam[];
  readonly finished: Hypothesis[];
}

/** The k largest, by value, with their places. */
function best(values: Float64Array, k: number): number[] {
  const found: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (found.length === k && values[i]! <= values[found[k - 1]!]!) continue;
    let at = found.length;
    while (at > 0 && values[i]! > values[found[at - 1]!]!) at--;
    found.splice(at, 0, i);
    if (found.length > k) found.pop();
  }
  return found;
}

class Search {
  readonly sentences: Sentence[];

  constructor(
    count: number,
    private readonly options: Required<BeamOptions>,
  ) {
    const { beams } = options;
    // At first all beams are alike: only one of them is continued.
    this.sentences = Array.from({ length: count }, (_, i) => ({
      beams: [{ tokens: [], logProbability: 0, row: i * beams }],
      finished: [],
    }));
  }

  #score(tokens: number, logProbability: number): number {
    return logProbability / Math.max(1, tokens) ** this.options.lengthPenalty;
  }

  /** Continues each sentence's beams by the logits of all rows. */
  advance(logits: Float32Array, width: number): void {
    for (const sentence of this.sentences) if (!this.isDone(sentence)) this.#continue(sentence, logits, width);
  }

  #continue(sentence: Sentence, logits: Float32Array, width: number): void {
    const { beams, endId } = this.options;
    const candidates: (Beam & { readonly token: number })[] = [];
    for (const beam of sentence.beams) {
      const row = logProbabilities(logits.subarray(beam.row * width, (beam.row + 1) * width));
      for (const token of best(row, 2 * beams))
        candidates.push({ ...beam, token, logProbability: beam.logProbability + row[token]! });
    }
    candidates.sort((a, b) => b.logProbability - a.logProbability);
    sentence.beams = [];
    for (const [rank, { token, ...beam }] of candidates.entries()) {
      if (sentence.beams.length === beams) break;
      if (token !== endId) sentence.beams.push({ ...beam, tokens: [...beam.tokens, token] });
      else if (rank < beams) this.#finish(sentence, beam, true);
    }
  }

  #finish({ finished }: Sentence, { tokens, logProbability }: Beam, ended: boolean): void {
    const score = this.#score(tokens.length + (ended ? 1 : 0), logProbability);
    finished.push({ tokens, score, ended });
    finished.sort((a, b) => b.score - a.score);
    finished.length = Math.min(finished.length, this.options.beams);
  }

  /** Whether no beam can be better than the hypotheses that have ended. */
  isDone({ beams, finished }: Sentence): boolean {
    if (finished.length < this.options.beams) return false;
    const most = beams.reduce((s, b) => Math.max(s, this.#score(b.tokens.length, b.logProbability)), -Infinity);
    return finished.at(-1)!.score >= most;
  }

  get isOver(): boolean {
    return this.sentences.every((sentence) => this.isDone(sentence));
  }

  /** The tokens of all rows, and the rows that they go on from. */
  rows(): { tokens: Int32Array; parents: Int32Array } {
    const { beams } = this.options;
    const count = this.sentences.length * beams;
    const [tokens, parents] = [new Int32Array(count), Int32Array.from({ length: count }, (_, n) => n)];
    for (const [i, sentence] of this.sentences.entries()) {
      sentence.beams = sentence.beams.map((beam, j) => {
        const row = i * beams + j;
        tokens[row] = beam.tokens.at(-1)!;
        parents[row] = beam.row;
        return { ...beam, row };
      });
    }
    return { tokens, parents };
  }

  step(): BeamStep {
    return this.sentences.map(({ beams, finished }) => {
      const open = beams.map(({ tokens, logProbability }) => ({
        tokens,
        score: this.#score(tokens.length, logProbability),
        ended: false,
      }));
      return [...finished, ...open].sort((a, b) => b.score - a.score).slice(0, this.options.beams);
    });
  }
}

/**
 * Searches for the most probable continuations of one prompt a sentence.
 *
 * @param decoding - with `sentences · beams` rows, those of a sentence side by side
 * @param prompts - one a sentence, of one length
 * @returns after each step, the best hypotheses so far; the last are the result
 * @throws ValueError for prompts or options that do not fit
 * @see Sutskever, Vinyals & Le 2014, section 3.2; Wu et al. 2016, eq. 14 for lengths
 */
export async function* beamSearch(
  decoding: Decoding,
  prompts: readonly Tokens[],
  options: BeamOptions,
): AsyncGenerator<BeamStep, void, void> {
  const { beams, endId } = options;
  if (!Number.isInteger(beams) || beams < 1 || decoding.rows !== beams * prompts.length)
    throw new ValueError(
      `beamSearch: ${prompts.length} prompts with ${beams} beams need ${prompts.length * beams} rows, but the decoding has ${decoding.rows}.`,
    );
  if (!Number.isInteger(endId) || endId < 0)
    throw new ValueError(`beamSearch: endId is ${endId}, but must be the id of the end token.`);
  const maxTokens = limitOf(decoding, prompts[0]?.length ?? 0, options.maxTokens);
  const search = new Search(prompts.length, { lengthPenalty: 1, ...options, maxTokens });
  let logits = decoding.begin(prompts.flatMap((prompt) => Array<Tokens>(beams).fill(prompt)));
  for (let made = 1; made <= maxTokens; made++) {
    const data = await logits.data('f32');
    logits.dispose();
    search.advance(data, data.length / decoding.rows);
    yield search.step();
    if (made === maxTokens || search.isOver) return;
    const { tokens, parents } = search.rows();
    logits = decoding.next(tokens, parents);
  }
}
