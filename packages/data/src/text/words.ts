/** Words as tokens: the most frequent ones of a text. Spaces separate and are not kept; punctuation is a word of its own. */
import {
  checkSaved,
  type DecodeOptions,
  type EncodeOptions,
  framed,
  type SavedTokenizer,
  SPECIAL_TOKENS,
  type SpecialTokens,
  Vocabulary,
} from './vocabulary';

export interface SavedWords extends SavedTokenizer {
  readonly kind: 'words';
  readonly words: readonly string[];
  readonly lowercase: boolean;
}

export interface WordOptions {
  /** How many words, beside the special tokens. Default: all. */
  readonly maxWords?: number;
  /** How often a word must occur. Default 1. */
  readonly minCount?: number;
  /** Whether case is forgotten. Default false. */
  readonly lowercase?: boolean;
  /** Default {@link SPECIAL_TOKENS}: rare words are unknown. */
  readonly specials?: SpecialTokens;
}

/** Letters with marks, apostrophes and hyphens within; numbers; any other character alone. */
const word = /[\p{L}\p{M}]+(?:['’-][\p{L}\p{M}]+)*|\p{N}+(?:[.,]\p{N}+)*|[^\s\p{L}\p{M}\p{N}]/gu;

const split = (text: string, lowercase: boolean): string[] => (lowercase ? text.toLowerCase() : text).match(word) ?? [];

/**
 * One token a word or punctuation mark.
 *
 * @example
 * const tokenizer = WordTokenizer.train(text, { maxWords: 10_000, lowercase: true });
 */
export class WordTokenizer {
  readonly vocabulary: Vocabulary;

  private constructor(
    private readonly words: readonly string[],
    private readonly lowercase: boolean,
    specials: SpecialTokens,
  ) {
    this.vocabulary = new Vocabulary(words, specials);
  }

  /** The most frequent words, those that are equally frequent in the order of the alphabet. */
  static train(text: string, options: WordOptions = {}): WordTokenizer {
    const { maxWords = Number.POSITIVE_INFINITY, minCount = 1, lowercase = false, specials = SPECIAL_TOKENS } = options;
    const counts = new Map<string, number>();
    for (const found of split(text, lowercase)) counts.set(found, (counts.get(found) ?? 0) + 1);
    const frequent = [...counts].filter(([, count]) => count >= minCount);
    frequent.sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
    return new WordTokenizer(
      frequent.slice(0, maxWords).map(([found]) => found),
      lowercase,
      specials,
    );
  }

  /** @throws FormatError if the data is not what `toJSON` gave */
  static from(saved: unknown): WordTokenizer {
    const { words, lowercase, specials } = checkSaved<SavedWords>(saved, 'words', ['words']);
    return new WordTokenizer(words, lowercase, specials);
  }

  encode(text: string, options: EncodeOptions = {}): Int32Array {
    const ids = split(text, this.lowercase).map((found) => this.vocabulary.idOf('WordTokenizer.encode', found));
    return framed('WordTokenizer.encode', this.vocabulary, ids, options);
  }

  /** The words with spaces between them, none before closing punctuation. */
  decode(ids: ArrayLike<number>, { specials = false }: DecodeOptions = {}): string {
    const { vocabulary } = this;
    const kept = Array.from(ids).filter((id) => !vocabulary.isSpecial('WordTokenizer.decode', id) || specials);
    return kept
      .map((id) => vocabulary.tokens[id]!)
      .join(' ')
      .replace(/ ([.,;:!?)\]}%])/g, '$1')
      .replace(/([([{]) /g, '$1');
  }

  toJSON(): SavedWords {
    return {
      kind: 'words',
      version: 1,
      specials: this.vocabulary.specials,
      words: this.words,
      lowercase: this.lowercase,
    };
  }
}
