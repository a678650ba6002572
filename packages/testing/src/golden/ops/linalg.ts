/** Contractions of the reference vectors, by the methods of `Tensor`. */
import { addmm, einsum, outer, trace } from '@dl/tensor';
import type { GoldenOps } from './call';

export const linalgOps: GoldenOps = {
  matmul: (call) => call.a.matmul(call.b),
  bmm: (call) => call.a.matmul(call.b),
  dot: (call) => call.a.matmul(call.b),
  mv: (call) => call.a.matmul(call.b),
  outer: (call) => outer(call.a, call.b),
  addmm: (call) => addmm(call.input('input'), call.a, call.b, { alpha: call.number('alpha'), beta: call.number('beta') }),
  einsum: (call) => einsum(call.text('equation'), ...call.numbered('x')),
  linear: (call) => {
    const out = call.x.matmul(call.input('weight').transpose());
    const bias = call.optional('bias');
    return bias ? out.add(bias) : out;
  },
  bilinear: (call) => {
    // out[n, o] = Σ_ij x1[n, i] · weight[o, i, j] · x2[n, j] + bias[o]
    const half = call.input('x1').dot(call.input('weight'), { lhsBatch: [], rhsBatch: [], lhsContract: [1], rhsContract: [1] });
    return half.matmul(call.input('x2').unsqueeze(-1)).squeeze(-1).add(call.input('bias'));
  },
  trace: (call) => trace(call.x),
};
