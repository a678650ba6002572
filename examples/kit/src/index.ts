/** What the examples share: command lines, the frame of a run, texts and charts. Nothing of it is about learning. */
export { median, nameOf, parameterCount, rounded, secondsOf, stepMsMedian } from './figures';
export { type AttentionMap, heatMaps } from './heat-map';
export { type LineChart, lineCharts, type Series } from './line-charts';
export { lossCurve } from './loss-curve';
export {
  flag,
  notNegative,
  type Option,
  type OptionTable,
  oneOf,
  path,
  positive,
  seed,
  UsageError,
  type ValuesOf,
  whole,
} from './options';
export { encodePairs, type Pair, type PairBatch, PairLoader, type PairOptions } from './pairs';
export { type Example, type Outcome, runExample, type Settings } from './run-example';
export type { Session } from './session';
export { blue, document, escaped, faint, ink, orange, rule, text } from './svg';
export { loadText, type Text } from './text';
