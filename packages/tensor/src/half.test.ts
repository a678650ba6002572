import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { compile, full, iota, setBackend, type Tensor, tensor, Variable } from './index';

beforeAll(() => setBackend(referenceBackend()));

const half = (data: Parameters<typeof tensor>[0]): Tensor => tensor(data, null, { dtype: 'f16' });

describe('f16', () => {
  it('is made of numbers, which it rounds, or of bits', async () => {
    expect(await half([1, 0.1, 1e6]).array()).toEqual([1, 0.0999755859375, Number.POSITIVE_INFINITY]);
    expect(await tensor(Uint16Array.of(0x3c00, 0xc000), [2]).array()).toEqual([1, -2]);
    expect(await tensor(Uint16Array.of(0x3c00), null, { dtype: 'f32' }).array()).toEqual([1]);
  });

  it('reads as bits by data, as numbers by array and item', async () => {
    expect(await half([1, -2]).data('f16')).toEqual(Uint16Array.of(0x3c00, 0xc000));
    expect(half([1, -2]).dataSync()).toEqual(Uint16Array.of(0x3c00, 0xc000));
    expect(await half(0.5).item()).toBe(0.5);
  });

  it('rounds each result once', async () => {
    expect((await half(2048).add(1).item()) as number).toBe(2048);
    expect(await half(2048).add(3).item()).toBe(2052);
    expect(half(1).add(half(1)).dtype).toBe('f16');
    expect(await full([], 0.1, 'f16').cast('f32').item()).toBe(0.0999755859375);
    expect(await iota([3], 0, 'f16').array()).toEqual([0, 1, 2]);
  });

  it('adds up and multiplies in f32', async () => {
    expect(await full([4096], 1, 'f16').sum().item()).toBe(4096); // 2048 + 1 is 2048 in f16
    expect(
      await full([1, 4096], 1, 'f16')
        .matmul(full([4096, 1], 1, 'f16'))
        .item(),
    ).toBe(4096);
    expect(await full([100000], 2, 'f16').mean().item()).toBe(2); // whose sum is beyond f16
  });

  it('meets f32 in f32 and integers in f16', () => {
    expect(half(1).add(tensor(1)).dtype).toBe('f32');
    expect(half(1).add(tensor(1, null, { dtype: 'i32' })).dtype).toBe('f16');
    expect(half(1).lt(2).dtype).toBe('bool');
  });

  it('is a variable and an argument of a compiled function', async () => {
    const v = new Variable(half([1, 2]));
    const step = compile((x: Tensor) => {
      v.assign(v.add(x));
      return v.sum();
    });
    expect(await step(half([0.5, 0.5])).item()).toBe(4);
    expect(await step(half([0.5, 0.5])).item()).toBe(5);
    expect(await v.array()).toEqual([2, 3]);
  });
});
