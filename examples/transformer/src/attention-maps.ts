/** What the translator looks at while it writes: the last layer's attention to the source, averaged over heads. */
import { noGrad } from '@dl/autograd';
import { padText, type Tokenizer } from '@dl/data';
import type { AttentionMap } from '@dl/example-kit';
import type { Translator } from './translator';

/** Each token's text; special tokens by their names. */
export const pieces = (tokenizer: Tokenizer, ids: ArrayLike<number>): string[] =>
  Array.from(ids, (id) => tokenizer.decode([id], { specials: true }));

/** The map of one source and its translation. */
export async function attentionMap(
  model: Translator,
  tokenizer: Tokenizer,
  source: string,
  translation: string,
): Promise<AttentionMap> {
  const { vocabulary } = tokenizer;
  const padId = vocabulary.required('translate', 'pad');
  const read = tokenizer.encode(source, { end: true });
  const written = tokenizer.encode(translation, { begin: true });
  const side = padText([read], padId);
  const weights = noGrad(() => model.attention(side.ids, side.mask.not(), padText([written], padId).ids).at(-1)!);
  const rows = (await weights.at(0).array(2)) as number[][];
  const ended = tokenizer.encode(translation, { end: true }); // row i is the attention while token i + 1 is chosen
  return {
    titles: [source, translation],
    columns: pieces(tokenizer, read),
    rows: pieces(tokenizer, ended),
    weights: rows,
  };
}
