/** What a row of the evaluator's table is given. */
import type { DType, Op, OpAttributes, Shape } from '@dl/tensor';
import type { Value } from './value';

/** One node to evaluate. */
export interface Call<O extends Op> {
  readonly attrs: OpAttributes[O];
  readonly shape: Shape;
  readonly dtype: DType;
  readonly sources: readonly Value[];
  /** Argument `place` of the node: `recorded` where it belongs to the structure, else the run's number. */
  argument(place: number, recorded: number): number;
}

/** The meaning of a primitive: the elements of its result, row-major, rounded into its dtype. */
export type Row<O extends Op> = (call: Call<O>) => Float64Array;
