/** @dl/tensor: tensors, the lazy graph, the scheduler, `compile`, variables, and the contract of backends. */
export { after } from './after';
export {
  type Backend,
  boundBytesOf,
  type Capabilities,
  checkRun,
  type Executable,
  type OwnExecutable,
  type Storage,
  type Timing,
} from './backend';
export { commitWhen } from './commit';
export { type CompileOptions, compile } from './compile';
export type { IndexPart, Range } from './compose/index-at';
export * from './creation';
export * from './dtype';
export * from './errors';
export { type FormatOptions, format, type Nested, type NestedAny } from './format';
export * from './functions';
export { gradEnabled, withGrad } from './graph/mode';
export * from './graph/node';
export { decodeHalf, encodeHalf } from './half';
export { HostBuffer } from './host-buffer';
export type { Bound, Expr } from './index/expression';
export type * from './kernel';
export { inOperation } from './operation-name';
export { type Profile, profile } from './profile';
export { defaultGenerator, Generator, setSeed } from './random';
export { memoryPlan, setMemoryPlan } from './run/memory-plan';
export { type RunOptions, realize } from './run/realize';
export { getBackend, setBackend } from './run/registry';
export { currentTrace, dependsOn, forbidInTrace, type Versioned } from './run/trace';
export { type ScheduleOptions, schedule } from './schedule';
export * from './schedule/program';
export * from './shape';
export {
  concat,
  type Dims,
  handleOf,
  type KeepDims,
  type RuntimeStart,
  stack,
  Tensor,
  type TensorLike,
  type VarianceOptions,
} from './tensor';
export { mapTree, type Tree } from './tree';
export { Variable, type VariableOptions } from './variable';
