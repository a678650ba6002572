/** @dl/layers: modules, layers, initialisers and losses. */
export * from './activation-layers';
export * from './activations';
export * from './adaptive-pooling';
export * from './alpha-dropout';
export * from './bilinear';
export * from './channel-dropout';
export * from './conv-layers';
export {
  type ConvolutionOptions,
  convolve,
  convolveTransposed,
  type Padding,
  type PaddingMode,
  type PerAxis,
  type TransposedOptions,
} from './convolution';
export * from './depthwise-separable';
export { Dropout, type DropoutOptions, dropout } from './dropout';
export * from './embedding';
export { Flatten, Unflatten } from './flatten';
export * from './global-pooling';
export { type AffineGridOptions, affineGrid, type GridSampleOptions, gridSample } from './grid-sample';
export * from './gumbel-softmax';
export * from './init';
export { orthogonal } from './init-orthogonal';
export { type TruncationOptions, truncatedNormal } from './init-truncated';
export * from './interpolate';
export { Linear, linear, type WeightOptions } from './linear';
export * from './losses/binary';
export { type CrossEntropyOptions, crossEntropy, type NllOptions, nll } from './losses/cross-entropy';
export { type CtcOptions, ctc, type Lengths } from './losses/ctc';
export {
  type CosineSimilarityOptions,
  cosineSimilarity,
  type PairwiseDistanceOptions,
  pairwiseDistance,
} from './losses/distance';
export * from './losses/divergence';
export * from './losses/embedding';
export * from './losses/focal';
export * from './losses/likelihood';
export * from './losses/margin';
export * from './losses/mining';
export type { Reduction, ReductionOptions } from './losses/reduction';
export * from './losses/regression';
export * from './losses/regularizers';
export * from './lp-pooling';
export { type ForwardHook, type Layer, Module } from './module';
export {
  BatchNorm1d,
  BatchNorm2d,
  BatchNorm3d,
  type BatchNormFunctionOptions,
  type BatchNormOptions,
  type BatchNormResult,
  batchNorm,
} from './norm/batch-norm';
export * from './norm/group-norm';
export * from './norm/instance-norm';
export * from './norm/layer-norm';
export * from './norm/local-response-norm';
export * from './norm/normalize';
export * from './pad-layers';
export { Parameter, type ParameterOptions } from './parameter';
export * from './pool-layers';
export {
  type AvgPoolOptions,
  avgPool,
  type MaxPoolOptions,
  maxPool,
  maxPoolIndices,
  type PoolOptions,
} from './pooling';
export * from './rearrange';
export * from './residual';
export { Sequential } from './sequential';
export { type LoadReport, type LoadStateOptions, type Misshapen, type StateDict, StateDictError } from './state-dict';
export type { Summary, SummaryRow } from './summary';
export * from './unpooling';
