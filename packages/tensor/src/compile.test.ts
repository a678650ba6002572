import { cpu } from '@dl/backend-cpu';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { compile, profile, rand, setBackend, setSeed, type Tensor, tensor, ValueError, Variable } from './index';

describe.each([
  ['reference', referenceBackend],
  ['cpu', cpu],
])('on the %s backend', (_, makeBackend) => {
  beforeAll(async () => setBackend(await makeBackend()));

  describe('compile', () => {
    it('replays without recording, and its outputs never share memory', async () => {
      let traces = 0;
      const f = compile((x: Tensor) => {
        traces++;
        return x.mul(2).add(1);
      });
      const [a, b, c] = [f(tensor([1])), f(tensor([2])), f(tensor([3]))];
      expect([await a.item(), await b.item(), await c.item()]).toEqual([3, 5, 7]);
      expect(await f(f(a)).item()).toBe(15);
      expect(traces).toBe(2);
    });

    it('takes and returns trees', async () => {
      const f = compile(({ x, k }: { x: readonly Tensor[]; k: number }) => ({
        sum: x[0]!.add(x[1]!),
        rest: [x[0]!.mul(k), k] as const,
      }));
      const out = f({ x: [tensor([1]), tensor([2])], k: 3 });
      expect(await out.sum.item()).toBe(3);
      expect(await out.rest[0].item()).toBe(3);
      expect(out.rest[1]).toBe(3);
      expect(await f({ x: [tensor([1]), tensor([2])], k: 4 }).rest[0].item()).toBe(4);
    });

    it('updates variables in place, in program order', async () => {
      const v = new Variable(tensor([1, 2, 3]));
      const step = compile((x: Tensor) => {
        const before = v.mul(1);
        v.assign(v.add(x));
        v.assign(v.flip(0));
        return { before, after: v.mul(1) };
      });
      for (let i = 0; i < 3; i++) {
        const old = await v.array();
        const { before, after } = step(tensor([1, 0, 0]));
        expect(await before.array()).toEqual(old);
        expect(await after.array()).toEqual(await v.array());
      }
      expect(await v.array()).toEqual([3, 3, 3].map((_, i) => [4, 2, 3][i]));
    });

    it('sees what was assigned between calls', async () => {
      const lr = new Variable(tensor(1));
      const f = compile((x: Tensor) => x.mul(lr));
      const got: number[] = [];
      for (const value of [1, 2, 3]) {
        lr.assign(value);
        got.push(await f(tensor([10])).item());
      }
      expect(got).toEqual([10, 20, 30]);
    });

    it('keeps its numbers while random ones are drawn between its calls', async () => {
      const f = compile((x: Tensor) => x.mul(3).add(5).sub(7));
      for (let i = 0; i < 4; i++) {
        expect(await f(tensor([i, 2])).array()).toEqual([3 * i - 2, 4]);
        await rand([4]).data();
      }
    });

    it('draws the same random numbers as eager code', async () => {
      setSeed(5);
      const f = compile((x: Tensor) => x.add(rand([4])));
      const zero = tensor([0, 0, 0, 0]);
      const compiled = [await f(zero).array(), await f(zero).array(), await f(zero).array()];
      setSeed(5);
      const eager = [await rand([4]).array(), await rand([4]).array(), await rand([4]).array()];
      expect(compiled).toEqual(eager);
      expect(compiled[0]).not.toEqual(compiled[1]);
    });

    it('allocates nothing but its outputs', async () => {
      const v = new Variable(tensor([1, 2]));
      const f = compile((x: Tensor) => {
        v.assign(v.add(x.exp()));
        return x.sum();
      });
      const x = tensor([1, 2]);
      f(x);
      f(x);
      const { allocations, runs } = await profile(() => f(x));
      expect({ allocations, runs }).toEqual({ allocations: 1, runs: 1 });
    });

    it('names what changes between calls', () => {
      let k = 1;
      const f = compile((x: Tensor) => x.mul(++k));
      f(tensor([1]));
      expect(() => f(tensor([1]))).toThrow(/the number 2 of mul is now 3. Pass what changes as a tensor/);
      const g = compile((x: Tensor) => x.add(tensor([Math.random()])));
      g(tensor([1]));
      expect(() => g(tensor([1]))).toThrow(/captured tensor/);
    });

    it('accepts constants that are recorded anew but equal', async () => {
      const f = compile((x: Tensor) => x.add(tensor([1, 2])));
      for (let i = 0; i < 3; i++) expect(await f(tensor([1, 1])).array()).toEqual([2, 3]);
    });

    it('runs what was recorded before, and captures it', async () => {
      const earlier = tensor([1, 2]).exp().log().round();
      const f = compile((x: Tensor) => x.add(earlier));
      for (let i = 0; i < 3; i++) expect(await f(tensor([1, 1])).array()).toEqual([2, 3]);
    });

    it('refuses what cannot be replayed', async () => {
      expect(() => compile((x: Tensor) => x.realize())(tensor([1]))).toThrow(ValueError);
      expect(() => compile((() => Promise.resolve()) as unknown as () => undefined)()).toThrow(/cannot be async/);
      expect(() =>
        compile((x: Tensor) => {
          setSeed(1);
          return x;
        })(tensor([1])),
      ).toThrow(/would happen once/);
      let leaked: Tensor | undefined;
      const f = compile((x: Tensor) => {
        leaked = x.add(1);
        return x;
      });
      f(tensor([1]));
      await expect(leaked!.data()).rejects.toThrow(/used outside of it/);
    });

    it('records a signature again for new shapes, and inlines within another', async () => {
      const inner = compile((x: Tensor) => x.add(1));
      const f = compile((x: Tensor) => inner(x).mul(2));
      for (const n of [1, 2, 1, 2, 3])
        expect((await f(tensor(new Float32Array(n))).array(1)).every((v) => v === 2)).toBe(true);
    });

    it('reports the ninth signature', () => {
      const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
      const f = compile((x: Tensor, k: number) => x.mul(k), { name: 'scaled' });
      for (let k = 0; k < 9; k++) f(tensor([1]), k);
      expect(warn).toHaveBeenCalledWith(expect.stringMatching(/scaled was recorded for a ninth signature/));
      warn.mockRestore();
    });

    it('distinguishes one tensor passed twice from two', async () => {
      const f = compile((a: Tensor, b: Tensor) => a.sub(b));
      const x = tensor([3]);
      expect(await f(x, x).item()).toBe(0);
      expect(await f(x, tensor([1])).item()).toBe(2);
    });
  });
});
