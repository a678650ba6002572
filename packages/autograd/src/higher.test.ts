import {
  compile,
  type Node,
  profile,
  rand,
  setBackend,
  setSeed,
  type Tensor,
  tensor,
  ValueError,
  Variable,
} from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  backward,
  checkGradients,
  checkpoint,
  customGradient,
  grad,
  hessian,
  hessianVectorProduct,
  jacobian,
  stopGradient,
} from './index';

beforeAll(() => setBackend(referenceBackend()));

const leaf = (data: Parameters<typeof tensor>[0]): Tensor => tensor(data, null, { dtype: 'f64', requiresGrad: true });
const value = (data: Parameters<typeof tensor>[0]): Tensor => tensor(data, null, { dtype: 'f64' });

describe('jacobian, hessian, hessianVectorProduct', () => {
  const x = value([1, 2]);

  it('holds every derivative', async () => {
    const f = (x: Tensor): Tensor => x.square().mul(x.sum()); // x_i² Σx
    expect(await jacobian(f, x).array()).toEqual([
      [2 * 3 + 1, 1],
      [4, 4 * 3 + 4],
    ]);
    expect(await jacobian((x) => x.sum(), x).array()).toEqual([1, 1]);
    expect(jacobian((x) => x.unsqueeze(0).mul(value([[1], [2]])), x).shape).toEqual([2, 2, 2]);
  });

  it('holds every second derivative', async () => {
    const f = (x: Tensor): Tensor => x.prod().mul(x.sum()); // a²b + ab²
    expect(await hessian(f, x).array()).toEqual([
      [4, 6],
      [6, 2],
    ]);
    expect(await hessianVectorProduct(f, x, value([1, -1])).array()).toEqual([-2, 4]);
    expect(await hessian((x) => x.sum(), x).array()).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(await hessianVectorProduct((x) => x.sum(), x, x).array()).toEqual([0, 0]);
    expect(() => hessianVectorProduct(f, x, value([1]))).toThrow(/x is \[2\], but v is \[1\]/);
  });
});

describe('customGradient', () => {
  it('replaces the rule', async () => {
    const roundThrough = customGradient((x: Tensor) => ({ value: x.round(), gradient: (g) => g }));
    const x = leaf([0.4, 1.6]);
    const y = roundThrough(x);
    expect(await y.array()).toEqual([0, 2]);
    expect(await grad(y.square().sum(), x).array()).toEqual([0, 4]);
  });

  it('is differentiated again by the rules of what it is written with', async () => {
    const log1pexp = customGradient((x: Tensor) => {
      const e = x.exp();
      return { value: e.log1p(), gradient: (g) => g.mul(e.add(1).reciprocal().neg().add(1)) };
    });
    await checkGradients(log1pexp, [value([0.3, -2, 1])], { order: 2 });
  });

  it('takes several inputs, some without a gradient', async () => {
    const f = customGradient((x: Tensor, y: Tensor) => ({ value: x.mul(y), gradient: (g) => [g.mul(100), null] }));
    const [x, y] = [leaf(2), leaf(3)];
    const [gx, gy] = grad(f(x, y), [x, y]);
    expect([await gx.item(), await gy.item()]).toEqual([100, 0]);
  });

  it('checks what it is given', () => {
    const x = leaf([1, 2]);
    const few = customGradient((a: Tensor, b: Tensor) => ({ value: a.add(b), gradient: (g) => [g] }));
    expect(() => grad(few(x, x).sum(), x)).toThrow(/1 cotangents for 2 inputs/);
    const wide = customGradient((a: Tensor) => ({ value: a, gradient: (g) => g.sum() }));
    expect(() => grad(wide(x).sum(), x)).toThrow(/input 0 is \[\], but the input is \[2\]/);
  });

  it('has its graph consumed as others have', () => {
    const x = leaf([1, 2]);
    const y = customGradient((x: Tensor) => ({ value: x.mul(2), gradient: (g) => g }))(x);
    backward(y.sum());
    expect(() => backward(y.sum())).toThrow(/consumed/);
  });
});

describe('checkpoint', () => {
  const w = new Variable(
    tensor(
      [
        [0.5, -0.3],
        [0.2, 0.8],
      ],
      null,
      { dtype: 'f64' },
    ),
    { requiresGrad: true },
  );
  const block = (x: Tensor): Tensor => x.matmul(w).tanh().matmul(w).softmax(1);

  it('has the value and gradients of the function, also in the second order', async () => {
    const x = leaf([
      [1, 2],
      [3, -1],
    ]);
    const weights = value([
      [1, 2],
      [3, 5],
    ]);
    const slopes = (f: (x: Tensor) => Tensor): Tensor[] => {
      const [gx, gw] = grad(f(x).mul(weights).sum(), [x, w]);
      return [f(x), gx, gw, grad(gx.square().sum(), w)];
    };
    const [plain, checked] = [slopes(block), slopes((x) => checkpoint(block, x))];
    for (const [i, t] of plain.entries()) expect(await checked[i]!.array()).toEqual(await t.array());
    await checkGradients((x) => checkpoint(block, x), [x], { order: 2 });
  });

  it('draws the same random numbers again', async () => {
    setSeed(3);
    const x = leaf([1, 2, 3, 4]);
    const drop = (x: Tensor): Tensor => x.square().mul(rand([4], { dtype: 'f64' }).lt(0.5).cast('f64'));
    const y = checkpoint(drop, x);
    const [values, slopes] = [await y.data(), await grad(y.sum(), x).data()];
    expect([...slopes]).toEqual([...values].map((v) => 2 * Math.sqrt(v)));
    expect(values.some((v) => v === 0) && values.some((v) => v > 0)).toBe(true);
  });

  it('passes gradients to tensors from outside, and none where there are none', async () => {
    const [x, outer] = [leaf(2), leaf(3)];
    const scaled = outer.square();
    const y = checkpoint((x: Tensor) => x.mul(scaled), x);
    expect(await grad(y, outer).item()).toBe(12);
    expect(checkpoint((x: Tensor) => x.mul(2), value(1)).requiresGrad).toBe(false);
    expect(checkpoint((x: Tensor) => x, x).node).toBe(x.node);
  });

  it('computes its inside again, and a run keeps nothing of it', async () => {
    const x = leaf([
      [1, 2],
      [3, -1],
    ]);
    const y = checkpoint(block, x);
    await y.data();
    expect(reachable(y.node).filter((n) => n.op === 'dot' && n.stored !== null)).toEqual([]);
    const { kernels } = await profile(() => backward(y.square().sum()));
    expect(kernels.filter((k) => k.name.includes('dot')).length).toBeGreaterThanOrEqual(2 + 3);
  });

  it('keeps gradients given by hand, and those of checkpoints within', async () => {
    const x = leaf([
      [1, 2],
      [3, -1],
    ]);
    const inner = (x: Tensor): Tensor => checkpoint(block, x.mul(0.5)).sin();
    const nested = (x: Tensor): Tensor => checkpoint(inner, x.square()).exp();
    const slopes = (f: (x: Tensor) => Tensor): Tensor[] => {
      const [gx, gw] = grad(f(x).at(':', 0).sum(), [x, w]);
      return [gx, gw, grad(gx.square().sum(), w)];
    };
    const plain = slopes((x) => block(x.square().mul(0.5)).sin().exp());
    for (const [i, t] of slopes(nested).entries()) {
      const want = await plain[i]!.data();
      (await t.data()).forEach((slope, j) => {
        expect(slope).toBeCloseTo(want[j]!, 12); // terms are added in another order
      });
    }
    await checkGradients(nested, [x], { order: 2 });
    const tenfold = customGradient((x: Tensor) => ({ value: x.mul(2), gradient: (g) => g.mul(x).mul(10) }));
    const through = (f: (x: Tensor) => Tensor): Promise<unknown> => grad(f(x).square().sum(), x).array();
    const chain = (x: Tensor): Tensor => tenfold(x.mul(3)).exp();
    expect(await through((x) => checkpoint(chain, x))).toEqual(await through(chain));
  });

  it('works in a compiled step', async () => {
    const x = value([
      [1, 2],
      [3, -1],
    ]);
    const step = compile((x: Tensor) => grad(checkpoint(block, x).at(':', 0).sum(), w));
    const want = await grad(block(x).at(':', 0).sum(), w).array();
    for (let i = 0; i < 3; i++) expect(await step(x).array()).toEqual(want);
  });
});

function reachable(root: Node): Node[] {
  const seen = new Set<Node>([root]);
  const stack = [root];
  while (stack.length > 0) {
    for (const s of stack.pop()!.sources) {
      if (!seen.has(s)) stack.push(s);
      seen.add(s);
    }
  }
  return [...seen];
}

describe('checkGradients', () => {
  it('names the elements that do not agree', async () => {
    const wrong = customGradient((x: Tensor) => ({ value: x.square(), gradient: (g) => g.mul(x).mul(2.1) }));
    await expect(checkGradients(wrong, [value([1, 2])])).rejects.toThrow(
      /gradient differs from differences at 2 of 2 elements:\n {2}input 0 at \[\d\]: recorded/,
    );
    const constant = customGradient((x: Tensor) => ({
      value: x.square(),
      gradient: (g) => g.mul(stopGradient(x)).mul(2),
    }));
    await expect(checkGradients(constant, [value([1, 2])])).resolves.toMatchObject({ checked: 2 });
    await expect(checkGradients(constant, [value([1, 2])], { order: 2 })).rejects.toThrow(/second gradient differs/);
  });

  it('reports what it compared', async () => {
    const report = await checkGradients((x) => x.exp(), [value([0, 1])], { order: 2 });
    expect(report.checked).toBe(4);
    expect(report.worst!.error).toBeLessThan(1e-8);
  });

  it('finds NaN, and refuses integers', async () => {
    const bad = customGradient((x: Tensor) => ({ value: x, gradient: (g) => g.mul(Number.NaN) }));
    await expect(checkGradients(bad, [value([1])])).rejects.toThrow(/recorded NaN/);
    await expect(checkGradients((x) => x, [tensor([1], null, { dtype: 'i32' })])).rejects.toThrow(ValueError);
  });
});
