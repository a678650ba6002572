/**
 * What a kind of recurrence is: the weights that one layer has in one direction, and how a step makes the next state from
 * the previous one. Layers, directions, lengths and checks are the same for all kinds and live in `run.ts`; this file
 * also has the few operations that formulas share, and with them the decisions that keep an unrolled sequence small:
 * rows of all steps lie in one matrix, and whatever is summed over time is summed once.
 */
import type { Shape, Tensor } from '@dl/tensor';

/** The state between two steps: h `[N, P]`, then c `[N, H]` where there is one. */
export type State = readonly Tensor[];

/** The weights of one layer in one direction under their names without the suffix `_l0_reverse`. */
export type DirectionWeights = Readonly<Record<string, Tensor>>;

/** The widths of one layer. */
export interface Widths {
  /** Features of the input. */
  readonly input: number;
  /** H: features of a gate. */
  readonly hidden: number;
  /** P: features of h. It is H unless h is projected. */
  readonly output: number;
}

/** What a step gives. */
export interface Stepped {
  readonly state: State;
  /** The gates' values by name, each `[N, H]`. */
  readonly gates: Readonly<Record<string, Tensor>>;
}

/** One step: from the state before to the state after time t. */
export type Step = (t: number, state: State) => Stepped;

/** A kind of recurrence. */
export interface Formula {
  /** For messages. */
  readonly name: string;
  /** Whether the state has c beside h. */
  readonly hasMemory: boolean;
  /** The gates' names, in the order of the weights' rows. */
  readonly gates: readonly string[];
  /** The shapes of the weights, in PyTorch's order. */
  shapes(widths: Widths, bias: boolean): Readonly<Record<string, Shape>>;
  /**
   * Computes what needs no state for all steps at once.
   *
   * @param x - `[T · N, I]`
   */
  begin(x: Tensor, weights: DirectionWeights, steps: number): Step;
}

/** a · wᵀ for a `[N, K]` and w `[M, K]`. */
export const timesTransposed = (a: Tensor, w: Tensor): Tensor =>
  a.dot(w, { lhsBatch: [], rhsBatch: [], lhsContract: [1], rhsContract: [1] });

/** The rows of time t of a matrix `[T · N, …]`. */
export function rowsAt(all: Tensor, t: number, steps: number): Tensor {
  const [rows, width] = all.dims(2);
  const n = rows / steps;
  return all.slice([t * n, 0], [n, width]);
}

/** The input's part of all steps' gates: x · wᵀ + biases, one matrix product. */
export function inputPart(x: Tensor, weight: Tensor, ...biases: readonly (Tensor | undefined)[]): Tensor {
  const present = biases.filter((b) => b !== undefined);
  const product = timesTransposed(x, weight);
  return present.length === 0 ? product : product.add(present.reduce((a, b) => a.add(b)));
}

/**
 * A vector for every row of every step: its gradient is then one sum over all rows, not a sum a step.
 *
 * @param vector - `[K]`
 * @param x - whatever has the rows, `[T · N, …]`
 */
export const forAllRows = (vector: Tensor, x: Tensor): Tensor => vector.expand([x.shape[0]!, vector.shape[0]!]);

/**
 * A weight as each step uses it. The views are recorded from the last step to the first, so that the weight's gradient is
 * added up in the order of time: that is the order in which the rows of the gates' gradients lie, and the sum of
 * products becomes one product over them without a second copy.
 */
export function atEachStep(weight: Tensor, steps: number): readonly Tensor[] {
  const views = new Array<Tensor>(steps);
  for (let t = steps; t-- > 0; ) views[t] = weight.reshape([1, ...weight.shape]).reshape(weight.shape);
  return views;
}

/** Gate pre-activations `[N, G · H]` as G parts of `[N, H]`. */
export const splitGates = (z: Tensor, count: number): Tensor[] => z.split(1, z.shape[1]! / count);
