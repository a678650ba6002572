/** Translating with a trained model: beam search for many sentences side by side, over a cache. */
import { beamSearch, CachedDecoding, DecodingCache, type Heads } from '@dl/attention';
import { noGrad } from '@dl/autograd';
import { padText, type Tokenizer } from '@dl/data';
import { type Tensor, Variable, zeros } from '@dl/tensor';
import type { Translator } from './translator';

export interface SearchOptions {
  readonly beams: number;
  /** Sentences side by side. */
  readonly sentences: number;
  /** Sources are padded to this length. */
  readonly sourceLength: number;
  readonly maxTokens: number;
}

/** The memory of the sentences that are being translated, in variables, so that one compiled step serves all of them. */
class MemoryCache {
  readonly padding: Variable;
  readonly heads: readonly { readonly k: Variable; readonly v: Variable }[];

  constructor(
    readonly model: Translator,
    readonly options: SearchOptions,
  ) {
    const { sentences, beams, sourceLength } = options;
    const { width, heads, layers } = model.size;
    const shape = [sentences * beams, heads, sourceLength, width / heads];
    const fresh = (): Variable => new Variable(zeros(shape), { name: 'memory' });
    this.padding = new Variable(zeros([sentences * beams, sourceLength], 'bool'), { name: 'padding' });
    this.heads = Array.from({ length: layers }, () => ({ k: fresh(), v: fresh() }));
  }

  /** Takes sources in; each is repeated for its beams. */
  fill(source: Tensor, padding: Tensor): void {
    const { beams } = this.options;
    const heads: Heads[] = this.model.project(this.model.encode(source, padding));
    for (const [i, { k, v }] of heads.entries()) {
      this.heads[i]!.k.assign(k.repeat(0, beams));
      this.heads[i]!.v.assign(v.repeat(0, beams));
    }
    this.padding.assign(padding.repeat(0, beams));
  }
}

export class BeamTranslator {
  readonly #memory: MemoryCache;
  readonly #decoding: CachedDecoding;

  constructor(
    model: Translator,
    private readonly tokenizer: Tokenizer,
    private readonly options: SearchOptions,
  ) {
    const { sentences, beams, maxTokens } = options;
    const { width, heads, layers, vocabulary } = model.size;
    const memory = new MemoryCache(model, options);
    const shape = { rows: sentences * beams, numHeads: heads, capacity: maxTokens, headDim: width / heads };
    this.#memory = memory;
    this.#decoding = new CachedDecoding(
      { forward: (ids, cache) => model.decode(ids, memory.heads, memory.padding, cache) },
      new DecodingCache(layers, shape),
      { vocabulary },
    );
  }

  /**
   * The best hypothesis for each text.
   *
   * @throws ValueError for a text of more tokens than `sourceLength`
   */
  async translate(texts: readonly string[]): Promise<string[]> {
    const { sentences } = this.options;
    const found: string[] = [];
    for (let i = 0; i < texts.length; i += sentences) found.push(...(await this.#batch(texts.slice(i, i + sentences))));
    return found;
  }

  async #batch(texts: readonly string[]): Promise<string[]> {
    const { beams, sentences, sourceLength } = this.options;
    const { vocabulary } = this.tokenizer;
    const [padId, beginId, endId] = (['pad', 'begin', 'end'] as const).map((role) =>
      vocabulary.required('translate', role),
    );
    const full = [...texts, ...Array<string>(sentences - texts.length).fill(texts[0]!)];
    const ids = full.map((text) => this.tokenizer.encode(text, { end: true }));
    const source = padText(ids, padId!, sourceLength);
    noGrad(() => this.#memory.fill(source.ids, source.mask.not()));
    const prompts = full.map(() => [beginId!]);
    let best: readonly (readonly { readonly tokens: readonly number[] }[])[] = [];
    for await (const step of beamSearch(this.#decoding, prompts, { beams, endId: endId! })) best = step;
    return best.slice(0, texts.length).map((hypotheses) => this.tokenizer.decode(hypotheses[0]!.tokens));
  }
}
