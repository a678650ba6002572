import { checkGradients } from '@dl/autograd';
import { compile, randn, ShapeError, setBackend, setSeed, type Tensor, tensor, ValueError, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { type InterpolateOptions, interpolate, Upsample } from './index';

beforeAll(() => setBackend(referenceBackend()));
beforeEach(() => setSeed(1));

const row = (...data: number[]): Tensor => tensor(data, [1, 1, data.length]);
const flat = async (x: Tensor): Promise<number[]> => [...(await x.data())].map((v) => Math.round(v * 1e5) / 1e5);

test('nearest, by hand: whole factors repeat, others take ⌊o · step⌋', async () => {
  expect(await flat(interpolate(row(1, 2), { scaleFactor: 2 }))).toEqual([1, 1, 2, 2]);
  expect(await flat(interpolate(row(1, 2, 3), { size: 5 }))).toEqual([1, 1, 2, 2, 3]);
  expect(await flat(interpolate(row(1, 2, 3, 4), { size: 2 }))).toEqual([1, 3]);
  expect(await flat(interpolate(row(1, 2, 3), { scaleFactor: 1.5 }))).toEqual([1, 1, 2, 3]); // ⌊o / 1.5⌋
});

test('linear, by hand, between edges and between corners', async () => {
  expect(await flat(interpolate(row(0, 4), { size: 4, mode: 'linear' }))).toEqual([0, 1, 3, 4]);
  expect(await flat(interpolate(row(0, 4), { size: 5, mode: 'linear', alignCorners: true }))).toEqual([0, 1, 2, 3, 4]);
  expect(await flat(interpolate(row(3, 9, 12), { size: 1, mode: 'linear', alignCorners: true }))).toEqual([3]);
});

test('bicubic, by hand: half-way the weights are −3/32, 19/32, 19/32, −3/32; edges repeat', async () => {
  const x = row(32, 0, 64, 96).reshape([1, 1, 1, 4]);
  const y = await flat(interpolate(x, { size: [1, 7], mode: 'bicubic', alignCorners: true }));
  expect(y.slice(0, 4)).toEqual([32, -3 + 19 + 0 - 6, 0, -3 + 0 + 38 - 9]);
  const same = await flat(interpolate(x.mul(0).add(7), { size: [3, 9], mode: 'bicubic' }));
  expect(same).toEqual(Array(27).fill(7));
});

test('the same size is the same image, in any mode', async () => {
  const x = randn([1, 2, 3, 4]);
  for (const mode of ['nearest', 'bilinear', 'bicubic'] as const)
    expect(await flat(interpolate(x, { size: [3, 4], mode }))).toEqual(await flat(x));
});

test('the gradient is the transpose, in each mode', async () => {
  const cases: readonly (readonly [InterpolateOptions, number[]])[] = [
    [{ size: 5 }, [1, 2, 3]],
    [{ size: [3, 5], mode: 'bilinear' }, [1, 1, 2, 3]],
    [{ scaleFactor: [1.5, 0.5], mode: 'bicubic' }, [1, 1, 4, 4]],
    [{ size: [3, 2, 4], mode: 'trilinear', alignCorners: true }, [1, 1, 2, 3, 2]],
  ];
  for (const [options, shape] of cases)
    await checkGradients((x) => interpolate(x.square(), options), [randn(shape)], { order: 2, rtol: 1e-5 });
});

test('compiles, as a layer', async () => {
  const up = new Upsample({ scaleFactor: 2, mode: 'bilinear' });
  const run = compile((x: Tensor) => up.forward(x));
  const x = randn([2, 3, 4, 4]);
  for (let i = 0; i < 3; i++) expect(await flat(run(x))).toEqual(await flat(up.forward(x)));
});

test('a batch of none', async () => {
  expect(interpolate(zeros([0, 2, 3]), { size: 6, mode: 'linear' }).shape).toEqual([0, 2, 6]);
  expect(await interpolate(zeros([0, 2, 3]), { size: 6, mode: 'linear' }).array()).toEqual([]);
});

test('messages', () => {
  const x = zeros([1, 1, 4, 4]);
  expect(() => interpolate(x, {})).toThrow('interpolate: give either size or scaleFactor.');
  expect(() => interpolate(x, { size: 2, scaleFactor: 2 })).toThrow(ValueError);
  expect(() => interpolate(x, { size: 2, mode: 'linear' })).toThrow(
    "interpolate: mode 'linear' is for data of 3 axes, [N, C, spatial…], but x is [1, 1, 4, 4]. Choose the mode of its rank, or reshape it.",
  );
  expect(() => interpolate(x, { size: 2, mode: 'area' as never })).toThrow(
    "mode 'area' is not known. Use one of 'nearest'",
  );
  expect(() => interpolate(x, { size: 2, alignCorners: true })).toThrow(
    "alignCorners has no meaning for mode 'nearest'",
  );
  expect(() => interpolate(x, { size: [2] })).toThrow('size is [2], but x [1, 1, 4, 4] has 2 spatial axes');
  expect(() => interpolate(x, { size: [2, 0] })).toThrow(ShapeError);
  expect(() => interpolate(x, { scaleFactor: 0.1 })).toThrow('interpolate: an axis of 4 cannot become one of 0.');
});
