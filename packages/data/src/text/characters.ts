/** Characters as tokens: Unicode code points, in their order, so that the same text always gives the same ids. */
import {
  checkSaved,
  type DecodeOptions,
  type EncodeOptions,
  framed,
  type SavedTokenizer,
  type SpecialTokens,
  Vocabulary,
} from './vocabulary';

export interface SavedCharacters extends SavedTokenizer {
  readonly kind: 'characters';
  readonly characters: readonly string[];
}

/**
 * One token a code point.
 *
 * @example
 * const tokenizer = CharacterTokenizer.train(text);
 * const ids = tokenizer.encode('to be'); // Int32Array of 5
 */
export class CharacterTokenizer {
  readonly vocabulary: Vocabulary;

  private constructor(
    private readonly characters: readonly string[],
    specials: SpecialTokens,
  ) {
    this.vocabulary = new Vocabulary(characters, specials);
  }

  /** The characters that occur in a text. */
  static train(text: string, { specials = {} }: { readonly specials?: SpecialTokens } = {}): CharacterTokenizer {
    const found = [...new Set(text)].map((c) => c.codePointAt(0)!).sort((a, b) => a - b);
    return new CharacterTokenizer(
      found.map((point) => String.fromCodePoint(point)),
      specials,
    );
  }

  /** @throws FormatError if the data is not what `toJSON` gave */
  static from(saved: unknown): CharacterTokenizer {
    const { characters, specials } = checkSaved<SavedCharacters>(saved, 'characters', ['characters']);
    return new CharacterTokenizer(characters, specials);
  }

  encode(text: string, options: EncodeOptions = {}): Int32Array {
    const ids = Array.from(text, (character) => this.vocabulary.idOf('CharacterTokenizer.encode', character));
    return framed('CharacterTokenizer.encode', this.vocabulary, ids, options);
  }

  decode(ids: ArrayLike<number>, { specials = false }: DecodeOptions = {}): string {
    const { vocabulary } = this;
    return Array.from(ids, (id) =>
      vocabulary.isSpecial('CharacterTokenizer.decode', id) && !specials ? '' : vocabulary.tokens[id]!,
    ).join('');
  }

  toJSON(): SavedCharacters {
    return { kind: 'characters', version: 1, specials: this.vocabulary.specials, characters: this.characters };
  }
}
