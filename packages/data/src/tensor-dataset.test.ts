import { ShapeError, setBackend, tensor } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { tensorDataset } from './tensor-dataset';

beforeAll(() => setBackend(referenceBackend()));

describe('tensorDataset', () => {
  it('has the entries of the first axis as samples', async () => {
    const x = tensor(Float32Array.from([1, 2, 3, 4, 5, 6]), [3, 2]);
    const y = tensor([true, false, true]);
    const dataset = await tensorDataset({ x, y });
    expect(dataset.length).toBe(3);
    expect(dataset.fields).toEqual([
      { name: 'x', dtype: 'f32', shape: [2] },
      { name: 'y', dtype: 'bool', shape: [] },
    ]);
    const into = [new Float32Array(2), new Uint8Array(1)];
    dataset.copy(2, into, 0);
    expect(into.map((array) => [...array])).toEqual([[5, 6], [1]]);
  });

  it('assembles tuples from an array of tensors', async () => {
    const x = tensor(new Float32Array(3), [3]);
    const [a, b]: readonly unknown[] = (await tensorDataset([x, x])).assemble([x, x]);
    expect([a, b]).toEqual([x, x]);
  });

  it('refuses a tensor without axes, and tensors of different lengths', async () => {
    await expect(tensorDataset([tensor(1)])).rejects.toThrow(ShapeError);
    const pair = [tensor(new Float32Array(2), [2]), tensor(new Float32Array(3), [3])];
    await expect(tensorDataset(pair)).rejects.toThrow("'field 0' has 2 samples, 'field 1' has 3");
  });
});
