/** What can be put into a checkpoint: whatever gives its state as plain data and tensors, and takes it back. */
import type { Tensor } from '@dl/tensor';

/** Plain data with tensors in it. */
export type State =
  | Tensor
  | null
  | undefined
  | boolean
  | number
  | string
  | readonly State[]
  | { readonly [key: string]: State };

/** Modules, optimisers, schedules, loaders, generators, metrics and callbacks are. */
export interface Stateful {
  /** Plain data and copies of tensors. */
  stateDict(): unknown;
  /** Puts back what `stateDict` gave. */
  loadStateDict(state: never): unknown;
}

export const isStateful = (x: unknown): x is Stateful =>
  typeof x === 'object' &&
  x !== null &&
  typeof (x as Stateful).stateDict === 'function' &&
  typeof (x as Stateful).loadStateDict === 'function';
