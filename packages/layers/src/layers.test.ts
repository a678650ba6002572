/** Layers: one case worked by hand each, gradients by differences, shapes at the edges, and messages. Values against PyTorch are in test/. */
import { checkGradients, grad } from '@dl/autograd';
import {
  compile,
  full,
  Generator,
  iota,
  ones,
  rand,
  randn,
  ShapeError,
  setBackend,
  setSeed,
  type Tensor,
  tensor,
  ValueError,
  zeros,
} from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  AvgPool1d,
  AvgPool2d,
  AvgPool3d,
  avgPool,
  Conv1d,
  Conv2d,
  Conv3d,
  ConvTranspose1d,
  ConvTranspose2d,
  ConvTranspose3d,
  convolve,
  convolveTransposed,
  Dropout,
  dropout,
  Flatten,
  Linear,
  linear,
  MaxPool2d,
  MaxPool3d,
  maxPool,
  type PaddingMode,
  Parameter,
} from './index';

beforeEach(() => {
  setBackend(referenceBackend());
  setSeed(1);
});

const counting = (...shape: number[]): Tensor => iota([shape.reduce((a, b) => a * b, 1)], 0, 'f32').reshape(shape);

describe('Linear', () => {
  test('x · weightᵀ + bias, by hand, for any number of leading axes', async () => {
    const [weight, bias] = [
      tensor([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
      tensor([0.5, 0, -1]),
    ];
    expect(
      await linear(
        tensor([
          [1, 1],
          [0, 2],
        ]),
        weight,
        bias,
      ).array(),
    ).toEqual([
      [3.5, 7, 10],
      [4.5, 8, 11],
    ]);
    expect(await linear(tensor([1, 1]), weight).array()).toEqual([3, 7, 11]);
    expect(linear(zeros([2, 3, 4, 2]), weight, bias).shape).toEqual([2, 3, 4, 3]);
    expect(await linear(zeros([0, 2]), weight, bias).array()).toEqual([]);
  });

  test('starts as PyTorch does: uniform in ±1/√fanIn, weight first', async () => {
    const layer = new Linear(400, 50);
    const values = await layer.weight.data();
    expect(Math.max(...values)).toBeLessThanOrEqual(0.05);
    expect(Math.min(...values)).toBeLessThan(-0.0495);
    expect(layer.bias!.shape).toEqual([50]);
    expect(new Linear(2, 2, { bias: false }).bias).toBeNull();
  });

  test('the same seed gives the same layer', async () => {
    setSeed(7);
    const first = await new Linear(3, 2).weight.array();
    setSeed(7);
    expect(await new Linear(3, 2).weight.array()).toEqual(first);
  });

  test('gradients agree with differences', async () => {
    await checkGradients(linear as (...x: Tensor[]) => Tensor, [randn([3, 4]), randn([2, 4]), randn([2])], {
      order: 2,
    });
  });

  test('says which sizes differ', () => {
    const layer = new Linear(784, 10);
    expect(() => layer.forward(zeros([8, 1, 28, 28]))).toThrow(ShapeError);
    expect(() => layer.forward(zeros([8, 1, 28, 28]))).toThrow(
      'linear: the weight [10, 784] takes 784 features, but x is [8, 1, 28, 28] (28 ≠ 784). Did you forget Flatten?',
    );
    expect(() => layer.forward(tensor(1))).toThrow('(no axis ≠ 784)');
  });
});

describe('convolution', () => {
  test('cross-correlates, by hand', async () => {
    const x = counting(1, 1, 3, 3);
    const weight = tensor([
      [
        [
          [1, 0],
          [0, -1],
        ],
      ],
    ]);
    expect(await convolve(x, weight, tensor([10])).array()).toEqual([
      [
        [
          [6, 6],
          [6, 6],
        ],
      ],
    ]);
  });

  test("'same' keeps the size, 'full' counts every overlap, pairs pad each side by itself", async () => {
    const [x, weight] = [ones([1, 1, 3]), ones([1, 1, 2])];
    expect(await convolve(x, weight, null, { padding: 'same' }).array()).toEqual([[[2, 2, 1]]]);
    expect(await convolve(x, weight, null, { padding: 'full' }).array()).toEqual([[[1, 2, 2, 1]]]);
    expect(await convolve(x, weight, null, { padding: [[1, 0]] }).array()).toEqual([[[1, 2, 2]]]);
    expect(await convolve(x, weight, null, { padding: 'valid' }).array()).toEqual([[[2, 2]]]);
  });

  test('paddingMode says what the padding is made of', async () => {
    const [x, weight] = [tensor([[[1, 2, 3, 4]]]), tensor([[[1, 10, 100]]])];
    const padded = (paddingMode: PaddingMode): Promise<unknown> =>
      convolve(x, weight, null, { padding: 1, paddingMode }).array();
    expect(await padded('zeros')).toEqual([[[210, 321, 432, 43]]]);
    expect(await padded('reflect')).toEqual([[[212, 321, 432, 343]]]);
    expect(await padded('replicate')).toEqual([[[211, 321, 432, 443]]]);
    expect(await padded('circular')).toEqual([[[214, 321, 432, 143]]]);
    const pair = { padding: [[0, 2]], paddingMode: 'circular' } as const;
    expect(await convolve(x, weight, null, pair).array()).toEqual([[[321, 432, 143, 214]]]);
  });

  test('a padding of the own elements is differentiated, and refused where it reaches over the data', async () => {
    for (const paddingMode of ['reflect', 'replicate', 'circular'] as const) {
      const f = (x: Tensor, w: Tensor): Tensor =>
        convolve(x, w, null, { padding: [1, 2], paddingMode, stride: [2, 1] });
      await checkGradients(f, [randn([1, 2, 3, 4]), randn([2, 2, 2, 2])], { order: 2 });
    }
    const conv = new Conv1d(1, 1, 3, { padding: 3, paddingMode: 'reflect' });
    expect(() => conv.forward(zeros([1, 1, 3]))).toThrow('reflect by 3 and 3 along axis 2 of [1, 1, 3]');
    expect(conv.forward(zeros([0, 1, 4])).shape).toEqual([0, 1, 8]);
    expect(() => new Conv1d(1, 1, 3, { paddingMode: 'mirror' as PaddingMode })).toThrow(
      "Conv1d: paddingMode 'mirror' is none of 'zeros', 'reflect', 'replicate', 'circular'.",
    );
  });

  test('takes data without a batch, and a batch of none', async () => {
    const conv = new Conv2d(2, 3, 3);
    expect(conv.forward(zeros([2, 5, 5])).shape).toEqual([3, 3, 3]);
    expect(await conv.forward(zeros([0, 2, 5, 5])).array()).toEqual([]);
  });

  test('parameters have PyTorch shapes; a bias can be left out', () => {
    expect(new Conv2d(4, 8, [3, 5], { groups: 2 }).weight.shape).toEqual([8, 2, 3, 5]);
    expect(new Conv1d(4, 8, 3, { bias: false }).bias).toBeNull();
    expect(new Conv3d(1, 2, 3).weight.shape).toEqual([2, 1, 3, 3, 3]);
    expect(new ConvTranspose2d(4, 6, 3, { groups: 2 }).weight.shape).toEqual([4, 3, 3, 3]);
    expect(new ConvTranspose2d(4, 6, 3, { stride: 2 }).forward(zeros([1, 4, 5, 5])).shape).toEqual([1, 6, 11, 11]);
  });

  test('the transposed convolution is the gradient of the convolution', async () => {
    const options = { stride: 2, padding: 1, groups: 2 };
    const x = randn([1, 4, 7, 7]);
    const parameter = new Parameter(x);
    const weight = randn([6, 2, 3, 3]);
    const y = convolve(parameter, weight, null, options);
    const cotangent = randn(y.shape);
    const expected = await (grad(y.mul(cotangent).sum(), parameter) as Tensor).data();
    const got = await convolveTransposed(cotangent, weight, null, options).data();
    expect([...got].every((v, i) => Math.abs(v - expected[i]!) < 1e-5)).toBe(true); // sums of 12 products of f32
  });

  test('the transposed one has one and three spatial axes too: each element lays its kernel down, by hand', async () => {
    const line = new ConvTranspose1d(1, 1, 3, { stride: 2, bias: false });
    line.weight.assign(tensor([1, 2, 3], [1, 1, 3]));
    expect(await line.forward(tensor([[[1, 10]]])).array()).toEqual([[[1, 2, 13, 20, 30]]]);
    const cube = new ConvTranspose3d(1, 2, [1, 1, 2]);
    cube.weight.assign(tensor([1, 10, 2, 20], [1, 2, 1, 1, 2]));
    cube.bias!.assign(tensor([0, 0.5]));
    expect(await cube.forward(tensor([3, 4], [1, 1, 2, 1, 1])).array()).toEqual([
      [
        [[[3, 30]], [[4, 40]]],
        [[[6.5, 60.5]], [[8.5, 80.5]]],
      ],
    ]);
  });

  test('gradients agree with differences', async () => {
    const f = (x: Tensor, w: Tensor, b: Tensor): Tensor =>
      convolve(x, w, b, { stride: [2, 1], padding: 'full', dilation: [1, 2] });
    await checkGradients(f, [randn([1, 2, 4, 4]), randn([2, 2, 2, 2]), randn([2])], { order: 2 });
    const g = (x: Tensor, w: Tensor): Tensor =>
      convolveTransposed(x, w, null, { stride: 2, padding: 1, outputPadding: 1 });
    await checkGradients(g, [randn([1, 2, 3]), randn([2, 2, 3])], { order: 2 });
  });

  test('messages name the operation, both values and the remedy', () => {
    const conv = new Conv2d(3, 8, 3);
    expect(() => conv.forward(zeros([1, 1, 8, 8]))).toThrow(
      'conv2d: x [1, 1, 8, 8] has 1 channels, but the weight takes 3 (1 ≠ 3).',
    );
    expect(() => conv.forward(zeros([8, 8]))).toThrow('conv2d: x is [8, 8], but data is [N, C, H, W], or without N.');
    expect(() => conv.forward(zeros([1, 3, 2, 2]))).toThrow(ShapeError);
    expect(() => new Conv2d(3, 8, 3, { groups: 2 })).toThrow(
      'Conv2d: 2 groups do not divide 3 input and 8 output channels.',
    );
    expect(() => new Conv2d(1, 1, 3, { padding: 'same', stride: 2 })).toThrow("padding 'same' needs stride 1");
    expect(() => new Conv2d(1, 1, 3, { padding: 'some' as never })).toThrow("padding 'some' is none of");
    expect(() => new Conv2d(1, 1, [3])).toThrow('Conv2d: kernelSize is [3], but there are 2 spatial axes.');
    expect(() => new Conv2d(1, 1, 3, { stride: 0 })).toThrow(ValueError);
    expect(() => new ConvTranspose2d(1, 1, 3, { outputPadding: 1 }).forward(zeros([1, 1, 4, 4]))).toThrow(
      'outputPadding [1, 1] is smaller than',
    );
  });
});

describe('pooling', () => {
  test('largest and mean of windows, by hand', async () => {
    const x = counting(1, 1, 4, 4);
    expect(await new MaxPool2d(2).forward(x).array()).toEqual([
      [
        [
          [5, 7],
          [13, 15],
        ],
      ],
    ]);
    expect(await new AvgPool2d(2).forward(x).array()).toEqual([
      [
        [
          [2.5, 4.5],
          [10.5, 12.5],
        ],
      ],
    ]);
    expect(await new MaxPool2d(3, { stride: 1 }).forward(x).array()).toEqual([
      [
        [
          [10, 11],
          [14, 15],
        ],
      ],
    ]);
  });

  test('windows of one and of three axes', async () => {
    expect(await new AvgPool1d(2).forward(counting(1, 1, 4)).array()).toEqual([[[0.5, 2.5]]]);
    expect(await new AvgPool1d(3, { stride: 1 }).forward(counting(1, 4)).array()).toEqual([[1, 2]]);
    const cube = counting(1, 1, 2, 2, 4);
    expect(await new AvgPool3d(2).forward(cube).array()).toEqual([[[[[6.5, 8.5]]]]]); // (0 + 1 + 4 + 5 + 8 + 9 + 12 + 13) / 8
    expect(await new MaxPool3d([1, 2, 2]).forward(cube).array()).toEqual([[[[[5, 7]], [[13, 15]]]]]);
    expect(new MaxPool3d(3, { stride: 2, padding: 1 }).forward(zeros([2, 5, 6, 7, 8])).shape).toEqual([2, 5, 3, 4, 4]);
  });

  test('padding is −∞ to a maximum; to a mean it is zeros that count, or do not', async () => {
    const x = full([1, 1, 2], -4);
    expect(await maxPool(x, 2, 1, { padding: 1 }).array()).toEqual([[[-4, -4]]]);
    expect(await avgPool(x, 2, 1, { padding: 1 }).array()).toEqual([[[-2, -2]]]);
    expect(await avgPool(x, 2, 1, { padding: 1, countIncludePad: false }).array()).toEqual([[[-4, -4]]]);
  });

  test('the first of equals takes the gradient of a maximum', async () => {
    const x = new Parameter(ones([1, 1, 4]));
    expect(await (grad(maxPool(x, 2, 1).sum(), x) as Tensor).array()).toEqual([[[1, 0, 1, 0]]]);
  });

  test('NaN and −∞ come through', async () => {
    const x = tensor([[[Number.NaN, 1, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]]]);
    expect(await maxPool(x, 2, 1).array()).toEqual([[[Number.NaN, Number.NEGATIVE_INFINITY]]]);
  });

  test('gradients agree with differences', async () => {
    const x = randn([1, 2, 5, 6]);
    await checkGradients((x) => maxPool(x, 3, 2, { stride: 2, padding: 1, ceilMode: true }), [x]);
    await checkGradients(
      (x) => avgPool(x, 3, 2, { stride: 2, padding: 1, ceilMode: true, countIncludePad: false }),
      [x],
      { order: 2 },
    );
  });

  test('messages', () => {
    expect(() => new MaxPool2d(2).forward(zeros([4]))).toThrow('maxPool2d: x is [4], but data has 4 axes');
    expect(() => new MaxPool2d(2, { padding: 2 }).forward(zeros([1, 1, 4, 4]))).toThrow(
      'padding [2, 2] is more than half of the window',
    );
    expect(() => avgPool(zeros([1, 1, 4]), 2, 1, { divisor: 0 })).toThrow('the divisor is 0');
    expect(() => new MaxPool2d(5).forward(zeros([1, 1, 3, 3]))).toThrow(ShapeError);
  });
});

test('Flatten joins all axes but the batch', () => {
  expect(new Flatten().forward(zeros([2, 3, 4])).shape).toEqual([2, 12]);
  expect(new Flatten(0).forward(zeros([2, 3, 4])).shape).toEqual([24]);
});

describe('dropout', () => {
  test('keeps a share of 1 − p, scaled so that the mean stays; gradients pass where values do', async () => {
    const x = new Parameter(ones([10000]));
    const y = dropout(x, 0.25);
    const [values, gradient] = [await y.data(), await (grad(y.sum(), x) as Tensor).data()];
    expect(new Set(values)).toEqual(new Set([0, Math.fround(1 / 0.75)]));
    expect(gradient).toEqual(values);
    const kept = values.filter((v) => v !== 0).length / 10000;
    expect(Math.abs(kept - 0.75)).toBeLessThan(5 * Math.sqrt((0.75 * 0.25) / 10000)); // five sigma
  });

  test('does nothing in evaluation mode or with p = 0, and everything with p = 1', async () => {
    const x = tensor([1, 2]);
    expect(new Dropout().eval().forward(x)).toBe(x);
    expect(dropout(x, 0)).toBe(x);
    expect(await dropout(x, 1).array()).toEqual([0, 0]);
  });

  test('draws anew at each call of a compiled function, and the same again from the same seed', async () => {
    const generator = new Generator(3);
    const layer = new Dropout(0.5, generator);
    const f = compile((x: Tensor) => layer.forward(x));
    const x = rand([64]);
    const [a, b] = [await f(x).array(), await f(x).array()];
    expect(a).not.toEqual(b);
    generator.setSeed(3);
    expect(await f(x).array()).toEqual(a);
    expect(await f(x).array()).toEqual(b);
  });

  test('refuses a probability out of range', () => {
    expect(() => new Dropout(1.5)).toThrow('dropout: a probability is from 0 to 1, not 1.5.');
    expect(() => dropout(tensor([1]), Number.NaN)).toThrow(ValueError);
  });
});
