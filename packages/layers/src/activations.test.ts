import { checkGradients, grad } from '@dl/autograd';
import { randn, setBackend, setSeed, type Tensor, tensor, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import * as l from './index';

beforeEach(() => {
  setBackend(referenceBackend());
  setSeed(2);
});

const functions: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  relu: l.relu,
  relu6: l.relu6,
  sigmoid: l.sigmoid,
  tanh: l.tanh,
  leakyRelu: l.leakyRelu,
  elu: l.elu,
  celu: (x) => l.celu(x, 1.5),
  selu: l.selu,
  gelu: l.gelu,
  'gelu tanh': (x) => l.gelu(x, { approximate: 'tanh' }),
  silu: l.silu,
  mish: l.mish,
  softplus: l.softplus,
  logSigmoid: l.logSigmoid,
  softsign: l.softsign,
  tanhshrink: l.tanhshrink,
  hardtanh: l.hardtanh,
  hardsigmoid: l.hardsigmoid,
  hardswish: l.hardswish,
  hardshrink: l.hardshrink,
  softshrink: l.softshrink,
  softmax: (x) => l.softmax(x, -1),
  logSoftmax: (x) => l.logSoftmax(x, -1),
  glu: l.glu,
};

describe.each(Object.entries(functions))('%s', (_, f) => {
  test('gradients agree with differences, first and second order', async () => {
    await checkGradients(f, [randn([2, 4]).mul(2)], { order: 2, rtol: 1e-5, atol: 1e-6 }); // differences of differences
  });

  test('is finite and has finite gradients far from 0', async () => {
    const x = new l.Parameter(tensor([[-1000, -90, 90, 1000]]));
    const y = f(x);
    const slopes = grad(y.sum(), x) as Tensor;
    expect([...(await y.data()), ...(await slopes.data())].every(Number.isFinite)).toBe(true);
  });

  test('takes no elements at all, and passes NaN on', async () => {
    expect(await f(zeros([0, 4])).array()).toEqual([]);
    expect((await f(tensor([[Number.NaN, Number.NaN]])).data()).every(Number.isNaN)).toBe(true);
  });
});

test('modules do what the functions do', async () => {
  const x = randn([2, 4]);
  const pairs: [l.Layer, Tensor][] = [
    [new l.ReLU(), l.relu(x)],
    [new l.ReLU6(), l.relu6(x)],
    [new l.Sigmoid(), l.sigmoid(x)],
    [new l.Tanh(), l.tanh(x)],
    [new l.LeakyReLU(0.2), l.leakyRelu(x, 0.2)],
    [new l.PReLU(), l.leakyRelu(x, 0.25)],
    [new l.PReLU(4, 0.5), l.leakyRelu(x, 0.5)],
    [new l.ELU(2), l.elu(x, 2)],
    [new l.CELU(2), l.celu(x, 2)],
    [new l.SELU(), l.selu(x)],
    [new l.GELU({ approximate: 'tanh' }), l.gelu(x, { approximate: 'tanh' })],
    [new l.SiLU(), l.silu(x)],
    [new l.Mish(), l.mish(x)],
    [new l.Softplus({ beta: 2 }), l.softplus(x, { beta: 2 })],
    [new l.LogSigmoid(), l.logSigmoid(x)],
    [new l.Softsign(), l.softsign(x)],
    [new l.Tanhshrink(), l.tanhshrink(x)],
    [new l.Hardtanh(0, 2), l.hardtanh(x, 0, 2)],
    [new l.Hardsigmoid(), l.hardsigmoid(x)],
    [new l.Hardswish(), l.hardswish(x)],
    [new l.Hardshrink(), l.hardshrink(x)],
    [new l.Softshrink(), l.softshrink(x)],
    [new l.GLU(0), l.glu(x, 0)],
    [new l.Softmax(0), l.softmax(x, 0)],
    [new l.LogSoftmax(), l.logSoftmax(x, -1)],
  ];
  for (const [layer, expected] of pairs)
    expect(await layer.forward(x).array(), layer.constructor.name).toEqual(await expected.array());
});

test('messages', () => {
  expect(() => l.glu(zeros([2, 3]))).toThrow('glu: axis -1 of [2, 3] has 3 elements. It needs an even number');
  expect(() => l.prelu(zeros([2, 3]), zeros([2]))).toThrow(
    'prelu: the weight [2] has 2 slopes, but x [2, 3] has 3 channels.',
  );
  expect(() => l.softplus(zeros([1]), { beta: 0 })).toThrow('softplus: beta is above 0, not 0.');
  expect(() => l.hardtanh(zeros([1]), 1, 0)).toThrow('hardtanh: low is 1 and high is 0.');
});
