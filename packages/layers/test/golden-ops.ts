/** The functions of this package by the names that the reference vectors have. */
import type { GoldenOps } from '@dl/testing';
import * as l from '../src';

type Call = Parameters<Exclude<GoldenOps[string], { readonly unserved: string }>>[0];

export const activationOps: GoldenOps = {
  relu: ({ x }) => l.relu(x),
  relu6: ({ x }) => l.relu6(x),
  sigmoid: ({ x }) => l.sigmoid(x),
  tanh: ({ x }) => l.tanh(x),
  leaky_relu: (c) => l.leakyRelu(c.x, c.number('negative_slope')),
  prelu: (c) => l.prelu(c.x, c.input('weight')),
  elu: (c) => l.elu(c.x, c.number('alpha')),
  celu: (c) => l.celu(c.x, c.number('alpha')),
  selu: ({ x }) => l.selu(x),
  gelu: (c) => l.gelu(c.x, { approximate: c.text('approximate') as 'none' | 'tanh' }),
  silu: ({ x }) => l.silu(x),
  mish: ({ x }) => l.mish(x),
  softsign: ({ x }) => l.softsign(x),
  logsigmoid: ({ x }) => l.logSigmoid(x),
  tanhshrink: ({ x }) => l.tanhshrink(x),
  softplus: (c) => l.softplus(c.x, { beta: c.number('beta'), threshold: c.number('threshold') }),
  hardtanh: (c) => l.hardtanh(c.x, c.number('min_val'), c.number('max_val')),
  hardsigmoid: ({ x }) => l.hardsigmoid(x),
  hardswish: ({ x }) => l.hardswish(x),
  hardshrink: (c) => l.hardshrink(c.x, c.number('lambd')),
  softshrink: (c) => l.softshrink(c.x, c.number('lambd')),
  softmax: (c) => l.softmax(c.x, c.number('dim')),
  log_softmax: (c) => l.logSoftmax(c.x, c.number('dim')),
  glu: (c) => l.glu(c.x, c.number('dim')),
};

function convolve(c: Call) {
  const padding = typeof c.raw('padding') === 'string' ? (c.text('padding') as l.Padding) : c.numbers('padding');
  const options = { stride: c.numbers('stride'), padding, dilation: c.numbers('dilation'), groups: c.number('groups') };
  return l.convolve(c.x, c.input('weight'), c.optional('bias') ?? null, options);
}

function convolveTransposed(c: Call) {
  const [stride, padding, dilation] = ['stride', 'padding', 'dilation'].map((name) => c.numbers(name)) as [
    number[],
    number[],
    number[],
  ];
  const options = { stride, padding, dilation, groups: c.number('groups'), outputPadding: c.numbers('output_padding') };
  return l.convolveTransposed(c.x, c.input('weight'), c.optional('bias') ?? null, options);
}

export const convolutionOps: GoldenOps = {
  conv1d: convolve,
  conv2d: convolve,
  conv3d: convolve,
  conv_transpose1d: convolveTransposed,
  conv_transpose2d: convolveTransposed,
  conv_transpose3d: convolveTransposed,
};

const pooled = (c: Call) => ({
  stride: c.numbers('stride'),
  padding: c.has('padding') ? c.numbers('padding') : 0,
  ceilMode: c.flag('ceil_mode'),
});

const maxPool = (rank: number) => (c: Call) => {
  const options = { ...pooled(c), dilation: c.numbers('dilation') };
  if (!c.flag('return_indices')) return l.maxPool(c.x, c.numbers('kernel_size'), rank, options);
  const { values, indices } = l.maxPoolIndices(c.x, c.numbers('kernel_size'), rank, options);
  return { out: values, indices };
};

const avgPool = (rank: number) => (c: Call) => {
  const divisor = c.has('divisor_override') ? { divisor: c.number('divisor_override') } : {};
  const options = { ...pooled(c), countIncludePad: c.flag('count_include_pad'), ...divisor };
  return l.avgPool(c.x, c.numbers('kernel_size'), rank, options);
};

export const poolingOps: GoldenOps = {
  max_pool1d: maxPool(1),
  max_pool2d: maxPool(2),
  max_pool3d: maxPool(3),
  avg_pool1d: avgPool(1),
  avg_pool2d: avgPool(2),
  avg_pool3d: avgPool(3),
};

const reduction = (c: Call) => ({ reduction: (c.has('reduction') ? c.text('reduction') : 'mean') as l.Reduction });
const pair = (c: Call) => [c.input('input'), c.input('target')] as const;
const weighted = (c: Call) => {
  const [weight, posWeight] = [c.optional('weight'), c.optional('pos_weight')];
  return { ...(weight ? { weight } : {}), ...(posWeight ? { posWeight } : {}) };
};
const classes = (c: Call) => ({
  ...reduction(c),
  ...weighted(c),
  ...(c.has('ignore_index') ? { ignoreIndex: c.number('ignore_index') } : {}),
});

export const lossOps: GoldenOps = {
  mse_loss: (c) => l.mse(...pair(c), reduction(c)),
  l1_loss: (c) => l.l1(...pair(c), reduction(c)),
  smooth_l1_loss: (c) => l.smoothL1(...pair(c), { ...reduction(c), beta: c.number('beta') }),
  huber_loss: (c) => l.huber(...pair(c), { ...reduction(c), delta: c.number('delta') }),
  cross_entropy: (c) => l.crossEntropy(...pair(c), { ...classes(c), labelSmoothing: c.number('label_smoothing') }),
  nll_loss: (c) => l.nll(...pair(c), classes(c)),
  binary_cross_entropy: (c) => l.binaryCrossEntropy(...pair(c), { ...reduction(c), ...weighted(c) }),
  binary_cross_entropy_with_logits: (c) =>
    l.binaryCrossEntropyWithLogits(...pair(c), { ...reduction(c), ...weighted(c) }),
};
