/** Activations of the reference vectors, by the functions of `@dl/layers`. */
import * as nn from '@dl/layers';
import type { Tensor } from '@dl/tensor';
import type { GoldenOp, GoldenOps } from './call';

const one =
  (apply: (x: Tensor) => Tensor): GoldenOp =>
  ({ x }) =>
    apply(x);

export const activationOps: GoldenOps = {
  relu: one(nn.relu),
  relu6: one(nn.relu6),
  sigmoid: one(nn.sigmoid),
  tanh: one(nn.tanh),
  leaky_relu: (call) => nn.leakyRelu(call.x, call.number('negative_slope')),
  prelu: (call) => nn.prelu(call.x, call.input('weight')),
  elu: (call) => nn.elu(call.x, call.number('alpha')),
  celu: (call) => nn.celu(call.x, call.number('alpha')),
  selu: one(nn.selu),
  gelu: (call) => nn.gelu(call.x, { approximate: call.text('approximate') as 'none' | 'tanh' }),
  silu: one(nn.silu),
  mish: one(nn.mish),
  softsign: one(nn.softsign),
  logsigmoid: one(nn.logSigmoid),
  tanhshrink: one(nn.tanhshrink),
  softplus: (call) => nn.softplus(call.x, { beta: call.number('beta'), threshold: call.number('threshold') }),
  hardtanh: (call) => nn.hardtanh(call.x, call.number('min_val'), call.number('max_val')),
  hardsigmoid: one(nn.hardsigmoid),
  hardswish: one(nn.hardswish),
  hardshrink: (call) => nn.hardshrink(call.x, call.number('lambd')),
  softshrink: (call) => nn.softshrink(call.x, call.number('lambd')),
  softmax: (call) => nn.softmax(call.x, call.number('dim')),
  log_softmax: (call) => nn.logSoftmax(call.x, call.number('dim')),
  glu: (call) => nn.glu(call.x, call.number('dim')),
};
