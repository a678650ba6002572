/** Dropout of channels, and the one for SELU. */
import { grad } from '@dl/autograd';
import {
  compile,
  Generator,
  ones,
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
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { AlphaDropout, alphaDropout, channelDropout, Dropout1d, Dropout2d, Dropout3d } from './index';

beforeAll(() => setBackend(referenceBackend()));
beforeEach(() => setSeed(1));

test('whole channels are dropped, and the others scaled', async () => {
  const y = channelDropout(ones([50, 20, 3, 2]), 0.25);
  const planes = (await y.reshape([1000, 6]).array(2)) as number[][];
  const scaled = Math.fround(1 / 0.75);
  for (const plane of planes) expect([0, scaled]).toContain(plane[0]);
  for (const plane of planes) expect(plane).toEqual(Array(6).fill(plane[0]));
  const dropped = planes.filter((plane) => plane[0] === 0).length;
  expect(Math.abs(dropped / 1000 - 0.25)).toBeLessThan(0.07); // five sigmas
});

test('the gradient passes where the value did', async () => {
  const x = tensor([1, 2, 3, 4, 5, 6], [1, 3, 2], { requiresGrad: true });
  const y = channelDropout(x, 0.5, { generator: new Generator(3) });
  const [values, slopes] = [await y.array(3), await (grad(y.sum(), x) as Tensor).array(3)];
  expect(slopes[0]!.map(([s]) => s! > 0)).toEqual(values[0]!.map(([v]) => v! > 0));
});

test('evaluation and probabilities of 0 and 1', async () => {
  const x = randn([2, 3, 4, 4]);
  expect(new Dropout2d(0.5).eval().forward(x)).toBe(x);
  expect(channelDropout(x, 0)).toBe(x);
  expect(alphaDropout(x, 0)).toBe(x);
  expect(new AlphaDropout().eval().forward(x)).toBe(x);
  expect((await new Dropout2d(1).forward(x).data()).every((v) => v === 0)).toBe(true);
  expect(new Dropout1d().forward(zeros([2, 3, 4])).shape).toEqual([2, 3, 4]);
  expect(new Dropout3d().forward(zeros([0, 3, 4, 1, 1])).shape).toEqual([0, 3, 4, 1, 1]);
});

test('a compiled step draws anew at each call', async () => {
  const layer = new Dropout2d(0.5);
  const step = compile((x: Tensor) => layer.forward(x));
  const x = ones([4, 16, 1, 1]);
  const seen = new Set<string>();
  for (let i = 0; i < 3; i++) seen.add(String(await step(x).flatten().array()));
  expect(seen.size).toBe(3);
});

// Of 40,000 numbers; five sigmas.
test.each([0.1, 0.5])('alpha dropout keeps mean 0 and variance 1 (p = %d)', async (p) => {
  const values = [...(await alphaDropout(randn([40_000]), p).data())];
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
  expect(Math.abs(mean)).toBeLessThan(0.025);
  expect(Math.abs(variance - 1)).toBeLessThan(0.04);
});

test('messages', () => {
  expect(() => channelDropout(zeros([2]), 0.5)).toThrow(
    'channelDropout: x is [2], but data is [N, C, spatial…]. Add the axes.',
  );
  expect(() => channelDropout(zeros([2]), 0.5)).toThrow(ShapeError);
  expect(() => new Dropout2d(-0.1)).toThrow(ValueError);
  expect(() => alphaDropout(zeros([2]), Number.NaN)).toThrow('a probability is from 0 to 1, not NaN.');
});
