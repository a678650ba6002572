/** Text: tokenisers, windows for language models, and parallel text. */
export { type BytePairOptions, BytePairTokenizer, type SavedBytePair } from './byte-pair';
export { CharacterTokenizer, type SavedCharacters } from './characters';
export {
  type PaddedText,
  type ParallelBatch,
  ParallelLoader,
  type ParallelOptions,
  type ParallelState,
  padText,
  type TextPair,
} from './parallel';
export { loadTokenizer, type SavedTokenizers, saveTokenizer, type Tokenizer, tokenizerFrom } from './tokenizer';
export {
  type DecodeOptions,
  type EncodeOptions,
  SPECIAL_TOKENS,
  type SpecialRole,
  type SpecialTokens,
  Vocabulary,
} from './vocabulary';
export { type StreamOptions, type TextBatch, textStreams, textWindows, type WindowOptions } from './windows';
export { type SavedWords, type WordOptions, WordTokenizer } from './words';
