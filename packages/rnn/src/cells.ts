/** Single steps as modules, for loops that one writes oneself. Their parameters have PyTorch's names. */
import { fanInUniform, Module, Parameter } from '@dl/layers';
import { type DType, ShapeError, sameShape, showShape, type Tensor, zeros } from '@dl/tensor';
import type { Formula, State } from './formula';
import { gruFormula, lstmFormula, type Nonlinearity, rnnFormula } from './formulas';
import { type MemoryState, memoryOf, memoryParts } from './functions';

export interface CellOptions {
  /** Default true. */
  readonly bias?: boolean;
  /** f32 (the default) or f64. */
  readonly dtype?: DType;
}

/** What the cells share. */
abstract class Cell extends Module {
  readonly weight_ih: Parameter;
  readonly weight_hh: Parameter;
  readonly bias_ih: Parameter | null;
  readonly bias_hh: Parameter | null;
  readonly #formula: Formula;

  constructor(
    formula: Formula,
    readonly inputSize: number,
    readonly hiddenSize: number,
    { bias = true, dtype = 'f32' }: CellOptions,
  ) {
    super();
    this.#formula = formula;
    const init = fanInUniform(hiddenSize);
    const shapes = formula.shapes({ input: inputSize, hidden: hiddenSize, output: hiddenSize }, bias);
    const create = (name: string): Parameter | null => {
      const shape = shapes[name];
      return shape ? new Parameter(init(shape, { dtype }), { name: `${formula.name}Cell.${name}` }) : null;
    };
    this.weight_ih = create('weight_ih')!;
    this.weight_hh = create('weight_hh')!;
    this.bias_ih = create('bias_ih');
    this.bias_hh = create('bias_hh');
  }

  protected step(x: Tensor, state: State | null): State {
    const { weight_ih, weight_hh, bias_ih, bias_hh } = this;
    const isSingle = x.rank === 1;
    const rows = isSingle ? x.unsqueeze(0) : x;
    this.#check(x, state);
    const sizes = this.#formula.hasMemory ? 2 : 1;
    const before = state ?? Array.from({ length: sizes }, () => zeros([rows.shape[0]!, this.hiddenSize], x.dtype));
    const weights = { weight_ih, weight_hh, ...(bias_ih && bias_hh ? { bias_ih, bias_hh } : {}) };
    const single = before.map((s) => (s.rank === 1 ? s.unsqueeze(0) : s));
    const { state: next } = this.#formula.begin(rows, weights, 1)(0, single);
    return isSingle ? next.map((s) => s.squeeze(0)) : next;
  }

  #check(x: Tensor, state: State | null): void {
    const { inputSize, hiddenSize } = this;
    const name = `${this.#formula.name}Cell`;
    if ((x.rank !== 1 && x.rank !== 2) || x.shape.at(-1) !== inputSize)
      throw new ShapeError(`${name}: the input is [N, ${inputSize}] or [${inputSize}], but got ${showShape(x.shape)}.`);
    const expected = [...x.shape.slice(0, -1), hiddenSize];
    for (const s of state ?? []) {
      if (!sameShape(s.shape, expected))
        throw new ShapeError(`${name}: a state is ${showShape(s.shape)}, but must be ${showShape(expected)}.`);
    }
  }
}

/** Cells whose state is h alone. */
abstract class HiddenCell extends Cell {
  /**
   * @param x - `[N, I]` or `[I]`
   * @param state - `[N, H]` or `[H]`; default zeros
   * @returns the next state
   */
  forward(x: Tensor, state?: Tensor): Tensor {
    return this.step(x, state ? [state] : null)[0]!;
  }
}

/** One step of {@link RNN}: parameters `weight_ih [H, I]`, `weight_hh [H, H]`, `bias_ih`, `bias_hh`. */
export class RNNCell extends HiddenCell {
  constructor(
    inputSize: number,
    hiddenSize: number,
    { nonlinearity = 'tanh', ...options }: CellOptions & { readonly nonlinearity?: Nonlinearity } = {},
  ) {
    super(rnnFormula(nonlinearity), inputSize, hiddenSize, options);
  }
}

/** One step of {@link GRU}: parameters `weight_ih [3 · H, I]`, `weight_hh [3 · H, H]`, `bias_ih`, `bias_hh`. */
export class GRUCell extends HiddenCell {
  constructor(inputSize: number, hiddenSize: number, options: CellOptions = {}) {
    super(gruFormula, inputSize, hiddenSize, options);
  }
}

/** One step of {@link LSTM}: parameters `weight_ih [4 · H, I]`, `weight_hh [4 · H, H]`, `bias_ih`, `bias_hh`. */
export class LSTMCell extends Cell {
  constructor(inputSize: number, hiddenSize: number, options: CellOptions = {}) {
    super(lstmFormula, inputSize, hiddenSize, options);
  }

  /**
   * @param x - `[N, I]` or `[I]`
   * @param state - h and c, each `[N, H]` or `[H]`; default zeros
   * @returns the next state
   */
  forward(x: Tensor, state?: MemoryState): MemoryState {
    return memoryOf(this.step(x, memoryParts(state)));
  }
}
