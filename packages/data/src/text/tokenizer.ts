/** Text to ids and back: what all tokenisers can do, and how they are saved and loaded. */
import { FormatError } from '@dl/tensor';
import { type ByteSource, nameOf, readBytes } from '../bytes';
import { nodeFiles } from '../node-files';
import { BytePairTokenizer, type SavedBytePair } from './byte-pair';
import { CharacterTokenizer, type SavedCharacters } from './characters';
import type { DecodeOptions, EncodeOptions, Vocabulary } from './vocabulary';
import { type SavedWords, WordTokenizer } from './words';

/** Text to ids and back. */
export interface Tokenizer {
  readonly vocabulary: Vocabulary;
  /** @throws ValueError for text that the vocabulary lacks, if it has no unknown token */
  encode(text: string, options?: EncodeOptions): Int32Array;
  /** @throws ValueError for an id outside the vocabulary */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string;
  /** Plain data, fit for JSON and for checkpoints. */
  toJSON(): SavedTokenizers;
}

/** What `toJSON` of the tokenisers gives. */
export type SavedTokenizers = SavedCharacters | SavedWords | SavedBytePair;

/**
 * The tokeniser that `toJSON` gave.
 *
 * @throws FormatError if the data is none
 */
export function tokenizerFrom(saved: unknown): CharacterTokenizer | WordTokenizer | BytePairTokenizer {
  switch ((saved as SavedTokenizers | null)?.kind) {
    case 'words':
      return WordTokenizer.from(saved);
    case 'byte-pair':
      return BytePairTokenizer.from(saved);
    default:
      return CharacterTokenizer.from(saved);
  }
}

/** Writes a tokeniser to a file, as JSON. */
export async function saveTokenizer(file: string, tokenizer: Tokenizer): Promise<void> {
  const { writeFile } = await nodeFiles(`saveTokenizer: ${file}`, 'Keep JSON.stringify(tokenizer) elsewhere');
  await writeFile(file, JSON.stringify(tokenizer));
}

/**
 * The tokeniser in a file that {@link saveTokenizer} wrote.
 *
 * @throws FormatError if the file holds none; ValueError if it cannot be read
 */
export async function loadTokenizer(source: ByteSource): Promise<ReturnType<typeof tokenizerFrom>> {
  const text = new TextDecoder().decode(await readBytes(source));
  let saved: unknown;
  try {
    saved = JSON.parse(text);
  } catch (cause) {
    throw new FormatError(`loadTokenizer: ${nameOf(source)} is no JSON. Save tokenisers with saveTokenizer.`, {
      cause,
    });
  }
  return tokenizerFrom(saved);
}
