/**
 * Runs a recurrence over a sequence: layer by layer, in one or both directions, over sequences of equal or different
 * lengths. The loop over time is unrolled in the recorded graph; a compiled function records it once. What goes in and
 * out is time-major rows `[T · N, …]`, so that layers follow each other without moving anything.
 */
import { dropout } from '@dl/layers';
import { concat, stack, type Tensor, zeros } from '@dl/tensor';
import type { DirectionWeights, Formula, State, Step, Stepped } from './formula';

/** What one layer did in one direction. Lists are in the order of time. */
export interface DirectionTrace {
  readonly layer: number;
  readonly isReverse: boolean;
  /** h after each time, `[N, P]`: the very tensors that later ones were computed from. */
  readonly hidden: readonly Tensor[];
  /** The gates at each time, each `[N, H]`. */
  readonly gates: readonly Readonly<Record<string, Tensor>>[];
}

/** A sequence to run over. */
export interface Sequence {
  /** `[T · N, I]`, time-major. */
  readonly rows: Tensor;
  readonly steps: number;
  readonly batch: number;
  /** i32 `[N]`: how many steps each sequence has; null if all have T. */
  readonly lengths: Tensor | null;
}

export interface RunSettings {
  /** Probability of a zero between layers. */
  readonly dropout: number;
  readonly training: boolean;
}

export interface RunResult {
  /** `[T · N, D · P]` */
  readonly rows: Tensor;
  /** h, and c where there is one: each `[L · D, N, …]`. */
  readonly state: State;
  readonly traces: readonly DirectionTrace[];
}

interface Unrolled {
  readonly outputs: readonly Tensor[];
  readonly state: State;
  readonly stepped: readonly Stepped[];
}

/** Past its end a sequence keeps its state and gives zeros; backwards, its state waits for its last step. */
function unroll(step: Step, initial: State, { steps, lengths }: Sequence, isReverse: boolean): Unrolled {
  const outputs = new Array<Tensor>(steps);
  const stepped = new Array<Stepped>(steps);
  let state = initial;
  for (let k = 0; k < steps; k++) {
    const t = isReverse ? steps - 1 - k : k;
    const next = step(t, state);
    stepped[t] = next;
    if (lengths === null) {
      state = next.state;
      outputs[t] = state[0]!;
    } else {
      const isWithin = lengths.gt(t).unsqueeze(1); // [N, 1]
      outputs[t] = isWithin.where(next.state[0]!, 0);
      state = next.state.map((value, i) => isWithin.where(value, state[i]!));
    }
  }
  return { outputs, state, stepped };
}

/**
 * Runs all layers.
 *
 * @param weights - of each layer, of each of its directions
 * @param initial - h, and c where there is one: each `[L · D, N, …]`; null for zeros
 */
export function runLayers(
  formula: Formula,
  weights: readonly (readonly DirectionWeights[])[],
  sequence: Sequence,
  initial: State | null,
  settings: RunSettings,
): RunResult {
  const finals: State[] = [];
  const traces: DirectionTrace[] = [];
  let { rows } = sequence;
  weights.forEach((directions, layer) => {
    if (layer > 0) rows = dropout(rows, settings.dropout, { training: settings.training });
    const outputs = directions.map((w, direction) => {
      const before =
        initial?.map((s) => s.at(layer * directions.length + direction)) ?? zeroState(formula, w, sequence);
      const isReverse = direction === 1;
      const { outputs, state, stepped } = unroll(formula.begin(rows, w, sequence.steps), before, sequence, isReverse);
      finals.push(state);
      const trace = { hidden: stepped.map((s) => s.state[0]!), gates: stepped.map((s) => s.gates) };
      traces.push({ layer, isReverse, ...trace });
      return concat(outputs);
    });
    rows = outputs.length === 1 ? outputs[0]! : concat(outputs, 1);
  });
  const state = finals[0]!.map((_, i) => stack(finals.map((s) => s[i]!)));
  return { rows, state, traces };
}

function zeroState(formula: Formula, w: DirectionWeights, { batch, rows }: Sequence): State {
  const output = w['weight_hh']!.shape[1]!;
  const hidden = w['weight_hh']!.shape[0]! / formula.gates.length;
  const sizes = formula.hasMemory ? [output, hidden] : [output];
  return sizes.map((size) => zeros([batch, size], rows.dtype));
}
