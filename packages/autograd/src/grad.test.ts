import { compile, DTypeError, ShapeError, setBackend, type Tensor, tensor, ValueError, Variable } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { backward, consume, enableGrad, grad, gradientsOf, noGrad, stopGradient, valueAndGrad } from './index';

beforeAll(() => setBackend(referenceBackend()));

const leaf = (data: Parameters<typeof tensor>[0]): Tensor => tensor(data, null, { dtype: 'f64', requiresGrad: true });

describe('grad', () => {
  it('answers in the structure of what it is asked for', async () => {
    const [a, b] = [leaf(2), leaf(3)];
    const loss = a.mul(b).mul(b); // a b²
    expect(await grad(loss, a).item()).toBe(9);
    const [ga, gb] = grad(loss, [a, b]);
    expect([await ga.item(), await gb.item()]).toEqual([9, 12]);
    const named = grad(loss, { a, rest: [b] });
    expect(await named.rest[0].item()).toBe(12);
  });

  it('adds up over all uses of a value', async () => {
    const x = leaf([1, 2, 3]);
    const y = x.mul(x).add(x.sum().mul(x)); // x² + (Σx) x
    expect(await grad(y.sum(), x).array()).toEqual([2 + 12, 4 + 12, 6 + 12]);
  });

  it('differentiates with respect to results on the way, which also pass theirs on', async () => {
    const x = leaf(2);
    const h = x.square();
    const [gx, gh] = grad(h.mul(h).add(x), [x, h]);
    expect([await gh.item(), await gx.item()]).toEqual([8, 33]);
  });

  it('can be differentiated again', async () => {
    const x = leaf(0.5);
    let y = x.sin();
    const expected = [Math.cos(0.5), -Math.sin(0.5), -Math.cos(0.5), Math.sin(0.5)];
    for (const want of expected) {
      y = grad(y, x);
      expect(await y.item()).toBeCloseTo(want, 12);
    }
  });

  it('takes a cotangent for a result that is no scalar', async () => {
    const x = leaf([1, 2]);
    expect(await grad(x.square(), x, { cotangent: tensor([10, 100]) }).array()).toEqual([20, 400]);
    expect(() => grad(x.square(), x)).toThrow(ShapeError);
    expect(() => grad(x.square(), x, { cotangent: tensor([1]) })).toThrow(/cotangent is \[1\], but the loss is \[2\]/);
  });

  it('throws for what the loss does not depend on, or gives zeros when told', async () => {
    const [x, y] = [leaf([1, 2]), leaf([3, 4])];
    expect(() => grad(x.sum(), [x, y])).toThrow(/does not depend on a tensor of f64 \[2\]/);
    expect(await grad(x.sum(), [x, y], { unused: 'zero' })[1].array()).toEqual([0, 0]);
    const plain = tensor([1, 2]);
    expect(() => grad(x.mul(plain).sum(), plain)).toThrow(/did not require gradients when it was used/);
    expect(() => grad(plain.sum(), plain)).toThrow(/requires no gradient/);
  });

  it('gives zeros where all derivatives vanish on the way', async () => {
    const x = leaf([1.5, -2.5]);
    expect(await grad(x.floor().add(x.sign()).sum(), x).array()).toEqual([0, 0]);
  });

  it('takes a variable’s versions together, and never flows through an assignment', async () => {
    const v = new Variable(tensor([2]), { requiresGrad: true });
    const before = v.square();
    v.assign(v.mul(5)); // 10
    const loss = before.add(v.square()).sum();
    expect(await grad(loss, v).array()).toEqual([4 + 20]);
  });

  it('walks graphs thousands deep', async () => {
    const x = leaf(1);
    let y = x;
    for (let i = 0; i < 20_000; i++) y = y.mul(1.0001);
    const g = grad(y, x);
    expect(g.shape).toEqual([]);
  });

  it('is quick on graphs with many ways', async () => {
    const x = leaf(1);
    let y = x;
    for (let i = 0; i < 60; i++) y = y.add(y).mul(0.5); // 2^60 ways
    expect(await grad(y, x).item()).toBe(1);
  });
});

describe('valueAndGrad', () => {
  it('differentiates with respect to the first argument', async () => {
    const f = valueAndGrad(({ w, b }: { w: Tensor; b: Tensor }, x: Tensor) => x.mul(w).add(b).square().sum());
    const { value, gradient } = f({ w: tensor(2), b: tensor(1) }, tensor([1, 2]));
    expect(await value.item()).toBe(9 + 25);
    expect([await gradient.w.item(), await gradient.b.item()]).toEqual([2 * 3 + 2 * 5 * 2, 2 * 3 + 2 * 5]);
  });

  it('nests', async () => {
    const slope = (x: Tensor): Tensor => valueAndGrad((y: Tensor) => y.square().mul(y))(x).gradient;
    expect(await valueAndGrad(slope)(tensor(2)).gradient.item()).toBe(12);
  });

  it('refuses integers', () => {
    expect(() => valueAndGrad((x: Tensor) => x.sum())(tensor([1], null, { dtype: 'i32' }))).toThrow(ValueError);
  });
});

describe('backward', () => {
  it('adds to what is there', async () => {
    const w = new Variable(tensor([1, 2]), { requiresGrad: true });
    backward(w.square().sum());
    expect(await w.grad!.array()).toEqual([2, 4]);
    backward(w.sum());
    expect(await w.grad!.array()).toEqual([3, 5]);
  });

  it('consumes the graph, unless it is retained', async () => {
    const x = leaf([1, 2]);
    const h = x.square();
    const loss = h.sum();
    backward(loss, { retainGraph: true });
    backward(loss);
    expect(await x.grad!.array()).toEqual([4, 8]);
    expect(() => backward(loss)).toThrow(/consumed by an earlier backward/);
    expect(() => backward(h.mul(2).sum())).toThrow(/retainGraph/);
    expect(await h.array()).toEqual([1, 4]); // values can still be computed
    expect(await loss.item()).toBe(5);
  });

  it('gives leaves of tensors and variables their gradients, and no one else', async () => {
    const [x, v] = [leaf([3]), new Variable(tensor([2]), { requiresGrad: true })];
    const h = x.mul(v);
    backward(h.sum());
    expect(await x.grad!.array()).toEqual([2]);
    expect(await v.grad!.array()).toEqual([3]);
    expect(h.grad).toBeNull();
  });

  it('only records inside a compiled function, which must not leave gradients set', async () => {
    const v = new Variable(tensor([2]), { requiresGrad: true });
    const left = compile(() => backward(v.square().sum()));
    expect(left).toThrow(/1 gradients are still set/);
    expect(v.grad).toBeNull();
    const slope = compile(() => {
      backward(v.square().sum());
      backward(v.sum());
      const g = v.grad!;
      v.grad = null;
      return g;
    });
    expect([await slope().item(), await slope().item()]).toEqual([5, 5]);
  });

  it('fails where nothing requires a gradient', () => {
    expect(() => backward(tensor(1))).toThrow(/requires no gradient/);
  });
});

describe('scopes', () => {
  it('records no gradients under noGrad, and does under enableGrad within', () => {
    const x = leaf([1]);
    expect(noGrad(() => x.mul(2)).requiresGrad).toBe(false);
    expect(noGrad(() => enableGrad(() => x.mul(2))).requiresGrad).toBe(true);
    expect(x.mul(2).requiresGrad).toBe(true);
  });

  it('throws for an async function, and leaves the mode as it was', () => {
    const x = leaf([1]);
    // @ts-expect-error an async function is a type error too
    expect(() => noGrad(async () => x.mul(2))).toThrow(/async/);
    expect(x.mul(2).requiresGrad).toBe(true);
    expect(() =>
      noGrad(() => {
        throw new DTypeError('inside');
      }),
    ).toThrow('inside');
    expect(x.mul(2).requiresGrad).toBe(true);
  });

  it('stops gradients at a value, stored or not, and of a variable as it is now', async () => {
    const x = leaf([3]);
    const y = x.square();
    expect(await grad(y.mul(stopGradient(y)).sum(), x).array()).toEqual([54]);
    await y.data();
    const stopped = stopGradient(y);
    expect(stopped.node.sources).toEqual([]);
    expect(await grad(x.mul(stopped).sum(), x).array()).toEqual([9]);
    const v = new Variable(tensor([1]), { requiresGrad: true });
    const held = stopGradient(v);
    v.assign(2);
    expect(await held.array()).toEqual([1]);
    expect(held.requiresGrad).toBe(false);
  });

  it('stops gradients at a variable inside a compiled function', async () => {
    const v = new Variable(tensor([1]), { requiresGrad: true });
    const step = compile(() => {
      const g = grad(v.mul(stopGradient(v)).sum(), v); // v, not 2 v
      v.assign(v.add(g));
      return g;
    });
    expect([await step().item(), await step().item(), await step().item()]).toEqual([1, 2, 4]);
  });
});

describe('what optimisers use', () => {
  it('gradientsOf answers for what is reached alone, and consume ends the graph that it passed', async () => {
    const [a, b] = [tensor([2, 3], null, { requiresGrad: true }), tensor(1, null, { requiresGrad: true })];
    const loss = a.square().sum();
    const { gradients, passed } = gradientsOf('minimize', loss, [a, b]);
    expect([...gradients.keys()]).toEqual([a]);
    expect(await gradients.get(a)!.array()).toEqual([4, 6]);
    consume(passed);
    expect(() => grad(loss, a)).toThrow(/consumed/);
    expect(await loss.item()).toBe(13);
    expect(() => gradientsOf('minimize', tensor(1), [a])).toThrow('minimize: the loss requires no gradient');
  });
});
