/**
 * Recurrences of the literature that PyTorch has not: LSTM with peepholes, LSTM with coupled gates, and the GRU as it was
 * first written. Each gate has one bias. Rows of the weights are in the order that `gates` says.
 */
import type { Shape, Tensor } from '@dl/tensor';
import {
  atEachStep,
  type Formula,
  forAllRows,
  inputPart,
  rowsAt,
  type Step,
  splitGates,
  timesTransposed,
  type Widths,
} from './formula';

/** How gates see c: through matrices, or each element its own. */
export type Peephole = 'full' | 'diagonal';

function shapesOf(gates: number, { input, hidden, output }: Widths, bias: boolean): Record<string, Shape> {
  const rows = gates * hidden;
  return { weight_ih: [rows, input], weight_hh: [rows, output], ...(bias ? { bias: [rows] } : {}) };
}

/** What the cell adds to the gates that look at it: i and f at the c before, o at the c after. */
interface Peeping {
  before(t: number, c: Tensor): readonly [i: Tensor, f: Tensor];
  after(t: number, c: Tensor): Tensor;
}

function peepingFull(weight: Tensor, steps: number): Peeping {
  const hidden = weight.shape[1]!;
  const inputForget = atEachStep(weight.slice([0, 0], [2 * hidden, hidden]), steps);
  const output = atEachStep(weight.slice([2 * hidden, 0], [hidden, hidden]), steps);
  return {
    before: (t, c) => splitGates(timesTransposed(c, inputForget[t]!), 2) as [Tensor, Tensor],
    after: (t, c) => timesTransposed(c, output[t]!),
  };
}

function peepingDiagonal(weight: Tensor, x: Tensor, steps: number): Peeping {
  const [i, f, o] = weight.split(0, weight.shape[0]! / 3).map((part) => forAllRows(part, x));
  return {
    before: (t, c) => [rowsAt(i!, t, steps).mul(c), rowsAt(f!, t, steps).mul(c)],
    after: (t, c) => rowsAt(o!, t, steps).mul(c),
  };
}

/**
 * i, f = σ(W x + U h + V c + b), g = tanh(W x + U h + b), c' = f·c + i·g, o = σ(W x + U h + V c' + b), h' = o·tanh(c').
 * V is a matrix a gate (`full`) or a vector (`diagonal`).
 *
 * @see Gers & Schmidhuber 2000, "Recurrent nets that time and count"
 */
export function peepholeFormula(peephole: Peephole): Formula {
  return {
    name: 'PeepholeLSTM',
    hasMemory: true,
    gates: ['i', 'f', 'g', 'o'],
    shapes: (widths, bias) => ({
      ...shapesOf(4, widths, bias),
      weight_ch: peephole === 'full' ? [3 * widths.hidden, widths.hidden] : [3 * widths.hidden],
    }),
    begin(x, w, steps): Step {
      const fromInput = inputPart(x, w['weight_ih']!, w['bias']);
      const hh = atEachStep(w['weight_hh']!, steps);
      const peeping =
        peephole === 'full' ? peepingFull(w['weight_ch']!, steps) : peepingDiagonal(w['weight_ch']!, x, steps);
      return (t, [h, c]) => {
        const z = rowsAt(fromInput, t, steps).add(timesTransposed(h!, hh[t]!));
        const [zi, zf, zg, zo] = splitGates(z, 4) as [Tensor, Tensor, Tensor, Tensor];
        const [seenByI, seenByF] = peeping.before(t, c!);
        const [i, f, g] = [zi.add(seenByI).sigmoid(), zf.add(seenByF).sigmoid(), zg.tanh()];
        const nextC = f.mul(c!).add(i.mul(g));
        const o = zo.add(peeping.after(t, nextC)).sigmoid();
        return { state: [o.mul(nextC.tanh()), nextC], gates: { i, f, g, o } };
      };
    },
  };
}

/**
 * f, o = σ(W x + U h + b), g = tanh(likewise), c' = f·c + (1 − f)·g, h' = o·tanh(c').
 *
 * @see Greff et al. 2017, "LSTM: a search space odyssey" (coupled input and forget gate)
 */
export const coupledFormula: Formula = {
  name: 'CoupledLSTM',
  hasMemory: true,
  gates: ['f', 'g', 'o'],
  shapes: (widths, bias) => shapesOf(3, widths, bias),
  begin(x, w, steps): Step {
    const fromInput = inputPart(x, w['weight_ih']!, w['bias']);
    const hh = atEachStep(w['weight_hh']!, steps);
    return (t, [h, c]) => {
      const z = rowsAt(fromInput, t, steps).add(timesTransposed(h!, hh[t]!));
      const [zf, zg, zo] = splitGates(z, 3) as [Tensor, Tensor, Tensor];
      const gates = { f: zf.sigmoid(), g: zg.tanh(), o: zo.sigmoid() };
      const nextC = gates.g.add(gates.f.mul(c!.sub(gates.g)));
      return { state: [gates.o.mul(nextC.tanh()), nextC], gates };
    };
  },
};

/**
 * r, z = σ(W x + U h + b), n = tanh(W_n x + U_n (r·h) + b_n), h' = (1 − z)·h + z·n: the reset gate acts before the matrix
 * product, and z is the share of what is new.
 *
 * @see Cho et al. 2014, eq. 5 to 8
 */
export const textbookGruFormula: Formula = {
  name: 'TextbookGRU',
  hasMemory: false,
  gates: ['r', 'z', 'n'],
  shapes: (widths, bias) => shapesOf(3, widths, bias),
  begin(x, w, steps): Step {
    const hidden = w['weight_hh']!.shape[1]!;
    const fromInput = inputPart(x, w['weight_ih']!, w['bias']);
    const gating = atEachStep(w['weight_hh']!.slice([0, 0], [2 * hidden, hidden]), steps);
    const candidate = atEachStep(w['weight_hh']!.slice([2 * hidden, 0], [hidden, hidden]), steps);
    return (t, [h]) => {
      const [xr, xz, xn] = splitGates(rowsAt(fromInput, t, steps), 3) as [Tensor, Tensor, Tensor];
      const [hr, hz] = splitGates(timesTransposed(h!, gating[t]!), 2) as [Tensor, Tensor];
      const gates = { r: xr.add(hr).sigmoid(), z: xz.add(hz).sigmoid() };
      const n = xn.add(timesTransposed(gates.r.mul(h!), candidate[t]!)).tanh();
      return { state: [h!.add(gates.z.mul(n.sub(h!)))], gates: { ...gates, n } };
    };
  },
};
