/* Kernels that compute with constants alone: a shader compiler does that itself, and refuses a shader where it finds NaN or ∞. */
import { full, ones, setBackend, type Tensor, zeros } from '@dl/tensor';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createWebGpu, type WebGpuBackend } from '../src/webgpu/backend';
import { hasAdapter } from './adapter';

const cases: Readonly<Record<string, readonly [() => Tensor, number]>> = {
  'the mean of nothing': [() => zeros([0, 3]).mean(0), Number.NaN],
  '0 / 0': [() => zeros([3]).div(0), Number.NaN],
  '1 / 0': [() => ones([3]).div(0), Infinity],
  'the reciprocal of 0': [() => zeros([3]).reciprocal(), Infinity],
  'the root of −1': [() => full([3], -1).sqrt(), Number.NaN],
  'the bits of NaN': [() => full([3], -1, 'i32').bitcast('f32'), Number.NaN],
  '1 + 1 of whole numbers': [() => ones([3], 'i32').add(1), 2],
};

describe.skipIf(!hasAdapter)('constants on WebGPU', () => {
  let gpu: WebGpuBackend;
  beforeAll(async () => {
    gpu = await createWebGpu();
    setBackend(gpu);
  });
  afterAll(() => gpu.dispose());

  test.each(Object.entries(cases))('%s', async (_, [make, want]) => {
    expect([...(await make().data())]).toEqual([want, want, want]);
  });
});
