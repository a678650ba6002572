/** @dl/train: the training loop, metrics, callbacks, checkpoints, progress and logs. */
export { loadCheckpoint, type Parts, readCheckpoint, saveCheckpoint } from './checkpoint/file';
export { decodeCheckpoint, encodeCheckpoint } from './checkpoint/format';
export { Accuracy, type AccuracyOptions } from './metrics/accuracy';
export { ConfusionMatrix } from './metrics/confusion-matrix';
export { Mean } from './metrics/mean';
export { Metric, type MetricValue } from './metrics/metric';
export type { State, Stateful } from './stateful';
