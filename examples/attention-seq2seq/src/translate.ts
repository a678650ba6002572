/** What the trained model makes of new sources: greedily, one compiled step a token, and where it looked. */
import { type Decoding, generateRows, type Tokens } from '@dl/attention';
import { noGrad } from '@dl/autograd';
import { padText, type Tokenizer } from '@dl/data';
import type { AttentionMap } from '@dl/example-kit';
import { compile, type Tensor, tensor, Variable, zeros } from '@dl/tensor';
import { type Seq2Seq, SIZES, type Source } from './model';

/** The longest date has 28 characters and an end token; a translation 10, a begin and an end token. */
const SOURCE = 32;
const TARGET = 12;

/** The source, the state and one compiled step, for some rows side by side. */
class RecurrentDecoding implements Decoding {
  readonly capacity = TARGET;
  readonly #source: { readonly [K in keyof Source]: Variable };
  readonly #state: Variable;
  readonly #next: (tokens: Tensor) => Tensor;

  constructor(
    readonly model: Seq2Seq,
    readonly rows: number,
  ) {
    this.#source = {
      memory: new Variable(zeros([rows, SOURCE, 2 * SIZES.encoder]), { name: 'memory' }),
      keys: new Variable(zeros([rows, SOURCE, SIZES.attention]), { name: 'keys' }),
      mask: new Variable(zeros([rows, 1, SOURCE], 'bool'), { name: 'mask' }),
    };
    this.#state = new Variable(zeros([rows, SIZES.decoder]), { name: 'state' });
    this.#next = compile(
      (tokens: Tensor) => {
        const { logits, state } = model.write(tokens, this.#source, this.#state);
        this.#state.assign(state);
        return logits;
      },
      { name: 'write' },
    );
  }

  /** Takes sources in. @param ids - i32 `[rows, 32]` */
  read(ids: Tensor, padding: Tensor): void {
    const { source, state } = noGrad(() => this.model.encode(ids, padding));
    for (const key of ['memory', 'keys', 'mask'] as const) this.#source[key].assign(source[key]);
    this.#state.assign(state);
  }

  begin(prompts: readonly Tokens[]): Tensor {
    return this.next(
      prompts.map((prompt) => prompt[0]!),
      null,
    );
  }

  next(tokens: Tokens, parents: Tokens | null): Tensor {
    if (parents) this.#state.assign(this.#state.take(0, tensor(Int32Array.from(Array.from(parents)))));
    return noGrad(() => this.#next(tensor(Int32Array.from(Array.from(tokens)))));
  }
}

const ROWS = 100;

/** A translation of each text. */
export async function translateAll(model: Seq2Seq, tokenizer: Tokenizer, texts: readonly string[]): Promise<string[]> {
  model.eval();
  const ids = (['pad', 'begin', 'end'] as const).map((role) => tokenizer.vocabulary.required('translate', role));
  const [padId, beginId, endId] = ids as [number, number, number];
  const decoding = new RecurrentDecoding(model, ROWS);
  const found: string[] = [];
  for (let i = 0; i < texts.length; i += ROWS) {
    const part = texts.slice(i, i + ROWS);
    const full = [...part, ...Array<string>(ROWS - part.length).fill(part[0]!)];
    const source = padText(
      full.map((text) => tokenizer.encode(text, { end: true })),
      padId,
      SOURCE,
    );
    decoding.read(source.ids, source.mask.not());
    const written: number[][] = full.map(() => []);
    const options = { temperature: 0, endId, maxTokens: TARGET };
    for await (const tokens of generateRows(
      decoding,
      full.map(() => [beginId]),
      options,
    ))
      tokens.forEach((token, row) => void written[row]!.push(token));
    found.push(...written.slice(0, part.length).map((row) => tokenizer.decode(row)));
  }
  return found;
}

/** Where the model looked while it wrote a translation. */
export async function alignment(
  model: Seq2Seq,
  tokenizer: Tokenizer,
  source: string,
  translation: string,
): Promise<AttentionMap> {
  const padId = tokenizer.vocabulary.required('translate', 'pad');
  const read = tokenizer.encode(source, { end: true });
  const side = padText([read], padId);
  const target = padText([tokenizer.encode(translation, { begin: true })], padId);
  const { weights } = noGrad(() => model.forward(side.ids, side.mask.not(), target.ids));
  const pieces = (ids: Int32Array): string[] => Array.from(ids, (id) => tokenizer.decode([id], { specials: true }));
  return {
    titles: [source, translation],
    columns: pieces(read),
    rows: pieces(tokenizer.encode(translation, { end: true })),
    weights: (await weights.at(0).array(2)) as number[][],
  };
}
