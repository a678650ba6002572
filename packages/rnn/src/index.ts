/** @dl/rnn: recurrent layers, variable lengths, CTC decoding, and sampling from language models. */
export { type CellOptions, GRUCell, LSTMCell, RNNCell } from './cells';
export { type CtcBeamOptions, type CtcOptions, ctcBeamSearch, ctcGreedy } from './ctc';
export type { BeamOptions, Decoded } from './ctc-beam';
export type { Nonlinearity } from './formulas';
export {
  gru,
  type HiddenOptions,
  type HiddenResult,
  lstm,
  type MemoryOptions,
  type MemoryResult,
  type MemoryState,
  type RecurrentWeights,
  rnn,
} from './functions';
export { type GenerateOptions, generate, type LanguageModelStep } from './generate';
export { gradientNorms, type Inspected, type Inspection, inspect } from './inspect';
export { type CallOptions, Recurrent, type RecurrentOptions } from './layer';
export {
  CoupledLSTM,
  GRU,
  type HiddenCall,
  LSTM,
  type LstmOptions,
  type MemoryCall,
  PeepholeLSTM,
  type PeepholeOptions,
  RNN,
  type RnnOptions,
  TextbookGRU,
} from './layers';
export type { DirectionTrace } from './run';
export { type RandomNumbers, randomNumbers, type SampleOptions, sampleToken } from './sample';
export type { Lengths, RunOptions } from './sequence';
export type { Peephole } from './variant-formulas';
