import { backward } from '@dl/autograd';
import { compile, profile, ShapeError, setBackend, type Tensor, tensor, ValueError, Variable } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  AdaDelta,
  AdaGrad,
  Adam,
  Adamax,
  AdamW,
  clipGradNorm,
  Lion,
  type Member,
  NAdam,
  Optimizer,
  type ParameterGroup,
  RAdam,
  RMSProp,
  SGD,
} from './index';

beforeAll(() => setBackend(referenceBackend()));

const parameter = (data: Parameters<typeof tensor>[0], name = 'p'): Variable =>
  new Variable(tensor(data), { requiresGrad: true, name });

/** Something to go down: ½ Σ (v − 1)². */
const loss = (...vs: Tensor[]): Tensor => vs.map((v) => v.sub(1).square().sum().mul(0.5)).reduce((a, b) => a.add(b));

describe('groups', () => {
  it('have settings of their own', async () => {
    const [a, b] = [parameter([2]), parameter([2])];
    const optimizer = new SGD([{ params: [a], lr: 0.5 }, { params: [b] }], { lr: 0.1 });
    optimizer.minimize(loss(a, b));
    expect([await a.item(), await b.item()]).toEqual([1.5, Math.fround(1.9)]);
    optimizer.lr = 1;
    optimizer.minimize(loss(a, b));
    expect([await a.item(), await b.item()]).toEqual([1, 1]);
  });

  it('take generators, and a variable that is given twice once', async () => {
    const a = parameter([2]);
    const optimizer = new SGD(
      (function* () {
        yield a;
        yield a;
      })(),
      { lr: 0.5 },
    );
    optimizer.minimize(loss(a));
    expect(await a.item()).toBe(1.5);
  });

  it('refuse what cannot be optimised', () => {
    const a = parameter([1], 'weight');
    expect(() => new SGD([])).toThrow(/no parameters/);
    expect(() => new SGD([{ params: [a] }, { params: [a] }])).toThrow(/weight is in two groups/);
    expect(() => new SGD([tensor([1]) as Variable])).toThrow(/takes variables/);
    expect(() => new SGD([new Variable(tensor([1], null, { dtype: 'i32' }))])).toThrow(/is i32/);
    expect(() => new SGD([a], { lr: -1 })).toThrow(/lr is -1/);
    expect(() => new SGD([a], { nesterov: true })).toThrow(/nesterov needs momentum/);
    expect(() => new Adam([a], { betas: [1, 0.9] })).toThrow(/betas is 1/);
  });

  it('can be added later', async () => {
    const [a, b] = [parameter([2]), parameter([2])];
    const optimizer = new SGD([a], { lr: 0.5 });
    let traces = 0;
    const step = compile(() => {
      traces++;
      optimizer.minimize(loss(a, b));
    });
    step();
    optimizer.addGroup({ params: [b], lr: 1 });
    step();
    expect([await a.item(), await b.item(), traces]).toEqual([1.25, 1, 2]);
  });
});

describe('settings', () => {
  it('change without a new recording', async () => {
    const a = parameter([10]);
    const optimizer = new Adam([a], { lr: 0.1, weightDecay: 0.1 });
    const twin = parameter([10]);
    const eager = new Adam([twin], { lr: 0.1, weightDecay: 0.1 });
    let traces = 0;
    const step = compile(() => {
      traces++;
      const value = loss(a);
      optimizer.minimize(value);
      return value;
    });
    for (let i = 0; i < 6; i++) {
      for (const o of [optimizer, eager]) {
        o.lr = 0.1 / (i + 1);
        o.groups[0]!.set({ betas: [0.9 - 0.01 * i, 0.999], weightDecay: 0.1 + i });
      }
      step();
      eager.minimize(loss(twin));
      expect(await a.item()).toBeCloseTo(await twin.item(), 5);
    }
    expect(traces).toBe(2); // recorded, and checked at the second call
  });

  it('are recorded anew when one becomes zero', async () => {
    const a = parameter([10]);
    const optimizer = new AdamW([a], { lr: 0.1, weightDecay: 0 });
    const step = compile(() => optimizer.minimize(a.mul(0).sum()));
    step();
    step();
    expect(await a.item()).toBe(10);
    optimizer.groups[0]!.set({ weightDecay: 1 });
    step();
    expect(await a.item()).toBeCloseTo(9, 5);
    optimizer.lr = 0;
    step();
    expect(await a.item()).toBeCloseTo(9, 5);
  });

  it('cannot be changed inside a compiled function, nor so that the state would differ', () => {
    const a = parameter([1]);
    const optimizer = new Adam([a]);
    const step = compile(() => {
      optimizer.lr = 1;
    });
    expect(step).toThrow(/inside the compiled function/);
    expect(optimizer.lr).toBe(1e-3);
    expect(() => optimizer.groups[0]!.set({ amsgrad: true })).toThrow(/Create a new optimiser/);
    expect(() => optimizer.groups[0]!.set({ lr: -1 })).toThrow(ValueError);
    expect(optimizer.lr).toBe(1e-3);
  });
});

describe('minimize', () => {
  it('leaves alone what is frozen or not reached: no decay, no momentum', async () => {
    const [a, frozen, far] = [parameter([2]), parameter([2]), parameter([2])];
    frozen.setRequiresGrad(false);
    const optimizer = new SGD([a, frozen, far], { lr: 0.1, momentum: 0.9, weightDecay: 0.5 });
    for (let i = 0; i < 3; i++) optimizer.minimize(loss(a, frozen));
    expect([await frozen.item(), await far.item()]).toEqual([2, 2]);
    expect(await a.item()).toBeLessThan(2);
  });

  it('counts steps a parameter: one that joins later starts as in a new optimiser', async () => {
    const [a, late, twin] = [parameter([2]), parameter([3]), parameter([3])];
    const optimizer = new Adam([a, late], { lr: 0.1 });
    for (let i = 0; i < 5; i++) optimizer.minimize(loss(a));
    const fresh = new Adam([twin], { lr: 0.1 });
    for (let i = 0; i < 3; i++) {
      optimizer.minimize(loss(a, late));
      fresh.minimize(loss(twin));
    }
    expect(await late.item()).toBe(await twin.item());
    expect(await optimizer.groups[0]!.scalars['step']!.array()).toEqual([8, 3]);
  });

  it('records anew when a parameter is frozen or thawed', async () => {
    const [a, b] = [parameter([2]), parameter([2])];
    const optimizer = new SGD([a, b], { lr: 0.5 });
    const step = compile(() => optimizer.minimize(loss(a, b)));
    step();
    b.setRequiresGrad(false);
    step();
    expect([await a.item(), await b.item()]).toEqual([1.25, 1.5]);
    b.setRequiresGrad(true);
    step();
    expect([await a.item(), await b.item()]).toEqual([1.125, 1.25]);
  });

  it('differentiates with respect to its own variables only', async () => {
    const [a, b] = [parameter([2]), parameter([3])];
    const optimizer = new SGD([a], { lr: 0.1 });
    optimizer.minimize(a.mul(b).sum());
    expect(await a.item()).toBeCloseTo(1.7, 6);
    expect([await b.item(), a.grad, b.grad]).toEqual([3, null, null]);
  });

  it('throws if the loss reaches none of them', () => {
    const [a, b] = [parameter([2]), parameter([3])];
    expect(() => new SGD([a]).minimize(b.sum())).toThrow(/none of the optimiser's 1 trainable variables/);
    expect(() => new SGD([a]).minimize(tensor(1))).toThrow(/requires no gradient/);
    expect(() => new SGD([a]).minimize(a.mul(tensor([1, 2])))).toThrow(ShapeError);
  });

  it('consumes the graph of its loss, unless it is retained', async () => {
    const [a, b] = [parameter([2]), parameter([3])];
    const [first, second] = [new SGD([a], { lr: 0.1 }), new SGD([b], { lr: 0.1 })];
    const shared = a.mul(b);
    const value = shared.square().sum();
    first.minimize(value, { retainGraph: true });
    second.minimize(value);
    expect(await a.item()).toBeCloseTo(2 - 0.1 * 2 * 6 * 3, 5);
    expect(await b.item()).toBeCloseTo(3 - 0.1 * 2 * 6 * 2, 5); // by the values of the recording
    expect(() => first.minimize(value)).toThrow(/consumed/);
  });

  it('clips by norm and by value', async () => {
    const make = () => [parameter([3, 1]), parameter([13])] as const;
    const [a, b] = make();
    new SGD([a, b], { lr: 1 }).minimize(loss(a, b), { clipNorm: 1 });
    const [c, d] = make();
    backward(loss(c, d));
    const norm = clipGradNorm([c, d], 1)!;
    new SGD([c, d], { lr: 1 }).step();
    expect(await norm.item()).toBeCloseTo(Math.hypot(2, 12), 5);
    expect([await a.array(), await b.array()]).toEqual([await c.array(), await d.array()]);
    expect((await a.data())[0]).toBeCloseTo(3 - 2 / Math.hypot(2, 12), 5);
    const [e, f] = make();
    new SGD([e, f], { lr: 1 }).minimize(loss(e, f), { clipValue: 1 });
    expect([await e.array(), await f.array()]).toEqual([[2, 1], [12]]);
  });

  it('clips by other norms: 1, 3, and the largest magnitude', async () => {
    const ended = async (normType: number): Promise<number[]> => {
      const [a, b] = [parameter([3, 2]), parameter([13])]; // slopes 2, 1 and 12
      new SGD([a, b], { lr: 1 }).minimize(loss(a, b), { clipNorm: 3, normType });
      return [...(await a.data()), ...(await b.data())];
    };
    const scaled = (norm: number): number[] => [3, 2, 13].map((v, i) => v - ([2, 1, 12][i]! * 3) / norm);
    const norms = { 1: 15, 3: Math.cbrt(8 + 1 + 12 ** 3), Infinity: 12 };
    for (const [p, norm] of Object.entries(norms)) {
      const got = await ended(Number(p));
      for (const [i, v] of scaled(norm).entries()) expect(got[i]).toBeCloseTo(v, 5);
    }
    await expect(ended(0)).rejects.toThrow('normType: 0 is not above 0. Give the p of a norm, or Infinity.');
  });

  it('errorIfNonfinite throws before a gradient is scaled', async () => {
    const a = parameter([1, 2]);
    a.grad = tensor([1, Number.POSITIVE_INFINITY]);
    expect(() => clipGradNorm([a], 1, { errorIfNonfinite: true })).toThrow(
      "clipGradNorm: the gradients' norm of type 2 is Infinity.",
    );
    expect(await a.grad.array()).toEqual([1, Number.POSITIVE_INFINITY]);
    expect(await clipGradNorm([a], 1)!.item()).toBe(Number.POSITIVE_INFINITY);
    expect(await a.grad!.array()).toEqual([0, Number.NaN]); // as in PyTorch: 1 · 1/∞, and ∞ · 0
    a.grad = tensor([3, 4]);
    expect(await clipGradNorm([a], 1, { errorIfNonfinite: true })!.item()).toBe(5);
    const step = compile(() => {
      backward(loss(a));
      clipGradNorm([a], 1, { errorIfNonfinite: true });
    });
    expect(step).toThrow('clipGradNorm: errorIfNonfinite reads the norm, which a compiled function cannot.');
  });

  it('works in f64', async () => {
    const p = new Variable(tensor([2], null, { dtype: 'f64' }), { requiresGrad: true });
    const optimizer = new Adam([p], { lr: 0.1 });
    optimizer.minimize(loss(p));
    expect(p.dtype).toBe('f64');
    expect(await p.item()).toBeCloseTo(2 - 0.1 / (1 + 1e-8), 14);
  });
});

describe('step', () => {
  it('uses the gradients that are there', async () => {
    const [a, b] = [parameter([2]), parameter([2])];
    const optimizer = new SGD([a, b], { lr: 0.5 });
    backward(loss(a));
    backward(loss(a));
    optimizer.step();
    expect([await a.item(), await b.item()]).toEqual([1, 2]);
    optimizer.zeroGrad();
    expect(a.grad).toBeNull();
    optimizer.step();
    expect(await a.item()).toBe(1);
  });
});

describe('an optimiser of one’s own', () => {
  interface SignOptions {
    readonly lr: number;
  }

  /** p ← p − lr · sign(Σ gradients so far). */
  class SignOfSum extends Optimizer<SignOptions> {
    constructor(parameters: Iterable<Variable>, lr: number) {
      super(parameters, { lr }, { numbers: ({ lr }) => ({ lr }), state: () => ['total'], check: () => {} });
    }

    protected override update(group: ParameterGroup<SignOptions>, members: readonly Member[]): void {
      for (const { variable, gradient, state } of members) {
        const total = state['total']!.add(gradient);
        state['total']!.assign(total);
        variable.assign(variable.sub(total.sign().mul(group.numbers()('lr'))));
      }
    }
  }

  it('gives its update, its numbers and its state; the rest is there', async () => {
    const p = parameter([3, -3]);
    const optimizer = new SignOfSum([p], 0.5);
    const step = compile((x: Tensor) => optimizer.minimize(p.mul(x).sum()));
    step(tensor([2, -1]));
    step(tensor([-1, -1])); // the sums are 1 and −2
    optimizer.lr = 0.25;
    step(tensor([-2, 5])); // and −1 and 3
    expect(await p.array()).toEqual([3 - 1 + 0.25, -3 + 1 - 0.25]);
    const { tensors } = optimizer.stateDict();
    expect(await tensors['0.0.total']!.array()).toEqual([-1, 3]);
  });
});

describe('kernels', () => {
  const kinds = { SGD, Adam, AdamW, NAdam, RAdam, Adamax, RMSProp, AdaGrad, AdaDelta };

  it.each(Object.entries(kinds))(
    '%s updates each parameter in one, and counts steps in at most one more',
    async (_, Kind) => {
      const ps = [
        parameter([
          [1, 2],
          [3, 4],
        ]),
        parameter([5, 6]),
        parameter([7]),
      ];
      const options = { weightDecay: 0.1, momentum: 0.5, dampening: 0.5, lrDecay: 0.1, centered: true, amsgrad: true };
      const optimizer = new (Kind as typeof Adam)(ps, options as object);
      for (let i = 0; i < 3; i++) {
        optimizer.zeroGrad();
        backward(loss(...ps.map((p) => p.sin())));
        const { kernels, runs, allocations } = await profile(() => optimizer.step());
        expect(runs).toBe(1);
        expect(kernels.length).toBeLessThanOrEqual(ps.length + 1);
        if (i === 2) expect(allocations).toBe(0);
      }
    },
  );
});

describe('state', () => {
  const train = (optimizer: Adam, p: Variable, steps: number): void => {
    for (let i = 0; i < steps; i++) optimizer.minimize(loss(p).add(p.sin().sum()));
  };

  it('resumes exactly', async () => {
    const p = parameter([3, -2, 0.5]);
    const optimizer = new Adam([p], { lr: 0.1, amsgrad: true });
    train(optimizer, p, 4);
    optimizer.lr = 0.05;
    const [state, weights] = [optimizer.stateDict(), p.snapshot()];
    train(optimizer, p, 4);
    const q = new Variable(weights, { requiresGrad: true });
    const resumed = new Adam([q], { lr: 1, amsgrad: true });
    resumed.loadStateDict(state);
    expect(resumed.lr).toBe(0.05);
    train(resumed, q, 4);
    expect(await q.array()).toEqual(await p.array());
    expect(Object.keys(state.tensors)).toEqual(['0.step', '0.0.exp_avg', '0.0.exp_avg_sq', '0.0.max_exp_avg_sq']);
  });

  it('refuses a state of something else, and stays as it was', async () => {
    const [p, q] = [parameter([1, 2]), parameter([1])];
    const optimizer = new Adam([p], { lr: 0.1 });
    train(optimizer, p, 1);
    expect(() => optimizer.loadStateDict(new SGD([p], { momentum: 1 }).stateDict() as never)).toThrow(
      /missing 0.0.exp_avg, .*unexpected 0.0.momentum_buffer/,
    );
    expect(() => optimizer.loadStateDict(new Adam([q]).stateDict())).toThrow(
      /0.0.exp_avg is \[1\], but the parameter's is \[2\]/,
    );
    expect(() => optimizer.loadStateDict(new Adam([{ params: [p] }, { params: [q] }]).stateDict())).toThrow(/2 groups/);
    expect(await optimizer.groups[0]!.scalars['step']!.array()).toEqual([1]);
    expect(optimizer.lr).toBe(0.1);
  });
});

describe('Lion', () => {
  it('takes steps of one size, by the sign of an average', async () => {
    const p = parameter([2, -2]);
    const optimizer = new Lion([p], { lr: 0.1, betas: [0.5, 0.5], weightDecay: 0.5 });
    optimizer.minimize(p.mul(tensor([1, -3])).sum()); // m = 0: sign of the gradient
    expect((await p.data()).map((x) => Math.round(x * 1e4) / 1e4)).toEqual(Float32Array.of(1.8, -1.8)); // 0.95·p ∓ 0.1
    optimizer.minimize(p.mul(tensor([-0.4, 1])).sum()); // ½ m + ½ g = 0.05, −0.25
    expect((await p.data()).map((x) => Math.round(x * 1e4) / 1e4)).toEqual(Float32Array.of(1.61, -1.61));
  });
});
