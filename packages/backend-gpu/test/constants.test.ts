/*
 * Constants in kernels. What depends on constants alone a shader compiler computes itself, and refuses a shader where it finds NaN or
 * ∞; and it takes 0 for 0 · x, whatever x is.
 */
import { full, ones, setBackend, type Tensor, tensor, zeros } from '@dl/tensor';
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

  test('0 · x and 0 / x are NaN where x is, or is infinite or 0 in turn', async () => {
    const x = tensor([Infinity, -Infinity, NaN, 0, 2]).realize();
    expect([...(await x.mul(0).data())]).toEqual([NaN, NaN, NaN, 0, 0]);
    expect([...(await full([5], 0).div(x).data())]).toEqual([0, -0, NaN, NaN, 0]);
  });

  test('0 times an infinite number that the kernel is given when it runs', async () => {
    expect([...(await zeros([2]).mul(Infinity).data())]).toEqual([NaN, NaN]);
    expect([...(await tensor([1, 2]).mul(0).mul(-Infinity).data())]).toEqual([NaN, NaN]);
    expect([...(await tensor([1, 2]).mul(0).div(0).data())]).toEqual([NaN, NaN]);
  });

  test('an index before the start of a storage, where there is padding alone', async () => {
    const x = tensor([0.75]);
    const padding = x.add(x).windowSum({ size: [1], stride: [2], dilation: [1], padding: [[1, 0]] });
    const sum = padding.scatterAdd(0, tensor(Int32Array.of(0)), padding);
    expect(await sum.add(sum).array()).toEqual([0]);
  });

  test.each(Object.entries(cases))('%s', async (_, [make, want]) => {
    expect([...(await make().data())]).toEqual([want, want, want]);
  });
});
