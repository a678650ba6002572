/** The recurrences of this package by the names that the reference vectors have. */

import { concat, type Tensor } from '@dl/tensor';
import type { GoldenOps } from '@dl/testing';
import { gru, lstm, rnn } from '../src';
import type { Formula } from '../src/formula';
import type { Nonlinearity } from '../src/formulas';
import { gruFormula, lstmFormula, rnnFormula } from '../src/formulas';
import { runSequence } from '../src/sequence';
import { coupledFormula, type Peephole, peepholeFormula, textbookGruFormula } from '../src/variant-formulas';

type Call = Parameters<Exclude<GoldenOps[string], { readonly unserved: string }>>[0];

/** The weights under PyTorch's names. */
function weightsOf(c: Call): Record<string, Tensor> {
  const found: Record<string, Tensor> = {};
  for (let layer = 0; c.optional(`weight_ih_l${layer}`); layer++) {
    for (const direction of ['', '_reverse']) {
      for (const kind of ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh']) {
        const name = `${kind}_l${layer}${direction}`;
        const weight = c.optional(name);
        if (weight) found[name] = weight;
      }
    }
  }
  return found;
}

const options = (c: Call) => {
  const lengths = c.optional('lengths');
  return { batchFirst: c.flag('batch_first'), ...(lengths ? { lengths } : {}) };
};

const hiddenOptions = (c: Call) => {
  const state = c.optional('h0');
  return { ...options(c), ...(state ? { state } : {}) };
};

const memoryOptions = (c: Call) => {
  const [h, cell] = [c.optional('h0'), c.optional('c0')];
  return { ...options(c), ...(h && cell ? { state: { h, c: cell } } : {}) };
};

/** One step of a formula, which is what a cell's `forward` is; the layers' tests hold the cells to it. */
function cell(formula: Formula, c: Call): readonly Tensor[] {
  const names = ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh'].filter((name) => c.optional(name));
  const weights = Object.fromEntries(names.map((name) => [name, c.input(name)]));
  const state = [c.input('h0'), ...(c.optional('c0') ? [c.input('c0')] : [])];
  return formula.begin(c.x, weights, 1)(0, state).state;
}

/** Weights that act on `[h, x]`, or on `[c, h, x]`, taken apart: rows of the gates named, in order. */
function apart(c: Call, gates: readonly string[]) {
  const hidden = c.input('h0').shape[1]!;
  const input = c.x.shape[2]!;
  const part = (gate: string, fromEnd: number, width: number): Tensor => {
    const w = c.input(`w_${gate}`);
    return w.narrow(1, w.shape[1]! - fromEnd, width);
  };
  return {
    weight_ih: concat(gates.map((g) => part(g, input, input))),
    weight_hh: concat(gates.map((g) => part(g, input + hidden, hidden))),
    bias: concat(gates.map((g) => c.input(`b_${g}`))),
  };
}

function variant(formula: Formula, c: Call, weights: Record<string, Tensor>) {
  const state = [c.input('h0'), ...(c.optional('c0') ? [c.input('c0')] : [])].map((s) => s.unsqueeze(0));
  const run = runSequence(formula, [[weights]], c.x, state, {});
  const [hn, cn] = run.state.map((s) => s.squeeze(0));
  return { out: run.output, hn: hn!, ...(cn ? { cn } : {}) };
}

function peephole(c: Call) {
  const kind = c.text('peephole') as Peephole;
  const hidden = c.input('h0').shape[1]!;
  const seen = ['i', 'f', 'o'].map((g) =>
    kind === 'full' ? c.input(`w_${g}`).narrow(1, 0, hidden) : c.input(`p_${g}`),
  );
  return variant(peepholeFormula(kind), c, { ...apart(c, ['i', 'f', 'c', 'o']), weight_ch: concat(seen) });
}

export const rnnOps: GoldenOps = {
  rnn: (c) => {
    const nonlinearity = c.text('nonlinearity') as Nonlinearity;
    const { output, state } = rnn(c.x, weightsOf(c), { ...hiddenOptions(c), nonlinearity });
    return { out: output, hn: state };
  },
  lstm: (c) => {
    const { output, state } = lstm(c.x, weightsOf(c), memoryOptions(c));
    return { out: output, hn: state.h, cn: state.c };
  },
  gru: (c) => {
    const { output, state } = gru(c.x, weightsOf(c), hiddenOptions(c));
    return { out: output, hn: state };
  },
  rnn_cell: (c) => cell(rnnFormula(c.text('nonlinearity') as Nonlinearity), c)[0]!,
  lstm_cell: (c) => {
    const [h, next] = cell(lstmFormula, c);
    return { h: h!, c: next! };
  },
  gru_cell: (c) => cell(gruFormula, c)[0]!,
  lstm_peephole: peephole,
  lstm_coupled: (c) => variant(coupledFormula, c, apart(c, ['f', 'c', 'o'])),
  gru_reset_before: (c) => variant(textbookGruFormula, c, apart(c, ['r', 'z', 'h'])),
};
