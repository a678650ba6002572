/**
 * Byte-pair encoding over UTF-8 bytes. Text is cut into words with the space before them; within a word, the pair of
 * tokens that a merge made earliest in training is joined first. Any text can be encoded, for every byte is a token.
 *
 * @see Sennrich, Haddow & Birch 2016; Radford et al. 2019 for bytes and the cut into words
 */
import { ValueError } from '@dl/tensor';
import { learnMerges, type Merge, mergeIn, pairKey } from './merges';
import {
  checkSaved,
  type DecodeOptions,
  type EncodeOptions,
  framed,
  type SavedTokenizer,
  type SpecialTokens,
  Vocabulary,
} from './vocabulary';

export interface SavedBytePair extends SavedTokenizer {
  readonly kind: 'byte-pair';
  /** Pairs of symbols in the order in which they were joined: bytes are 0 to 255, merge i is 256 + i. */
  readonly merges: readonly Merge[];
}

export interface BytePairOptions {
  /** Bytes, merges and special tokens together; at least 256 and the special ones. */
  readonly vocabularySize: number;
  readonly specials?: SpecialTokens;
}

const BYTES = 256;
const word = /'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
const encoder = new TextEncoder();

/** A byte sequence as text for people: bytes that are no printable ASCII as <0xNN>. */
const nameOf = (bytes: readonly number[]): string =>
  bytes
    .map((b) =>
      b > 0x1f && b < 0x7f ? String.fromCharCode(b) : `<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`,
    )
    .join('');

/** The bytes of every symbol. */
function symbolBytes(merges: readonly Merge[]): number[][] {
  const bytes: number[][] = Array.from({ length: BYTES }, (_, b) => [b]);
  for (const [a, b] of merges) bytes.push([...bytes[a]!, ...bytes[b]!]);
  return bytes;
}

/**
 * Frequent sequences of bytes as tokens.
 *
 * @example
 * const tokenizer = BytePairTokenizer.train(text, { vocabularySize: 1024 });
 */
export class BytePairTokenizer {
  readonly vocabulary: Vocabulary;
  readonly #bytes: readonly (readonly number[])[];
  readonly #ranks = new Map<number, number>();
  /** Symbols of words already seen; text repeats its words. */
  readonly #known = new Map<string, readonly number[]>();

  private constructor(
    private readonly merges: readonly Merge[],
    specials: SpecialTokens,
  ) {
    this.#bytes = symbolBytes(merges);
    merges.forEach(([a, b], rank) => this.#ranks.set(pairKey(a, b), rank));
    // The number makes names unique: two symbols may have the same bytes.
    this.vocabulary = new Vocabulary(
      this.#bytes.map((bytes, i) => `${i}:${nameOf(bytes)}`),
      specials,
    );
  }

  /**
   * Learns merges: again and again the pair of neighbours that is most frequent becomes a token; pairs that are equally
   * frequent in the order of their symbols. Stops early when no pair occurs twice.
   *
   * @throws ValueError if the vocabulary is too small for all bytes
   */
  static train(text: string, { vocabularySize, specials = {} }: BytePairOptions): BytePairTokenizer {
    const count = vocabularySize - BYTES - Object.keys(specials).length;
    if (!Number.isInteger(count) || count < 0)
      throw new ValueError(
        `BytePairTokenizer.train: a vocabulary of ${vocabularySize} is too small: ${BYTES} bytes and ${Object.keys(specials).length} special tokens are always in it.`,
      );
    const counts = new Map<string, number>();
    for (const found of text.match(word) ?? []) counts.set(found, (counts.get(found) ?? 0) + 1);
    const words = [...counts].map(([found, n]) => ({ symbols: [...encoder.encode(found)], count: n }));
    return new BytePairTokenizer(learnMerges(words, count), specials);
  }

  /** @throws FormatError if the data is not what `toJSON` gave */
  static from(saved: unknown): BytePairTokenizer {
    const { merges, specials } = checkSaved<SavedBytePair>(saved, 'byte-pair', ['merges']);
    return new BytePairTokenizer(merges, specials);
  }

  encode(text: string, options: EncodeOptions = {}): Int32Array {
    const first = this.vocabulary.specialCount;
    const ids: number[] = [];
    for (const found of text.match(word) ?? []) for (const symbol of this.#symbolsOf(found)) ids.push(first + symbol);
    return framed('BytePairTokenizer.encode', this.vocabulary, ids, options);
  }

  #symbolsOf(found: string): readonly number[] {
    const known = this.#known.get(found);
    if (known) return known;
    let symbols: readonly number[] = [...encoder.encode(found)];
    for (;;) {
      let best = Number.POSITIVE_INFINITY;
      for (let i = 1; i < symbols.length; i++) {
        best = Math.min(best, this.#ranks.get(pairKey(symbols[i - 1]!, symbols[i]!)) ?? best);
      }
      if (best === Number.POSITIVE_INFINITY) break;
      symbols = mergeIn(symbols, this.merges[best]!, BYTES + best);
    }
    this.#known.set(found, symbols);
    return symbols;
  }

  /** Bytes that are no UTF-8, such as half a character, become U+FFFD. */
  decode(ids: ArrayLike<number>, { specials = false }: DecodeOptions = {}): string {
    const { vocabulary } = this;
    const bytes: number[] = [];
    for (const id of Array.from(ids)) {
      if (!vocabulary.isSpecial('BytePairTokenizer.decode', id))
        bytes.push(...this.#bytes[id - vocabulary.specialCount]!);
      else if (specials) bytes.push(...encoder.encode(vocabulary.tokens[id]!));
    }
    return new TextDecoder().decode(Uint8Array.from(bytes));
  }

  toJSON(): SavedBytePair {
    return { kind: 'byte-pair', version: 1, specials: this.vocabulary.specials, merges: this.merges };
  }
}
