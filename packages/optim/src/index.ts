/** @dl/optim: optimisers and learning-rate schedules. */
export { AdaDelta, type AdaDeltaOptions } from './adadelta';
export { AdaGrad, type AdaGradOptions } from './adagrad';
export { Adam, type AdamOptions, AdamW } from './adam';
export {
  Adamax,
  type AdamVariantOptions,
  Lion,
  type LionOptions,
  NAdam,
  type NAdamOptions,
  RAdam,
} from './adam-variants';
export { type ClipGradNormOptions, type ClipOptions, clipGradNorm, clipGradValue } from './clip';
export { GradScaler, type GradScalerOptions, type GradScalerState } from './grad-scaler';
export type { GroupSpec, Layout, Member, ParameterGroup, Parameters, Setting, Settings } from './group';
export { LBFGS, type LBFGSOptions, type LBFGSState } from './lbfgs';
export { type MinimizeOptions, Optimizer, type StepOptions } from './optimizer';
export * from './rates';
export { RMSProp, type RMSPropOptions } from './rmsprop';
export {
  Plateau,
  type PlateauOptions,
  type PlateauState,
  Schedule,
  type Scheduled,
  type ScheduleState,
} from './schedule';
export { SGD, type SGDOptions } from './sgd';
export type { OptimizerState } from './state';
export { WeightAverage, type WeightAverageOptions } from './weight-average';
