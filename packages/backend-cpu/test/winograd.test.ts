/* Convolutions by tiles: the tables, the errors, and what is not finite. */
import { type Backend, compile, setBackend, type Tensor, tensor } from '@dl/tensor';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCpu } from '../src/backend';
import { type Transform, tile2, tile4 } from '../src/kernels/contraction/winograd/transforms';
import { range, slide, wave } from './convolutions';

let backend: Backend;
beforeAll(async () => {
  backend = await createCpu({ threads: 1 });
  setBackend(backend);
});
afterAll(() => backend.dispose());

function applied({ sums, results }: Transform, inputs: readonly number[]): number[] {
  const values = [...inputs];
  for (const sum of sums) values.push(sum.reduce((total, [value, factor]) => total + values[value]! * factor, 0));
  return results.map((value) => values[value]!);
}

const unit = (n: number, at: number) => range(n).map((i) => Number(i === at));

test.each([tile2, tile4])(
  'a filter of three elements, by the tables, is the plain sum, for every pair of unit vectors',
  (tile) => {
    for (const tap of range(3)) {
      for (const at of range(tile.reach)) {
        const filter = applied(tile.filter, unit(3, tap));
        const image = applied(tile.image, unit(tile.reach, at));
        const outputs = applied(
          tile.output,
          filter.map((g, i) => g * image[i]!),
        );
        const wanted = range(tile.size).map((i) => Number(i + tap === at));
        for (const i of range(tile.size)) expect(outputs[i]).toBeCloseTo(wanted[i]!, 14);
      }
    }
  },
);

interface Shape {
  readonly images: number;
  readonly channels: number;
  readonly filters: number;
  readonly height: number;
  readonly width: number;
  readonly padding: number;
}

const imageOf = ({ images, channels, height, width }: Shape) => wave(images * channels * height * width, 0.7);
const filtersOf = ({ channels, filters }: Shape) => wave(filters * channels * 9, 1.3);

function convolved(s: Shape, image: Float32Array, filters: Float32Array): Tensor {
  const x = tensor(image, [s.images, s.channels, s.height, s.width]);
  return x.convolution(tensor(filters, [s.filters, s.channels, 3, 3]), slide(s.padding));
}

/** Plain sums in f64, and the sums of what is added without its sign. */
function plain(s: Shape, image: Float32Array, filters: Float32Array): { sums: Float64Array; sizes: Float64Array } {
  const { images, channels, height, width, padding } = s;
  const [h, w] = [height + 2 * padding - 2, width + 2 * padding - 2];
  const sums = new Float64Array(images * s.filters * h * w);
  const sizes = new Float64Array(sums.length);
  let at = 0;
  for (const n of range(images))
    for (const o of range(s.filters))
      for (const y of range(h))
        for (const x of range(w)) {
          for (const c of range(channels))
            for (let tap = 0; tap < 9; tap++) {
              const [row, column] = [y + Math.floor(tap / 3) - padding, x + (tap % 3) - padding];
              if (row < 0 || row >= height || column < 0 || column >= width) continue;
              const term =
                image[((n * channels + c) * height + row) * width + column]! * filters[(o * channels + c) * 9 + tap]!;
              sums[at]! += term;
              sizes[at]! += Math.abs(term);
            }
          at++;
        }
  return { sums, sizes };
}

const shapes: Record<string, Shape> = {
  'one image, whole tiles': { images: 1, channels: 16, filters: 16, height: 8, width: 12, padding: 1 },
  'ragged rows, columns, channels and filters': {
    ...{ images: 2, channels: 18, filters: 21, height: 15, width: 17, padding: 1 },
  },
  'no padding': { images: 1, channels: 17, filters: 20, height: 13, width: 14, padding: 0 },
  'wide padding': { images: 1, channels: 16, filters: 16, height: 10, width: 9, padding: 2 },
  'several small images a block, the last block smaller': {
    ...{ images: 15, channels: 16, filters: 17, height: 7, width: 7, padding: 1 },
  },
  'several blocks an image': { images: 2, channels: 40, filters: 16, height: 40, width: 31, padding: 1 },
  'one small image': { images: 1, channels: 18, filters: 21, height: 7, width: 7, padding: 1 },
  'channels in two blocks of depth': { images: 1, channels: 261, filters: 16, height: 7, width: 8, padding: 1 },
};

describe.each(Object.entries(shapes))('%s', (_, s) => {
  test('errors are 2e-6 of the sum of what is added at most, 1e-7 in the mean', async () => {
    const [image, filters] = [imageOf(s), filtersOf(s)];
    const got = await convolved(s, image, filters).data();
    const { sums, sizes } = plain(s, image, filters);
    expect(got.length).toBe(sums.length);
    let [most, total] = [0, 0];
    sums.forEach((sum, i) => {
      const error = Math.abs((got[i] as number) - sum) / sizes[i]!;
      most = Math.max(most, error);
      total += error;
    });
    expect(most).toBeLessThan(2e-6);
    expect(total / sums.length).toBeLessThan(1e-7);
    expect(total).toBeGreaterThan(0);
  });

  test('what is not finite, or overflows in a transform, reaches the outputs that see it, with the value of a plain sum', async () => {
    const image = imageOf(s);
    const filters = filtersOf(s);
    const plane = s.height * s.width;
    image[3 * plane + 2 * s.width + 4] = Number.POSITIVE_INFINITY;
    image[5 * plane + 5 * s.width + 1] = Number.NaN;
    image[7 * plane + 4 * s.width + 6] = 2e38;
    filters.fill(0.5, 7 * 9, 8 * 9);
    const got = await convolved(s, image, filters).data();
    const { sums, sizes } = plain(s, image, filters);
    let finite = 0;
    sums.forEach((sum, i) => {
      const wanted = Math.fround(sum);
      if (Number.isFinite(wanted)) {
        finite++;
        expect(Math.abs((got[i] as number) - sum)).toBeLessThanOrEqual(2e-6 * sizes[i]!);
      } else expect(got[i]).toBe(wanted);
    });
    expect(finite).toBeLessThan(sums.length);
    expect(finite).toBeGreaterThan(sums.length / 4);
  });
});

test.each([8, 16])('one element of an image of %i rows and columns shows the filter, turned', async (side) => {
  const s: Shape = { images: 1, channels: 16, filters: 16, height: side, width: side, padding: 1 };
  const place = (plane: number, row: number, column: number) => (plane * side + row) * side + column;
  const image = new Float32Array(16 * side * side);
  image[place(2, 3, 4)] = 2; // channel 2, row 3, column 4
  const filters = new Float32Array(16 * 16 * 9);
  filters.set([1, 2, 3, 4, 5, 6, 7, 8, 9], (11 * 16 + 2) * 9); // of filter 11
  const got = (await convolved(s, image, filters).data()) as Float32Array;
  const wanted = new Float32Array(16 * side * side);
  for (const row of [0, 1, 2])
    for (const column of [0, 1, 2]) wanted[place(11, 4 - row, 5 - column)] = 2 * (3 * row + column + 1);
  wanted.forEach((value, i) => expect(Math.abs(got[i]! - value)).toBeLessThan(1e-5));
  expect(Math.round(got[place(11, 2, 3)]!)).toBe(18);
});

test('a bias, a residual and ReLU follow in the same kernel', async () => {
  const s: Shape = { images: 2, channels: 16, filters: 18, height: 9, width: 11, padding: 1 };
  const [image, filters] = [imageOf(s), filtersOf(s)];
  const bias = wave(18, 0.4);
  const residual = wave(2 * 18 * 99, 0.21);
  const block = compile((x: Tensor, w: Tensor, b: Tensor, r: Tensor) =>
    x
      .convolution(w, slide(1))
      .add(b.reshape([18, 1, 1]))
      .add(r)
      .relu(),
  );
  const got = await block(
    tensor(image, [2, 16, 9, 11]),
    tensor(filters, [18, 16, 3, 3]),
    tensor(bias, [18]),
    tensor(residual, [2, 18, 9, 11]),
  ).data();
  const { sums, sizes } = plain(s, image, filters);
  sums.forEach((sum, i) => {
    const wanted = Math.max(0, sum + bias[Math.floor(i / 99) % 18]! + residual[i]!);
    expect(Math.abs((got[i] as number) - wanted)).toBeLessThan(2e-6 * (sizes[i]! + 2));
  });
});
