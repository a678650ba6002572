/* Reductions whose rows are shared by threads, which meet through workgroup memory or, where they can, directly. */
import { setBackend, type Tensor, tensor } from '@dl/tensor';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createWebGpu, type WebGpuBackend } from '../src/webgpu/backend';
import { exchangingThreads } from '../src/webgpu/subgroups';
import { hasAdapter } from './adapter';

vi.setConfig({ testTimeout: 300_000 });

const wave = (rows: number, count: number): Tensor =>
  tensor(
    Array.from({ length: rows * count }, (_, i) => Math.sin(i * i)),
    [rows, count],
  );

/** Rows with one special element each, and one with none. */
const special = (count: number): Tensor => {
  const x = Float32Array.from({ length: 4 * count }, (_, i) => -1 - (i % 7));
  x[Math.floor(count / 3)] = Number.NaN;
  x[count + Math.floor(count / 2)] = Infinity;
  for (let i = 0; i < count; i++) x[2 * count + i] = i % 3 === 0 ? -0 : 0;
  return tensor(x, [4, count]);
};

/** The reduced size, and how many threads share a row of it. */
const sizes = [
  [40, 2],
  [100, 4],
  [200, 8],
  [2000, 64],
  [9000, 256],
] as const;

const reductions: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  sum: (x) => x.sum(1),
  'the largest': (x) => x.max(1),
  'the smallest': (x) => x.min(1),
  'the place of the largest': (x) => x.argmax(1),
  'a product': (x) => x.mul(0.01).add(1).prod(1),
  'whether any is negative': (x) => x.lt(-0.999).any(1),
  softmax: (x) => x.softmax(1).sum(1),
};

describe('threads that can exchange values', () => {
  const device = (...features: string[]): GPUDevice =>
    ({
      features: new Set(features),
      createShaderModule: () => null,
      createComputePipelineAsync: () => Promise.reject(new Error('refused')),
    }) as unknown as GPUDevice;

  test('are none where the device has no subgroups, says nothing of their size, or refuses them', async () => {
    expect(await exchangingThreads(device(), 32)).toBe(1);
    expect(await exchangingThreads(device('subgroups'), undefined)).toBe(1);
    expect(await exchangingThreads(device('subgroups'), 32)).toBe(1);
  });
});

describe.skipIf(!hasAdapter)('rows that threads share on WebGPU', () => {
  let direct: WebGpuBackend;
  let throughMemory: WebGpuBackend;
  beforeAll(async () => {
    direct = await createWebGpu();
    throughMemory = await createWebGpu({ traits: { lanes: 1 } });
  });
  afterAll(() => Promise.all([direct.dispose(), throughMemory.dispose()]));

  /** The bits of results on a backend. */
  const bitsOn = async (backend: WebGpuBackend, make: () => Tensor): Promise<number[]> => {
    setBackend(backend);
    const result = make();
    return [...(await (result.dtype === 'f32' ? result.bitcast('i32') : result).data())];
  };

  test.each(sizes)('rows of %i: both ways give the same bits', async (count) => {
    // Large workgroups take a software adapter long.
    const names = count < 1000 ? Object.keys(reductions) : ['sum', 'the place of the largest'];
    for (const name of names) {
      const reduce = reductions[name]!;
      for (const make of [() => reduce(wave(3, count)), () => reduce(special(count))]) {
        expect(await bitsOn(direct, make), name).toEqual(await bitsOn(throughMemory, make));
      }
    }
  });

  test.each(sizes)('rows of %i: the results are right', async (count) => {
    setBackend(direct);
    const x = special(count);
    const largest = [...(await x.max(1).data())];
    expect(largest.map((v) => (v === 0 ? 0 : v))).toEqual([Number.NaN, Infinity, 0, -1]); // a zero of either sign
    expect([...(await x.argmax(1).data())].slice(0, 3)).toEqual([Math.floor(count / 3), Math.floor(count / 2), 0]);
    const ones = tensor(new Float32Array(2 * count).fill(1), [2, count]);
    expect([...(await ones.sum(1).data())]).toEqual([count, count]);
  });

  test('threads that can exchange values need no barrier', async () => {
    setBackend(direct);
    const shaders = vi.spyOn(direct.device, 'createShaderModule');
    await wave(5, 90).exp().sum(1).data(); // four threads a row, which every device with subgroups has
    const code = shaders.mock.calls.map((call) => call[0].code).join('\n');
    expect(code.includes('Barrier();')).toBe(!direct.device.features.has('subgroups'));
  });
});
