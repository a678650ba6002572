/** @dl/attention: attention functions and layers, positions, Transformers, key/value cache, and generation. */
export {
  AdditiveAttention,
  type AdditiveOptions,
  type AdditiveWeights,
  type Attended,
  additiveAttention,
  lengthMask,
} from './additive';
export { type BeamOptions, type BeamStep, beamSearch, type Hypothesis } from './beam';
export { type CachePlace, type CacheShape, DecodingCache, type Heads, KeyValueCache } from './cache';
export type { ChoiceOptions } from './choose';
export {
  CachedDecoding,
  type CachedModel,
  type Decoding,
  type Tokens,
  type VocabularyOptions,
  WindowDecoding,
  type WindowModel,
  type WindowOptions,
} from './decoding';
export { type Activation, FeedForward, type FeedForwardOptions } from './feed-forward';
export { type GenerateOptions, generate, generateRows } from './generate';
export {
  type KeySource,
  MultiheadAttention,
  type MultiheadCall,
  type MultiheadOptions,
  type MultiheadResult,
} from './multihead';
export { NadarayaWatson, nadarayaWatson, type RegressionKernel, type RegressionOptions } from './nadaraya-watson';
export {
  LearnedPositions,
  type LearnedPositionsOptions,
  type PositionOptions,
  type SinusoidalOptions,
  SinusoidalPositions,
  sinusoidal,
} from './positions';
export { type RotaryOptions, rotary } from './rotary';
export { type AttentionOptions, scaledDotProductAttention } from './scaled-dot-product';
export {
  type Memory,
  type StackOptions,
  Transformer,
  type TransformerCall,
  TransformerDecoder,
  TransformerEncoder,
  type TransformerOptions,
} from './transformer';
export {
  type DecoderCall,
  type DecoderResult,
  type EncoderCall,
  TransformerDecoderLayer,
  TransformerEncoderLayer,
  type TransformerLayerOptions,
} from './transformer-layers';
export { attentionWeights, causalMask, maskedSoftmax, type WeightOptions } from './weights';
