/** The recurrences that PyTorch has, with its names, its order of gates and its two biases: RNN, LSTM and GRU. */
import { relu } from '@dl/layers';
import type { Shape, Tensor } from '@dl/tensor';
import {
  atEachStep,
  type DirectionWeights,
  type Formula,
  forAllRows,
  inputPart,
  rowsAt,
  type Step,
  splitGates,
  timesTransposed,
  type Widths,
} from './formula';

/** What turns the pre-activation of a plain RNN into its state. */
export type Nonlinearity = 'tanh' | 'relu';

function shapesOf(gates: number, { input, hidden, output }: Widths, bias: boolean): Record<string, Shape> {
  const rows = gates * hidden;
  return {
    weight_ih: [rows, input],
    weight_hh: [rows, output],
    ...(bias ? { bias_ih: [rows], bias_hh: [rows] } : {}),
    ...(output === hidden ? {} : { weight_hr: [output, hidden] }),
  };
}

const weightOf = (w: DirectionWeights, name: string): Tensor => w[name]!;

/**
 * h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or max(0, ·)
 *
 * @see Elman 1990, "Finding structure in time"
 */
export function rnnFormula(nonlinearity: Nonlinearity): Formula {
  return {
    name: 'RNN',
    hasMemory: false,
    gates: ['h'],
    shapes: (widths, bias) => shapesOf(1, widths, bias),
    begin(x, w, steps): Step {
      const fromInput = inputPart(x, weightOf(w, 'weight_ih'), w['bias_ih'], w['bias_hh']);
      const hh = atEachStep(weightOf(w, 'weight_hh'), steps);
      return (t, [h]) => {
        const z = rowsAt(fromInput, t, steps).add(timesTransposed(h!, hh[t]!));
        const next = nonlinearity === 'tanh' ? z.tanh() : relu(z);
        return { state: [next], gates: { h: next } };
      };
    },
  };
}

/**
 * i, f, o = σ(W x + b + U h + b'), g = tanh(likewise), c' = f·c + i·g, h' = o·tanh(c'), or W_hr of that.
 *
 * @see Hochreiter & Schmidhuber 1997; Gers et al. 2000 (the forget gate); Sak et al. 2014 (the projection)
 */
export const lstmFormula: Formula = {
  name: 'LSTM',
  hasMemory: true,
  gates: ['i', 'f', 'g', 'o'],
  shapes: (widths, bias) => shapesOf(4, widths, bias),
  begin(x, w, steps): Step {
    const fromInput = inputPart(x, weightOf(w, 'weight_ih'), w['bias_ih'], w['bias_hh']);
    const hh = atEachStep(weightOf(w, 'weight_hh'), steps);
    const projection = w['weight_hr'] === undefined ? null : atEachStep(w['weight_hr'], steps);
    return (t, [h, c]) => {
      const z = rowsAt(fromInput, t, steps).add(timesTransposed(h!, hh[t]!));
      const [zi, zf, zg, zo] = splitGates(z, 4) as [Tensor, Tensor, Tensor, Tensor];
      const gates = { i: zi.sigmoid(), f: zf.sigmoid(), g: zg.tanh(), o: zo.sigmoid() };
      const nextC = gates.f.mul(c!).add(gates.i.mul(gates.g));
      const whole = gates.o.mul(nextC.tanh());
      const nextH = projection === null ? whole : timesTransposed(whole, projection[t]!);
      return { state: [nextH, nextC], gates };
    };
  },
};

/**
 * r, z = σ(W x + b + U h + b'), n = tanh(W_n x + b_n + r·(U_n h + b'_n)), h' = (1 − z)·n + z·h
 *
 * @see Cho et al. 2014; PyTorch applies the reset gate after the matrix product
 */
export const gruFormula: Formula = {
  name: 'GRU',
  hasMemory: false,
  gates: ['r', 'z', 'n'],
  shapes: (widths, bias) => shapesOf(3, widths, bias),
  begin(x, w, steps): Step {
    const fromInput = inputPart(x, weightOf(w, 'weight_ih'), w['bias_ih']);
    const hh = atEachStep(weightOf(w, 'weight_hh'), steps);
    const bias = w['bias_hh'] === undefined ? null : forAllRows(w['bias_hh'], x);
    return (t, [h]) => {
      const product = timesTransposed(h!, hh[t]!);
      const fromState = bias === null ? product : product.add(rowsAt(bias, t, steps));
      const [xr, xz, xn] = splitGates(rowsAt(fromInput, t, steps), 3) as [Tensor, Tensor, Tensor];
      const [hr, hz, hn] = splitGates(fromState, 3) as [Tensor, Tensor, Tensor];
      const gates = { r: xr.add(hr).sigmoid(), z: xz.add(hz).sigmoid() };
      const n = xn.add(gates.r.mul(hn)).tanh();
      return { state: [n.add(gates.z.mul(h!.sub(n)))], gates: { ...gates, n } };
    };
  },
};
