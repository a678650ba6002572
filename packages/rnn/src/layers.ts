/** The recurrent layers as modules. What they compute is in the formulas; here are constructors, states and results. */
import { type Tensor, ValueError } from '@dl/tensor';
import type { Formula } from './formula';
import { gruFormula, lstmFormula, type Nonlinearity, rnnFormula } from './formulas';
import { type HiddenResult, type MemoryResult, type MemoryState, memoryOf, memoryParts } from './functions';
import { type CallOptions, Recurrent, type RecurrentOptions } from './layer';
import type { SequenceResult } from './sequence';
import { coupledFormula, type Peephole, peepholeFormula, textbookGruFormula } from './variant-formulas';

export interface HiddenCall extends CallOptions {
  /** The initial state, `[L · D, N, H]`. Default zeros. */
  readonly state?: Tensor;
}

export interface MemoryCall extends CallOptions {
  /** The initial state: h `[L · D, N, P]` and c `[L · D, N, H]`. Default zeros. */
  readonly state?: MemoryState;
}

/** Layers whose state is h alone. */
abstract class HiddenLayer extends Recurrent {
  /**
   * @param x - `[T, N, I]`, `[N, T, I]` with `batchFirst`, or `[T, I]`
   * @returns all outputs, `[T, N, D · H]`, and the last state, `[L · D, N, H]`
   */
  forward(x: Tensor, options: HiddenCall = {}): HiddenResult {
    const { output, state } = this.trace(x, options);
    return { output, state: state[0]! };
  }

  override trace(x: Tensor, { state, ...options }: HiddenCall = {}): SequenceResult {
    return this.run(x, state ? [state] : null, options);
  }

  /** The state that `forward` starts from unless told otherwise. */
  zeroState(batchSize: number): Tensor {
    return this.zeros(batchSize)[0]!;
  }
}

/** Layers whose state is h and c. */
abstract class MemoryLayer extends Recurrent {
  /**
   * @param x - `[T, N, I]`, `[N, T, I]` with `batchFirst`, or `[T, I]`
   * @returns all outputs, `[T, N, D · P]`, and the last state
   */
  forward(x: Tensor, options: MemoryCall = {}): MemoryResult {
    const { output, state } = this.trace(x, options);
    return { output, state: memoryOf(state) };
  }

  override trace(x: Tensor, { state, ...options }: MemoryCall = {}): SequenceResult {
    return this.run(x, memoryParts(state), options);
  }

  /** The state that `forward` starts from unless told otherwise. */
  zeroState(batchSize: number): MemoryState {
    return memoryOf(this.zeros(batchSize));
  }
}

const specOf = (formula: Formula, inputSize: number, hiddenSize: number, options: RecurrentOptions) => ({
  ...options,
  formula,
  inputSize,
  hiddenSize,
});

export interface RnnOptions extends RecurrentOptions {
  /** Default `tanh`. */
  readonly nonlinearity?: Nonlinearity;
}

/**
 * A plain recurrent layer: h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or max(0, ·).
 *
 * @example
 * const { output, state } = new RNN(8, 16).forward(x); // x [T, N, 8], output [T, N, 16], state [1, N, 16]
 */
export class RNN extends HiddenLayer {
  constructor(inputSize: number, hiddenSize: number, { nonlinearity = 'tanh', ...options }: RnnOptions = {}) {
    super(specOf(rnnFormula(nonlinearity), inputSize, hiddenSize, options));
  }
}

/** Gated recurrent units: parameters `weight_ih_l0 [3 · H, I]`, `weight_hh_l0 [3 · H, H]`, …, rows r, z, n. */
export class GRU extends HiddenLayer {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super(specOf(gruFormula, inputSize, hiddenSize, options));
  }
}

export interface LstmOptions extends RecurrentOptions {
  /** P: features that h is projected to, fewer than `hiddenSize`. Default 0: none. */
  readonly projSize?: number;
}

/**
 * Long short-term memory: parameters `weight_ih_l0 [4 · H, I]`, `weight_hh_l0 [4 · H, H]`, …, rows i, f, g, o.
 *
 * @example
 * const lstm = new LSTM(128, 256, { numLayers: 2 });
 * const { output, state } = lstm.forward(x, { state: lstm.zeroState(32), lengths });
 */
export class LSTM extends MemoryLayer {
  constructor(inputSize: number, hiddenSize: number, { projSize = 0, ...options }: LstmOptions = {}) {
    if (projSize !== 0 && (!Number.isInteger(projSize) || projSize < 0 || projSize >= hiddenSize))
      throw new ValueError(
        `LSTM: projSize is ${projSize}, but must be 0 or a whole number below hiddenSize ${hiddenSize}.`,
      );
    const spec = specOf(lstmFormula, inputSize, hiddenSize, options);
    super(projSize === 0 ? spec : { ...spec, outputSize: projSize });
  }
}

export interface PeepholeOptions extends RecurrentOptions {
  /** How gates see c: through matrices, or each element its own. Default `diagonal`. */
  readonly peephole?: Peephole;
}

/**
 * An LSTM whose gates look at c: i and f at the one before, o at the new one.
 * Beside `weight_ih_l0`, `weight_hh_l0` (rows i, f, g, o) and `bias_l0` it has `weight_ch_l0`: rows i, f, o, `[3 · H]` or `[3 · H, H]`.
 */
export class PeepholeLSTM extends MemoryLayer {
  constructor(inputSize: number, hiddenSize: number, { peephole = 'diagonal', ...options }: PeepholeOptions = {}) {
    super(specOf(peepholeFormula(peephole), inputSize, hiddenSize, options));
  }
}

/** An LSTM that takes in as much as it forgets: i = 1 − f. Rows are f, g, o; one bias, `bias_l0`. */
export class CoupledLSTM extends MemoryLayer {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super(specOf(coupledFormula, inputSize, hiddenSize, options));
  }
}

/** A GRU whose reset gate acts before the matrix product, with h' = (1 − z)·h + z·n. Rows are r, z, n; one bias, `bias_l0`. */
export class TextbookGRU extends HiddenLayer {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super(specOf(textbookGruFormula, inputSize, hiddenSize, options));
  }
}
