import { cpu } from '@dl/backend-cpu';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { HostBuffer, profile, ShapeError, StaleTensorError, setBackend, tensor, Variable } from './index';

describe.each([
  ['reference', referenceBackend],
  ['cpu', cpu],
])('on the %s backend', (_, makeBackend) => {
  beforeAll(async () => setBackend(await makeBackend()));

  describe('variables', () => {
    it('acts in program order: earlier uses keep the old value', async () => {
      const v = new Variable(tensor([1, 2]));
      const before = v.mul(10);
      v.assign(v.add(1));
      const after = v.mul(10);
      expect(await after.array()).toEqual([20, 30]);
      expect(await before.array()).toEqual([10, 20]);
    });

    it('keeps the previous version readable until the next, and says what to do later', async () => {
      const v = new Variable(tensor([1]), { name: 'weight' });
      const first = v.mul(1);
      v.assign(tensor([2]));
      expect(await v.item()).toBe(2);
      v.assign(tensor([3]));
      expect(await v.item()).toBe(3);
      v.assign(tensor([4]));
      expect(await v.item()).toBe(4);
      await expect(first.item()).rejects.toThrow(StaleTensorError);
      await expect(first.item()).rejects.toThrow(/weight was assigned.*snapshot\(\)/);
    });

    it('keeps a snapshot through assignments', async () => {
      const v = new Variable(tensor([1]));
      const kept = v.snapshot();
      for (let i = 0; i < 4; i++) {
        v.assign(v.add(1));
        await v.item();
      }
      expect(await kept.item()).toBe(1);
      expect(await v.item()).toBe(5);
    });

    it('runs pending assignments with whatever is read', async () => {
      const v = new Variable(tensor([1]));
      v.assign(v.add(1));
      expect(await tensor([5]).add(1).item()).toBe(6);
      const { runs } = await profile(() => v.item());
      expect(runs).toBe(0);
      expect(await v.item()).toBe(2);
    });

    it('updates private state in place', async () => {
      const v = new Variable(tensor([1, 2, 3]), { isPrivate: true });
      for (let i = 0; i < 3; i++) {
        v.assign(v.mul(2));
        v.assign(v.add(1));
        await v.data();
      }
      expect(await v.array()).toEqual([15, 23, 31]);
      v.assign(v.flip(0));
      expect(await v.array()).toEqual([31, 23, 15]);
    });

    it('starts from a computed value', async () => {
      const v = new Variable(tensor([1, 2]).add(1));
      v.assign(v.mul(v));
      expect(await v.array()).toEqual([4, 9]);
    });

    it('casts, broadcasts, and refuses other shapes', async () => {
      const v = new Variable(
        tensor([
          [1, 2],
          [3, 4],
        ]),
      );
      v.assign(7);
      expect(await v.array()).toEqual([
        [7, 7],
        [7, 7],
      ]);
      expect(() => v.assign(tensor([1, 2, 3]))).toThrow('assign: variable is [2, 2], but the value is [3]');
      expect(() => v.load(new Float32Array(3))).toThrow(ShapeError);
      v.load(new Float32Array([4, 3, 2, 1]));
      expect(await v.array()).toEqual([
        [4, 3],
        [2, 1],
      ]);
    });

    it('carries a state through many steps at constant cost', async () => {
      let state = tensor([0]);
      for (let i = 0; i < 50; i++) {
        state = state.add(1);
        const { kernels } = await profile(() => state.item());
        expect(kernels.length).toBe(1);
      }
      expect(await state.item()).toBe(50);
    });
  });

  describe('computing once', () => {
    it('computes nothing more than twice', async () => {
      const x = tensor([1, 2, 3]).exp();
      await x.sum().item();
      const second = await profile(() => x.mul(2).data());
      expect(second.computedTwice).toEqual(['exp']);
      const third = await profile(() => x.mul(3).data());
      expect(third.computedTwice).toEqual([]);
    });
  });

  describe('host buffers', () => {
    it('makes the earlier tensor stale, and reuses its memory', async () => {
      const buffer = new HostBuffer([2], 'f32');
      buffer.array.set([1, 2]);
      const a = buffer.tensor();
      expect(await a.add(0.5).array()).toEqual([1.5, 2.5]);
      buffer.array.set([3, 4]);
      const b = buffer.tensor();
      expect(await b.add(0.5).array()).toEqual([3.5, 4.5]);
      await expect(a.add(0).data()).rejects.toThrow(/filled again. Keep it with clone/);
      expect(await buffer.tensor(1).array()).toEqual([3]);
    });
  });

  describe('memory', () => {
    it('names the largest holders when there is no room, and leaves variables as they were', async () => {
      const backend = await makeBackend();
      setBackend(backend);
      const v = new Variable(tensor(new Float32Array(1000)), { name: 'table' });
      await v.add(0).data();
      const { allocate } = backend;
      backend.allocate = (bytes) => {
        if (bytes > 4000) throw new Error('full.');
        return allocate.call(backend, bytes);
      };
      v.assign(v.add(1));
      await expect(v.expand([2, 1000]).mul(2).data()).rejects.toThrow(
        /mul f32 \[2, 1000\] needs 0.01 MB.*full.*table f32 \[1000\]/,
      );
      expect(await v.sum().item()).toBe(1000);
    });

    it('moves tensors between backends only when told', async () => {
      const [a, b] = [await makeBackend(), await makeBackend()];
      setBackend(a);
      const x = tensor([1, 2]).add(1).realize();
      setBackend(b);
      await expect(x.add(1).data()).rejects.toThrow(/Move it with to\(backend\)/);
      expect(await (await x.to(b)).add(1).array()).toEqual([3, 4]);
    });
  });
});
