/** @dl/train: the training loop, metrics, callbacks, checkpoints, progress and logs. */
export type { Callback, RunControl } from './callback';
export { type EarlyStoppingOptions, earlyStopping } from './callbacks/early-stopping';
export { jsonLines } from './callbacks/json-lines';
export { type ProgressOptions, progress, type TextStream } from './callbacks/progress';
export { loadCheckpoint, type Parts, readCheckpoint, saveCheckpoint } from './checkpoint/file';
export { decodeCheckpoint, encodeCheckpoint } from './checkpoint/format';
export { fit } from './fit';
export { type InterruptSignal, interruptSignal } from './interrupt';
export { Accuracy, type AccuracyOptions } from './metrics/accuracy';
export { ConfusionMatrix, type ConfusionMatrixOptions } from './metrics/confusion-matrix';
export { Mean } from './metrics/mean';
export { Metric, type MetricValue } from './metrics/metric';
export { type NonFinite, NonFiniteError } from './non-finite';
export type { BatchSource, CheckpointOptions, FitOptimizer, FitOptions, FitSchedule } from './options';
export type { EpochReport, Figures, FitResult, FitStatus, StepReport } from './report';
export type { State, Stateful } from './stateful';
export type { Minimizer, MinimizerOptions, Prediction } from './steps';
