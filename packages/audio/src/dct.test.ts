import { checkGradients } from '@dl/autograd';
import { eye, rand, setBackend, setSeed, tensor, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, expect, it } from 'vitest';
import { dct, dctMatrix, idct } from './dct';

beforeAll(() => setBackend(referenceBackend()));

it('by hand: (1, 3) is √2 · (2, −1) turned, or twice the plain sums', async () => {
  const [a, b] = await dct(tensor([1, 3])).array(1);
  expect(a).toBeCloseTo(4 / Math.SQRT2, 6);
  expect(b).toBeCloseTo(-2 / Math.SQRT2, 6);
  const [c, d] = await dct(tensor([1, 3]), { norm: null }).array(1);
  expect(c).toBeCloseTo(8, 6);
  expect(d).toBeCloseTo(2 * (Math.cos(Math.PI / 4) + 3 * Math.cos((3 * Math.PI) / 4)), 6);
});

it.each(['ortho', null] as const)('idct undoes dct under norm %s', async (norm) => {
  setSeed(1);
  const x = rand([2, 3, 7], { dtype: 'f64' });
  const back = await idct(dct(x, { norm }), { norm }).data();
  for (const [i, value] of (await x.data()).entries()) expect(back[i]).toBeCloseTo(value, 12);
});

it('has an orthogonal matrix', async () => {
  const matrix = dctMatrix(6, 6, { dtype: 'f64' });
  const difference = matrix
    .matmul(matrix.transpose())
    .sub(eye(6, 6, 'f64'))
    .abs()
    .max();
  expect(await difference.item()).toBeLessThan(1e-14);
});

it('agrees with finite differences, twice', async () => {
  await checkGradients((x) => idct(dct(x).square()), [tensor([0.5, -1, 2])], { order: 2 });
});

it('says what does not fit', () => {
  expect(() => dct(zeros([]))).toThrow('dct: x is [], which has no values along its last axis.');
  expect(() => idct(zeros([3, 0]))).toThrow('idct: x is [3, 0]');
  expect(() => dct(zeros([3], 'i32'))).toThrow("dct: x is i32, but cosines are fractions. Use cast('f32').");
  expect(() => dct(zeros([3]), { norm: 'forward' as never })).toThrow("dct: norm 'forward' is not known.");
  expect(() => dctMatrix(3, 4)).toThrow('dctMatrix: 4 coefficients of 3 values. Give whole numbers, 1 ≤ k ≤ n.');
});
