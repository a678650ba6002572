/**
 * RNN, LSTM and GRU as functions of their weights, which come under PyTorch's names: `weight_ih_l0`, `bias_hh_l1_reverse`.
 * How many layers and directions there are, and whether there are biases and a projection, follows from the names.
 */
import { type Tensor, ValueError } from '@dl/tensor';
import type { DirectionWeights, Formula, State } from './formula';
import { gruFormula, lstmFormula, type Nonlinearity, rnnFormula } from './formulas';
import { type LayerWeights, type RunOptions, runSequence } from './sequence';

/** Weights under PyTorch's names. */
export type RecurrentWeights = Readonly<Record<string, Tensor>>;

/** The state of an LSTM. */
export interface MemoryState {
  /** `[L · D, N, P]` */
  readonly h: Tensor;
  /** `[L · D, N, H]` */
  readonly c: Tensor;
}

/** What a layer gives whose state is one tensor. */
export interface HiddenResult {
  /** `[T, N, D · H]`, or as the input is laid out. */
  readonly output: Tensor;
  /** `[L · D, N, H]`: after the last step of each sequence. */
  readonly state: Tensor;
}

/** What a layer gives whose state has a memory. */
export interface MemoryResult {
  /** `[T, N, D · P]`, or as the input is laid out. */
  readonly output: Tensor;
  /** After the last step of each sequence. */
  readonly state: MemoryState;
}

export interface HiddenOptions extends RunOptions {
  /** The initial state, `[L · D, N, H]`. Default zeros. */
  readonly state?: Tensor;
}

export interface MemoryOptions extends RunOptions {
  /** The initial state: h `[L · D, N, P]` and c `[L · D, N, H]`. Default zeros. */
  readonly state?: MemoryState;
}

const suffixOf = (layer: number, direction: number): string => `_l${layer}${direction === 1 ? '_reverse' : ''}`;

/** The weight's name for a layer and direction. */
export const weightName = (name: string, layer: number, direction: number): string => name + suffixOf(layer, direction);

function layersOf(operation: string, weights: RecurrentWeights): LayerWeights {
  const names = Object.keys(weights);
  const directionOf = (layer: number, direction: number): DirectionWeights => {
    const suffix = suffixOf(layer, direction);
    const own = names.filter((name) => name.endsWith(suffix));
    return Object.fromEntries(own.map((name) => [name.slice(0, -suffix.length), weights[name]!]));
  };
  const directions = names.some((name) => name.endsWith('_reverse')) ? [0, 1] : [0];
  const layers: DirectionWeights[][] = [];
  while (`weight_ih_l${layers.length}` in weights) layers.push(directions.map((d) => directionOf(layers.length, d)));
  const used = layers.flat().reduce((count, w) => count + Object.keys(w).length, 0);
  if (layers.length === 0 || used !== names.length)
    throw new ValueError(
      `${operation}: the weights ${names.join(', ')} are not those of whole layers. They are named weight_ih_l0, weight_hh_l0, bias_ih_l0, … as in PyTorch.`,
    );
  return layers;
}

const stateOf = (state: readonly Tensor[]): Tensor => state[0]!;

/** The state as the formula has it. */
export const memoryParts = (state: MemoryState | undefined): State | null => (state ? [state.h, state.c] : null);

/** The formula's state as a record. */
export const memoryOf = ([h, c]: State): MemoryState => ({ h: h!, c: c! });

function runHidden(formula: Formula, x: Tensor, weights: RecurrentWeights, options: HiddenOptions): HiddenResult {
  const layers = layersOf(formula.name, weights);
  const { output, state } = runSequence(formula, layers, x, options.state ? [options.state] : null, options);
  return { output, state: stateOf(state) };
}

/**
 * A plain recurrence: h' = tanh(W_ih x + b_ih + W_hh h + b_hh).
 *
 * @param x - `[T, N, I]`, `[N, T, I]` with `batchFirst`, or `[T, I]`
 * @param weights - `weight_ih_l0 [H, I]`, `weight_hh_l0 [H, H]`, …
 * @param options - `nonlinearity`: `tanh` (the default) or `relu`
 * @throws ShapeError, ValueError if input, state, lengths or weights do not fit
 */
export const rnn = (
  x: Tensor,
  weights: RecurrentWeights,
  options: HiddenOptions & { readonly nonlinearity?: Nonlinearity } = {},
): HiddenResult => runHidden(rnnFormula(options.nonlinearity ?? 'tanh'), x, weights, options);

/**
 * Gated recurrent units; rows of the weights are r, z, n.
 *
 * @param x - `[T, N, I]`, `[N, T, I]` with `batchFirst`, or `[T, I]`
 * @param weights - `weight_ih_l0 [3 · H, I]`, `weight_hh_l0 [3 · H, H]`, …
 * @throws ShapeError, ValueError if input, state, lengths or weights do not fit
 */
export const gru = (x: Tensor, weights: RecurrentWeights, options: HiddenOptions = {}): HiddenResult =>
  runHidden(gruFormula, x, weights, options);

/**
 * Long short-term memory; rows of the weights are i, f, g, o.
 *
 * @param x - `[T, N, I]`, `[N, T, I]` with `batchFirst`, or `[T, I]`
 * @param weights - `weight_ih_l0 [4 · H, I]`, `weight_hh_l0 [4 · H, P]`, …; with a projection `weight_hr_l0 [P, H]`
 * @throws ShapeError, ValueError if input, state, lengths or weights do not fit
 */
export function lstm(x: Tensor, weights: RecurrentWeights, options: MemoryOptions = {}): MemoryResult {
  const layers = layersOf(lstmFormula.name, weights);
  const { output, state } = runSequence(lstmFormula, layers, x, memoryParts(options.state), options);
  return { output, state: memoryOf(state) };
}
