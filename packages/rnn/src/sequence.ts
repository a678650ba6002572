/**
 * What a recurrent layer accepts, and what its errors say: sequences `[T, N, I]` or `[N, T, I]` or one sequence `[T, I]`,
 * initial states, lengths. Everything is brought into the one form that `run.ts` takes, and back.
 */
import { ShapeError, sameShape, showShape, Tensor, tensor, ValueError } from '@dl/tensor';
import type { DirectionWeights, Formula, State } from './formula';
import { type DirectionTrace, runLayers, type Sequence } from './run';

/** How many steps each sequence has: numbers, or i32 `[N]`. */
export type Lengths = readonly number[] | Tensor;

export interface RunOptions {
  /** Whether the batch comes before time. Default false. */
  readonly batchFirst?: boolean;
  /** Probability of zeros between layers while training. Default 0. */
  readonly dropout?: number;
  /** Whether dropout drops. Default true. */
  readonly training?: boolean;
  /** Numbers are checked; of a tensor, 0 or less counts as an empty sequence and more than T as T. Default: all have T. */
  readonly lengths?: Lengths;
}

/** What a run over user's tensors gives. */
export interface SequenceResult {
  /** As the input, with D · P features. */
  readonly output: Tensor;
  /** h, and c where there is one: each `[L · D, N, …]`, without N for one sequence. */
  readonly state: State;
  readonly traces: readonly DirectionTrace[];
}

/** The weights of all layers and directions. */
export type LayerWeights = readonly (readonly DirectionWeights[])[];

/** @throws ShapeError for the input's or a state's shape; ValueError for empty sequences, lengths and probabilities */
export function runSequence(
  formula: Formula,
  weights: LayerWeights,
  x: Tensor,
  state: State | null,
  options: RunOptions,
): SequenceResult {
  const { batchFirst = false, dropout = 0, training = true } = options;
  const timeMajor = asTimeMajor(formula, weights, x, batchFirst);
  const isSingle = x.rank === 2;
  const [steps, batch, features] = timeMajor.dims(3);
  const initial = state === null ? null : checkState(formula, weights, state, isSingle ? null : batch);
  const lengths = options.lengths === undefined ? null : lengthsOf(formula, options.lengths, steps, batch);
  const sequence: Sequence = { rows: timeMajor.reshape([steps * batch, features]), steps, batch, lengths };
  const result = runLayers(formula, weights, sequence, initial, { dropout, training });
  const output = result.rows.reshape([steps, batch, result.rows.shape[1]!]);
  if (isSingle)
    return { output: output.squeeze(1), state: result.state.map((s) => s.squeeze(1)), traces: result.traces };
  return { output: batchFirst ? output.transpose(0, 1) : output, state: result.state, traces: result.traces };
}

function asTimeMajor({ name }: Formula, weights: LayerWeights, x: Tensor, batchFirst: boolean): Tensor {
  const features = weights[0]![0]!['weight_ih']!.shape[1]!;
  if ((x.rank !== 2 && x.rank !== 3) || x.shape.at(-1) !== features) {
    const order = batchFirst ? '[N, T, I]' : '[T, N, I]';
    throw new ShapeError(
      `${name}: the input is ${order} or [T, I] with ${features} features, but got ${showShape(x.shape)}. ` +
        'For ids, embed them first; for a batch before time, set batchFirst.',
    );
  }
  const timeMajor = x.rank === 2 ? x.unsqueeze(1) : batchFirst ? x.transpose(0, 1) : x;
  if (timeMajor.shape[0] === 0)
    throw new ValueError(`${name}: the sequence ${showShape(x.shape)} is empty. It needs at least one time step.`);
  return timeMajor;
}

/** The states as `[L · D, N, …]`. */
function checkState(formula: Formula, weights: LayerWeights, state: State, batch: number | null): State {
  const { weight_hh } = weights[0]![0]!;
  const widths = [
    ['h', weight_hh!.shape[1]!],
    ['c', weight_hh!.shape[0]! / formula.gates.length],
  ] as const;
  const places = weights.length * weights[0]!.length;
  return state.map((value, i) => {
    const [name, width] = widths[i]!;
    const expected = batch === null ? [places, width] : [places, batch, width];
    if (!sameShape(value.shape, expected)) {
      throw new ShapeError(
        `${formula.name}: the initial ${name} is ${showShape(value.shape)}, but must be ${showShape(expected)}: ` +
          `${weights.length} layers × ${weights[0]!.length} directions${batch === null ? '' : ', batch'}, features.`,
      );
    }
    return batch === null ? value.unsqueeze(1) : value;
  });
}

function lengthsOf({ name }: Formula, lengths: Lengths, steps: number, batch: number): Tensor {
  if (lengths instanceof Tensor) {
    if (!sameShape(lengths.shape, [batch]))
      throw new ShapeError(
        `${name}: lengths are ${showShape(lengths.shape)}, but must be [${batch}]: one for each sequence.`,
      );
    return lengths;
  }
  if (lengths.length !== batch)
    throw new ShapeError(`${name}: ${lengths.length} lengths for a batch of ${batch}. Give one for each sequence.`);
  const wrong = lengths.find((n) => !Number.isInteger(n) || n < 1 || n > steps);
  if (wrong !== undefined)
    throw new ValueError(
      `${name}: a length of ${wrong}, but each is a whole number from 1 to the ${steps} steps of the input.`,
    );
  return tensor(lengths, [batch], { dtype: 'i32' });
}
