import { setBackend, setSeed, type Tensor } from '@dl/tensor';
import { compareGolden, readGolden, referenceBackend } from '@dl/testing';
import { beforeEach, expect, test } from 'vitest';
import { orthogonal } from './index';

beforeEach(() => {
  setBackend(referenceBackend());
  setSeed(0);
});

/** x·xᵀ of the shorter axis. */
const gram = (x: Tensor): Tensor => {
  const flat = x.flatten(1);
  return flat.shape[0]! <= flat.shape[1]! ? flat.matmul(flat.transpose()) : flat.transpose().matmul(flat);
};

const cases = readGolden('init').filter(({ op }) => op === 'orthogonal');

test.each(cases.map((golden) => [golden.name, golden] as const))('%s', async (_, golden) => {
  const weight = orthogonal(golden.attrs['shape'] as number[], { gain: Number(golden.attrs['gain']) });
  expect(weight.shape).toEqual(golden.attrs['shape']);
  const got = gram(weight);
  const value = { shape: got.shape, dtype: got.dtype, data: Float64Array.from(await got.data()) };
  expect(compareGolden(value, golden.outputs['gram']!, { rtol: 1e-5, atol: 1e-5 })).toBeUndefined();
});

test.each([
  [1, 1],
  [5, 5],
  [37, 20],
  [20, 37],
  [64, 64],
])('%i × %i is orthogonal in f64', async (rows, columns) => {
  const got = gram(orthogonal([rows, columns], { dtype: 'f64' }));
  const n = got.shape[0]!;
  const data = await got.data('f64');
  for (let i = 0; i < n * n; i++) expect(Math.abs(data[i]! - (i % (n + 1) === 0 ? 1 : 0))).toBeLessThan(1e-12);
});

// A reflection too many or a sign left out would make the diagonal lean to one side.
test('every direction is equally likely: elements have mean 0, and so does the determinant of 2 × 2', async () => {
  let [sum, determinants] = [0, 0];
  for (let i = 0; i < 400; i++) {
    const [a, b, c, d] = (await orthogonal([2, 2]).data()) as unknown as [number, number, number, number];
    sum += a + b;
    determinants += a * d - b * c;
  }
  expect(Math.abs(sum / 800)).toBeLessThan(0.12);
  expect(Math.abs(determinants / 400)).toBeLessThan(0.25);
});

test('no rows, and messages', () => {
  expect(orthogonal([0, 3]).shape).toEqual([0, 3]);
  expect(() => orthogonal([4])).toThrow(
    'orthogonal: a matrix has at least two axes, but the shape is [4]. Use normal.',
  );
});
