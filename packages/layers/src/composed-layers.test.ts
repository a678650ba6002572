/** Bilinear and depthwise separable layers, residual connections. Values of the former against PyTorch are in test/. */
import { checkGradients } from '@dl/autograd';
import { compile, randn, ShapeError, setBackend, setSeed, type Tensor, tensor, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  Bilinear,
  bilinear,
  Conv2d,
  convolve,
  DepthwiseSeparableConv2d,
  Identity,
  Linear,
  ReLU,
  Residual,
  Sequential,
} from './index';

beforeAll(() => setBackend(referenceBackend()));
beforeEach(() => setSeed(1));

describe('Bilinear', () => {
  test('a quadratic form an output, by hand', async () => {
    const weight = tensor([
      [
        [1, 0],
        [0, 1],
      ],
      [
        [0, 1],
        [0, 0],
      ],
    ]); // the dot product, and a₀ · b₁
    const [a, b] = [tensor([[1, 2]]), tensor([[3, 4]])];
    expect(await bilinear(a, b, weight, tensor([0.5, 0])).array()).toEqual([[11.5, 4]]);
    expect(await bilinear(a.squeeze(0), b.squeeze(0), weight).array()).toEqual([11, 4]);
  });

  test('parameters, any leading axes, nothing of nothing', async () => {
    const layer = new Bilinear(3, 4, 5);
    expect(Object.entries(layer.stateDict()).map(([key, value]) => [key, value.shape])).toEqual([
      ['weight', [5, 3, 4]],
      ['bias', [5]],
    ]);
    expect(layer.forward(zeros([2, 6, 3]), zeros([2, 6, 4])).shape).toEqual([2, 6, 5]);
    expect(await layer.forward(zeros([0, 3]), zeros([0, 4])).array()).toEqual([]);
    expect(new Bilinear(3, 4, 5, { bias: false }).parameters().length).toBe(1);
    for (const w of await layer.weight.data()) expect(Math.abs(w)).toBeLessThanOrEqual(1 / Math.sqrt(3));
  });

  test('second derivatives', async () => {
    const inputs = [randn([2, 2]), randn([2, 3]), randn([2, 2, 3]), randn([2])];
    await checkGradients((a, b, w, bias) => bilinear(a, b, w, bias), inputs, { order: 2, rtol: 1e-5 });
  });

  test('messages', () => {
    expect(() => bilinear(zeros([2, 3]), zeros([2, 3]), zeros([5, 3, 4]))).toThrow(
      'bilinear: the weight [5, 3, 4] takes [..., 3] and [..., 4], but x1 is [2, 3] and x2 [2, 3]. Give both the same leading axes.',
    );
    expect(() => bilinear(zeros([2, 3]), zeros([1, 4]), zeros([5, 3, 4]))).toThrow(ShapeError);
  });
});

describe('DepthwiseSeparableConv2d', () => {
  test('is one convolution of each channel, and then one of all', async () => {
    const layer = new DepthwiseSeparableConv2d(3, 4, 3, { padding: 1, stride: 2, depthMultiplier: 2 });
    const shapes = Object.entries(layer.stateDict()).map(([key, value]) => `${key} ${value.shape}`);
    expect(shapes).toEqual([
      'depthwise.weight 6,1,3,3',
      'depthwise.bias 6',
      'pointwise.weight 4,6,1,1',
      'pointwise.bias 4',
    ]);
    const x = randn([2, 3, 5, 5]);
    const middle = convolve(x, layer.depthwise.weight, layer.depthwise.bias, { padding: 1, stride: 2, groups: 3 });
    const wanted = convolve(middle, layer.pointwise.weight, layer.pointwise.bias);
    expect(await layer.forward(x).array()).toEqual(await wanted.array());
    expect(new DepthwiseSeparableConv2d(3, 4, 3, { bias: false }).parameters().length).toBe(2);
  });
});

describe('Residual', () => {
  test('adds what the body learned to what went in', async () => {
    const body = new Linear(2, 2);
    const block = new Residual(new Sequential(body, new ReLU()));
    expect(Object.keys(block.stateDict())).toEqual(['body.0.weight', 'body.0.bias']);
    body.weight.assign(
      tensor([
        [1, 0],
        [0, -1],
      ]),
    );
    body.bias!.assign(0);
    expect(await block.forward(tensor([[3, 5]])).array()).toEqual([[6, 5]]);
    const run = compile((x: Tensor) => block.forward(x));
    expect(await run(tensor([[3, 5]])).array()).toEqual([[6, 5]]);
  });

  test('a shortcut brings the input to another shape', () => {
    const block = new Residual(new Conv2d(3, 8, 3, { padding: 1, stride: 2 }), new Conv2d(3, 8, 1, { stride: 2 }));
    expect(block.forward(zeros([1, 3, 6, 6])).shape).toEqual([1, 8, 3, 3]);
    expect(Object.keys(block.stateDict())).toContain('shortcut.weight');
  });

  test('the identity gives its input', () => {
    const x = randn([2]);
    expect(new Identity().forward(x)).toBe(x);
  });

  test('messages', () => {
    expect(() => new Residual(new Linear(2, 3)).forward(zeros([1, 2]))).toThrow(
      'Residual: the body gives [1, 3] and the shortcut [1, 2] for x [1, 2]. Pass a shortcut that changes the shape alike.',
    );
  });
});
