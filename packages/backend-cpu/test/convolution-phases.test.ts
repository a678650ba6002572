/* Convolutions of elements that lie apart, large enough that the scheduler computes them phase by phase. */
import { type Backend, type ConvolutionSpec, profile, setBackend, tensor } from '@dl/tensor';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCpu } from '../src/backend';
import { range, slide, wave } from './convolutions';

let backend: Backend;
beforeAll(async () => {
  backend = await createCpu({ threads: 1 });
  setBackend(backend);
});
afterAll(() => backend.dispose());

interface Case {
  readonly size: readonly [number, number];
  readonly kernel: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly padding: readonly [readonly [number, number], readonly [number, number]];
  readonly groups?: number;
  /** Products that a phase has: none where no element of the kernel meets it. */
  readonly products: number;
}

const [images, channels, filters] = [2, 6, 9];

/** Plain sums in f64, zeros between the elements and around them left out. */
function plain(x: Float32Array, w: Float32Array, { size, kernel, dilation, padding, groups = 1 }: Case) {
  const out = [0, 1].map((i) => (size[i]! - 1) * dilation[i]! + 1 + padding[i]![0] + padding[i]![1] - kernel[i]! + 1);
  const [inputs, outputs] = [channels / groups, filters / groups];
  const element = (at: number, axis: 0 | 1) => {
    const place = at / dilation[axis];
    return at >= 0 && Number.isInteger(place) && place < size[axis] ? place : -1;
  };
  const sums: number[] = [];
  for (const n of range(images))
    for (const o of range(filters))
      for (const y of range(out[0]!))
        for (const x0 of range(out[1]!)) {
          let sum = 0;
          for (const c of range(inputs))
            for (const ky of range(kernel[0]))
              for (const kx of range(kernel[1])) {
                const [row, column] = [element(y + ky - padding[0][0], 0), element(x0 + kx - padding[1][0], 1)];
                if (row < 0 || column < 0) continue;
                const channel = Math.floor(o / outputs) * inputs + c;
                const value = x[((n * channels + channel) * size[0] + row) * size[1] + column]!;
                sum += value * w[((o * inputs + c) * kernel[0] + ky) * kernel[1] + kx]!;
              }
          sums.push(sum);
        }
  return { sums, shape: [images, filters, ...out] };
}

test.each<Case>([
  {
    size: [16, 15],
    kernel: [3, 3],
    dilation: [2, 2],
    padding: [
      [1, 2],
      [1, 2],
    ],
    products: 4,
  },
  {
    size: [15, 17],
    kernel: [3, 3],
    dilation: [2, 2],
    padding: [
      [2, 2],
      [1, 1],
    ],
    products: 4,
  },
  {
    size: [14, 13],
    kernel: [5, 4],
    dilation: [3, 2],
    padding: [
      [0, 1],
      [3, 0],
    ],
    products: 6,
  },
  {
    size: [30, 28],
    kernel: [3, 3],
    dilation: [1, 2],
    padding: [
      [1, 1],
      [1, 1],
    ],
    products: 2,
  },
  {
    size: [20, 21],
    kernel: [3, 3],
    dilation: [2, 2],
    padding: [
      [-1, 0],
      [-3, -2],
    ],
    products: 4,
  },
  {
    size: [40, 40],
    kernel: [1, 1],
    dilation: [2, 2],
    padding: [
      [0, 1],
      [0, 1],
    ],
    products: 1,
  },
  {
    size: [24, 25],
    kernel: [3, 3],
    dilation: [2, 2],
    padding: [
      [1, 1],
      [1, 1],
    ],
    groups: 3,
    products: 4,
  },
])('%j', async (c) => {
  const { size, kernel, dilation, padding, groups = 1 } = c;
  const x = wave(images * channels * size[0] * size[1], 0.7);
  const w = wave((filters * channels * kernel[0] * kernel[1]) / groups, 1.3);
  const spec: ConvolutionSpec = { ...slide(0), padding, lhsDilation: dilation, groups };
  const { result, kernels } = await profile(async () => {
    const y = tensor(x, [images, channels, ...size]).convolution(
      tensor(w, [filters, channels / groups, ...kernel]),
      spec,
    );
    return { shape: y.shape, data: await y.data() };
  });
  const wanted = plain(x, w, c);
  expect(result.shape).toEqual(wanted.shape);
  expect(result.data.length).toBe(wanted.sums.length);
  const errors = wanted.sums.map((sum, i) => Math.abs((result.data[i] as number) - sum));
  expect(errors.reduce((a, b) => Math.max(a, b))).toBeLessThan(1e-4); // of sums of up to 54 products below 1
  expect(kernels.filter(({ name }) => name.includes('convolution')).length).toBe(c.products);
});
