/* Sorting in each of its three ways, by the length of rows, against an order that the host finds. */
import { type DType, setBackend, tensor } from '@dl/tensor';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createWebGpu, type WebGpuBackend } from '../src/webgpu/backend';
import { hasAdapter } from './adapter';

vi.setConfig({ testTimeout: 300_000 });

const special = [NaN, Infinity, -Infinity, 0, -0, 1e-45, -1e-45, 3.4e38, -3.4e38];

/** Numbers of a dtype, many of them equal. */
function values(length: number, dtype: DType): number[] {
  return Array.from({ length }, (_, i) => {
    const hash = Math.imul(i + 1, 0x9e3779b1) >>> 0;
    if (dtype === 'f32') return hash % 11 === 0 ? special[hash % special.length]! : ((hash >>> 8) % 900) / 8 - 50;
    if (dtype === 'bool') return hash & 1;
    if (dtype === 'u8') return hash % 256;
    return dtype === 'u32' ? hash : (hash | 0) >> (i % 31);
  });
}

/** The order of `argsort`: stable, with NaN the largest. */
function order(numbers: readonly number[], descending: boolean): number[] {
  const sign = descending ? -1 : 1;
  const compare = (a: number, b: number): number => {
    if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
    return a < b ? -1 : a > b ? 1 : 0;
  };
  return numbers.map((_, i) => i).sort((i, j) => sign * compare(numbers[i]!, numbers[j]!) || i - j);
}

const all: readonly DType[] = ['f32', 'i32', 'u32', 'u8', 'bool'];

describe.skipIf(!hasAdapter)('sorting on WebGPU', () => {
  // The software adapter, which takes seconds for a network, would count instead.
  describe.each([
    ['by counting', 100, all],
    ['in workgroup memory', 130, ['f32']],
    ['by digits', 2049, all],
    ['by digits, in several blocks', 5000, ['f32']],
  ] as const)('%s: rows of %i', (_, length, dtypes) => {
    let gpu: WebGpuBackend;
    beforeAll(async () => {
      gpu = await createWebGpu({ traits: { barriersAreDear: false } });
      setBackend(gpu);
    });
    afterAll(() => gpu.dispose());

    test.each(dtypes)('%s, rising and falling', async (dtype) => {
      const numbers = values(length, dtype);
      const x = tensor(numbers, [length], { dtype });
      expect([...(await x.argsort(0).data())]).toEqual(order(numbers, false));
      expect([...(await x.argsort(0, { descending: true }).data())]).toEqual(order(numbers, true));
    });

    test('several rows across memory, and only the first few', async () => {
      const numbers = values(3 * length, 'f32');
      const x = tensor(numbers, [length, 3]);
      const { indices } = x.topk(7, 0);
      const columns = [0, 1, 2].map((c) =>
        order(
          numbers.filter((_, i) => i % 3 === c),
          true,
        ),
      );
      expect(await indices.array()).toEqual(Array.from({ length: 7 }, (_, i) => columns.map((c) => c[i])));
    });
  });

  test('a row that fills the workgroup memory', async () => {
    const gpu = await createWebGpu({ traits: { barriersAreDear: false } });
    setBackend(gpu);
    const numbers = values(2048, 'f32');
    expect([...(await tensor(numbers).argsort(0).data())]).toEqual(order(numbers, false));
    await gpu.dispose();
  });

  test('where barriers are dear, rows of up to 2048 are counted', async () => {
    const gpu = await createWebGpu({ traits: { barriersAreDear: true } });
    setBackend(gpu);
    const shaders = vi.spyOn(gpu.device, 'createShaderModule');
    const numbers = values(300, 'f32');
    expect([...(await tensor(numbers).argsort(0).data())]).toEqual(order(numbers, false));
    expect(shaders.mock.calls.some(([{ code }]) => code.includes('var<workgroup>'))).toBe(false);
    await gpu.dispose();
  });
});
