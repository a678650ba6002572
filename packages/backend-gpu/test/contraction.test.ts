/* Each way to compute a contraction gives the numbers of the CPU, and the same bits. */
import { cpu } from '@dl/backend-cpu';
import { type Backend, type ConvolutionSpec, type DType, setBackend, type Tensor, tensor } from '@dl/tensor';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createWebGpu, type WebGpuBackend } from '../src/webgpu/backend';
import { sharedTiles, splitsOf, type Tile, type Tuning } from '../src/wgsl/contraction/plan';
import { hasAdapter } from './adapter';

vi.setConfig({ testTimeout: 300_000 });

const direct: Tuning = [];
const always = (tile: Tile): Tuning => [{ from: 0, tile }];
/** A tile so small that a software adapter, to which barriers are dear, compiles and runs it in a moment. */
const shared = always({ m: 4, n: 4, threadsM: 4, threadsN: 4, k: 4 });

/** Multiples of 1/16 whose products and sums are exact in f32. */
const numbers = (shape: readonly number[], dtype: DType = 'f32'): Tensor => {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = Array.from({ length: size }, (_, i) => ((Math.imul(i + size, 0x9e3779b1) >>> 20) % 33) - 16);
  return tensor(
    values.map((v) => (dtype === 'f32' ? v / 16 : v)),
    [...shape],
    { dtype },
  );
};

const twice = (by: number): [number, number][] => [
  [by, by],
  [by, by],
];
const plain: ConvolutionSpec = {
  stride: [1, 1],
  padding: twice(0),
  lhsDilation: [1, 1],
  rhsDilation: [1, 1],
  groups: 1,
};

const cases: Readonly<Record<string, () => Tensor>> = {
  'whole tiles': () => numbers([64, 32]).matmul(numbers([32, 64])),
  'tiles cut off on all sides': () => numbers([37, 21]).matmul(numbers([21, 70])),
  'both operands transposed': () =>
    numbers([21, 37])
      .transpose()
      .matmul(numbers([70, 21]).transpose()),
  'memory along k in both operands, in fours': () => numbers([36, 24]).matmul(numbers([20, 24]).transpose()),
  'memory along k in neither, in fours': () =>
    numbers([24, 36])
      .transpose()
      .matmul(numbers([24, 20])),
  'a slice that does not begin at a multiple of 4': () =>
    numbers([36, 28])
      .slice([0, 1], [36, 24])
      .matmul(numbers([24, 20])),
  'several large tiles': () =>
    numbers([68, 20])
      .matmul(numbers([20, 36]))
      .relu(),
  'several large tiles, cut off and not in fours': () =>
    numbers([19, 67])
      .transpose()
      .matmul(numbers([35, 19]).transpose()),
  'in batches, with one operand the same in all': () => numbers([3, 20, 18]).matmul(numbers([18, 33])),
  'long sums in parts': () => numbers([18, 1100]).matmul(numbers([1100, 19])),
  'few outputs': () => numbers([3, 700]).matmul(numbers([700, 5])),
  'a vector with a matrix of rows': () => numbers([1, 300]).matmul(numbers([150, 300]).transpose()),
  'one product and nothing to add': () => numbers([40, 1]).matmul(numbers([1, 40])),
  'whole numbers': () => numbers([24, 17], 'i32').matmul(numbers([17, 33], 'i32')),
  'with what follows on each output': () =>
    numbers([20, 24])
      .matmul(numbers([24, 40]))
      .add(numbers([40]))
      .relu()
      .mul(2),
  'with a reduction after it': () =>
    numbers([20, 24])
      .matmul(numbers([24, 40]))
      .max(1),
  'an output that is used twice': () => {
    const product = numbers([20, 24]).matmul(numbers([24, 20]));
    return product.relu().add(product.transpose());
  },
  'a padded convolution with stride': () =>
    numbers([2, 5, 11, 10]).convolution(numbers([17, 5, 3, 3]), { ...plain, stride: [2, 1], padding: twice(1) }),
  'a grouped convolution': () => numbers([1, 8, 7, 7]).convolution(numbers([16, 4, 3, 3]), { ...plain, groups: 2 }),
};

/** Those with at least 16 rows, columns and products a sum. */
const throughMemory = [
  'tiles cut off on all sides',
  'both operands transposed',
  'memory along k in both operands, in fours',
  'memory along k in neither, in fours',
  'in batches, with one operand the same in all',
  'whole numbers',
  'with what follows on each output',
  'a padded convolution with stride',
];

const severalLargeTiles = ['several large tiles', 'several large tiles, cut off and not in fours'];

test('sums in parts: by the sizes alone, and none for short sums or many outputs', () => {
  expect(splitsOf({ batch: 1, m: 18, n: 19, k: 1100 })).toBe(8);
  expect(splitsOf({ batch: 1, m: 18, n: 19, k: 500 })).toBe(1);
  expect(splitsOf({ batch: 1, m: 1024, n: 1024, k: 4096 })).toBe(1);
});

describe.skipIf(!hasAdapter)('contractions on WebGPU', () => {
  const wanted = new Map<string, ArrayLike<number>>();
  let reference: Backend;
  beforeAll(async () => {
    reference = await cpu();
    setBackend(reference);
    for (const [name, make] of Object.entries(cases)) wanted.set(name, await make().data());
  });
  afterAll(() => reference.dispose());

  describe.each([
    ['by each thread', direct, Object.keys(cases)],
    ['through workgroup memory', shared, throughMemory],
    ['by tiles of 32 × 32', always(sharedTiles['32×32']), severalLargeTiles],
    ['by tiles of 64 × 64', always(sharedTiles['64×64']), severalLargeTiles.slice(0, 1)],
    ['by tiles of 128 × 64', always(sharedTiles['128×64']), severalLargeTiles],
    ['by tiles of 128 × 128', always(sharedTiles['128×128']), severalLargeTiles.slice(0, 1)],
  ] as const)('%s', (_, tuning, names) => {
    let gpu: WebGpuBackend;
    beforeAll(async () => {
      gpu = await createWebGpu({ traits: { tuning } });
      setBackend(gpu);
    });
    afterAll(() => gpu.dispose());

    test.each(names)('%s', async (name) => {
      expect([...(await cases[name]!().data())]).toEqual([...(wanted.get(name) as Float32Array)]);
    });
  });

  test('sums that are not exact have the same bits both ways', async () => {
    const results: number[][] = [];
    for (const tuning of [direct, shared]) {
      const gpu = await createWebGpu({ traits: { tuning } });
      setBackend(gpu);
      const third = (x: Tensor) => x.div(3);
      results.push([
        ...(await third(numbers([20, 50]))
          .matmul(third(numbers([50, 20])))
          .data()),
      ]);
      await gpu.dispose();
    }
    expect(results[0]).toEqual(results[1]);
  });
});
