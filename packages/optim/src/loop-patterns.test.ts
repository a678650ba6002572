/**
 * The loops that people write, eager and compiled: values against the same mathematics in plain numbers, and how much is
 * computed again. An eager step stores its loss and its updates in one run; a value that is wanted later is computed once
 * more and then kept.
 */
import { backward, grad, noGrad, stopGradient } from '@dl/autograd';
import { compile, concat, type Node, profile, setBackend, type Tensor, tensor, Variable, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { Adam, SGD } from './index';

beforeAll(() => setBackend(referenceBackend()));

const f64 = { dtype: 'f64' } as const;
const parameter = (data: Parameters<typeof tensor>[0], name = 'p'): Variable =>
  new Variable(tensor(data, null, f64), { requiresGrad: true, name });

const xs = [0.5, -1, 2, 1.5];
const ys = [1, -0.5, 0.25, 2];

/** y = v · tanh(w · x), and its squared error: one number a weight, so that the gradient fits on a line. */
const predict = (w: Tensor, v: Tensor, x: Tensor): Tensor => x.mul(w).tanh().mul(v);
const squaredError = (w: Tensor, v: Tensor, x: Tensor, y: Tensor): Tensor => predict(w, v, x).sub(y).square().mean();

/** The same in plain numbers. */
function plainStep(w: number, v: number, x: readonly number[], y: readonly number[]) {
  let [loss, dw, dv] = [0, 0, 0];
  for (const [i, xi] of x.entries()) {
    const h = Math.tanh(w * xi);
    const error = v * h - y[i]!;
    loss += error ** 2 / x.length;
    dw += (2 * error * v * (1 - h * h) * xi) / x.length;
    dv += (2 * error * h) / x.length;
  }
  return { loss, dw, dv };
}

const start = { w: 0.7, v: 1.2 };
const lr = 0.3;

/** Gradient descent in plain numbers. */
function plainRun(steps: number): { losses: number[]; w: number; v: number } {
  let { w, v } = start;
  const losses = Array.from({ length: steps }, () => {
    const { loss, dw, dv } = plainStep(w, v, xs, ys);
    w -= lr * dw;
    v -= lr * dv;
    return loss;
  });
  return { losses, w, v };
}

function model() {
  const [w, v] = [parameter(start.w, 'w'), parameter(start.v, 'v')];
  return { w, v, optimizer: new SGD([w, v], { lr }), x: tensor(xs, null, f64), y: tensor(ys, null, f64) };
}

const close = (got: number, want: number): void => expect(got).toBeCloseTo(want, 12);
const steps = 5;

/** How many recorded nodes a value holds on to. */
function held(t: Tensor): number {
  const seen = new Set<Node>();
  const stack = [t.node];
  while (stack.length > 0) {
    const node = stack.pop()!;
    if (seen.has(node)) continue;
    seen.add(node);
    stack.push(...node.sources);
    if (node.definition !== null) stack.push(node.definition);
  }
  return seen.size;
}

describe('the loss is read after the step', () => {
  it('eager: one run a step, nothing computed again', async () => {
    const { w, v, optimizer, x, y } = model();
    const want = plainRun(steps);
    for (let i = 0; i < steps; i++) {
      const {
        result: loss,
        runs,
        computedTwice,
      } = await profile(() => {
        const loss = squaredError(w, v, x, y);
        optimizer.minimize(loss);
        return loss;
      });
      expect([runs, computedTwice]).toEqual([1, []]);
      const reading = await profile(() => loss.item());
      close(reading.result, want.losses[i]!);
      expect(reading.runs).toBe(0);
      expect(held(loss)).toBe(1);
    }
    close(await w.item(), want.w);
    close(await v.item(), want.v);
  });

  it('compiled', async () => {
    const { w, v, optimizer, x, y } = model();
    const want = plainRun(steps);
    const step = compile((x: Tensor, y: Tensor) => {
      const loss = squaredError(w, v, x, y);
      optimizer.minimize(loss);
      return loss;
    });
    const losses = Array.from({ length: steps }, () => step(x, y)); // read at the end: outputs do not share memory
    for (const [i, loss] of losses.entries()) close(await loss.item(), want.losses[i]!);
    close(await w.item(), want.w);
  });
});

it('item() before backward: what the gradient needs is kept, and no product is computed again', async () => {
  const w = new Variable(
    tensor(
      [
        [0.1, 0.2],
        [0.3, -0.4],
      ],
      null,
      f64,
    ),
    { requiresGrad: true },
  );
  const x = tensor(
    [
      [1, 2],
      [3, 4],
    ],
    null,
    f64,
  );
  const { computedTwice } = await profile(async () => {
    const loss = x.matmul(w).tanh().matmul(w).square().mean();
    expect(await loss.item()).toBeGreaterThan(0);
    backward(loss);
    return w.grad!.array();
  });
  expect(computedTwice).not.toContain('dot');
  expect(new Set(computedTwice).size).toBe(computedTwice.length);
});

it('accuracy from logits after the step: they are computed once more, and then kept', async () => {
  const { w, v, optimizer, x, y } = model();
  const out = predict(w, v, x);
  const loss = out.sub(y).square().mean();
  optimizer.minimize(loss);
  const want = xs.map((xi) => start.v * Math.tanh(start.w * xi)); // by the weights before the step
  const first = await profile(() => out.data());
  first.result.forEach((got, i) => close(got, want[i]!));
  expect(first.computedTwice.length).toBeGreaterThan(0);
  const second = await profile(async () => [await out.data(), await out.gt(0).cast('i32').sum().item()]);
  expect(second.computedTwice).toEqual([]);
});

describe('gradients are accumulated over parts of a batch', () => {
  const parts = [[0, 1], [2], [3]];

  it('eager: one graph at a time', async () => {
    const { w, v, optimizer } = model();
    for (let i = 0; i < 2; i++) {
      for (const part of parts) {
        const [x, y] = [xs, ys].map((list) =>
          tensor(
            part.map((k) => list[k]!),
            null,
            f64,
          ),
        );
        const loss = predict(w, v, x!).sub(y!).square().sum().div(xs.length);
        const { computedTwice } = await profile(() => backward(loss));
        expect(computedTwice).toEqual([]);
        expect(held(loss)).toBe(1);
        expect(held(w.grad!)).toBe(1);
      }
      optimizer.step();
      optimizer.zeroGrad();
    }
    close(await w.item(), plainRun(2).w);
    close(await v.item(), plainRun(2).v);
  });

  it('compiled', async () => {
    const { w, v, optimizer } = model();
    const step = compile((batch: readonly (readonly [Tensor, Tensor])[]) => {
      for (const [x, y] of batch) backward(predict(w, v, x).sub(y).square().sum().div(xs.length));
      optimizer.step();
      optimizer.zeroGrad();
    });
    for (let i = 0; i < 3; i++) {
      step(
        parts.map(
          (part) =>
            [xs, ys].map((list) =>
              tensor(
                part.map((k) => list[k]!),
                null,
                f64,
              ),
            ) as unknown as readonly [Tensor, Tensor],
        ),
      );
    }
    close(await w.item(), plainRun(3).w);
  });
});

describe('weights are averaged', () => {
  const decay = 0.9;
  const plain = (): number => {
    let average = start.w;
    for (let i = 1; i <= steps; i++) average = decay * average + (1 - decay) * plainRun(i).w;
    return average;
  };

  it('eager and compiled', async () => {
    for (const wrap of [(f: () => void) => f, (f: () => void) => compile(f)]) {
      const { w, v, optimizer, x, y } = model();
      const average = new Variable(w);
      const step = wrap(() => {
        optimizer.minimize(squaredError(w, v, x, y));
        average.assign(average.mul(decay).add(noGrad(() => w.mul(1 - decay))));
      });
      for (let i = 0; i < steps; i++) step();
      close(await average.item(), plain());
    }
  });
});

describe('a GAN: two optimisers share what one generates', () => {
  // D(x) = d · x, G(z) = g · z; D goes down mean(D(fake) − D(real)) + ½ d², G down −mean(D(fake)).
  const [z, real] = [
    [1, 2],
    [0.5, 3],
  ];
  const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b) / list.length;
  const plain = (): [number, number] => {
    let [d, g] = [0.5, 0.25];
    for (let i = 0; i < 3; i++) {
      d -= 0.1 * (g * mean(z) - mean(real) + d);
      g -= 0.1 * -(d * mean(z));
    }
    return [d, g];
  };

  it.each(['eager', 'compiled'])('%s', async (way) => {
    const [d, g] = [parameter(0.5, 'd'), parameter(0.25, 'g')];
    const [ofD, ofG] = [new SGD([d], { lr: 0.1 }), new SGD([g], { lr: 0.1 })];
    const run = (z: Tensor, real: Tensor): Tensor => {
      const fake = z.mul(g);
      const loss = fake.mul(d).mean().sub(real.mul(d).mean()).add(d.square().mul(0.5));
      ofD.minimize(loss);
      ofG.minimize(fake.mul(d).mean().neg()); // with the new d
      return loss;
    };
    const step = way === 'eager' ? run : compile(run);
    const twice: string[] = [];
    for (let i = 0; i < 3; i++) {
      const { computedTwice } = await profile(() => step(tensor(z, null, f64), tensor(real, null, f64)));
      twice.push(...computedTwice);
    }
    const want = plain();
    close(await d.item(), want[0]);
    close(await g.item(), want[1]);
    expect(twice.length).toBeLessThanOrEqual(way === 'eager' ? 3 : 0); // fake, once a step
  });
});

it('policy gradient: many acts are read, one backward uses them all', async () => {
  const w = parameter([
    [0.2, -0.1],
    [0.4, 0.3],
  ]);
  const optimizer = new SGD([w], { lr: 0.5 });
  const states = [
    [1, 0],
    [0.5, -1],
    [2, 1],
  ];
  const rewards = [1, -0.5, 2];
  const acted: Tensor[] = [];
  const actions: number[] = [];
  const acting = await profile(async () => {
    for (const s of states) {
      const logProbs = tensor([s], null, f64).matmul(w).logSoftmax(1);
      const probs = await logProbs.exp().data();
      const action = probs[0]! > probs[1]! ? 0 : 1;
      actions.push(action);
      acted.push(logProbs.at(0, action));
    }
  });
  expect(acting.computedTwice).toEqual([]);
  const { computedTwice } = await profile(() => {
    const loss = acted.map((logProb, i) => logProb.mul(-rewards[i]!)).reduce((a, b) => a.add(b));
    backward(loss);
    optimizer.step();
  });
  expect(computedTwice).not.toContain('dot');
  expect(await w.grad!.array()).toEqual(
    plainPolicyGradient(states, actions, rewards).map((row) => row.map((x) => expect.closeTo(x, 12) as unknown)),
  );
});

/** ∂/∂w of −Σ r · log softmax(s · w)[a]: s_k · r · (p_j − [j = a]). */
function plainPolicyGradient(
  states: readonly (readonly number[])[],
  actions: readonly number[],
  rewards: readonly number[],
): number[][] {
  const w = [
    [0.2, -0.1],
    [0.4, 0.3],
  ];
  const g = [
    [0, 0],
    [0, 0],
  ];
  for (const [i, s] of states.entries()) {
    const logits = [0, 1].map((j) => s[0]! * w[0]![j]! + s[1]! * w[1]![j]!);
    const sum = logits.reduce((total, l) => total + Math.exp(l), 0);
    for (const k of [0, 1])
      for (const j of [0, 1])
        g[k]![j]! += s[k]! * rewards[i]! * (Math.exp(logits[j]!) / sum - (j === actions[i] ? 1 : 0));
  }
  return g;
}

describe('a target network', () => {
  // The value w · s follows r + γ · target · s'; the target follows w every second step.
  const [s, next, r, gamma] = [1.5, 0.5, 1, 0.9];
  const plain = (): [number, number] => {
    let [w, target] = [0.2, 0.2];
    for (let i = 1; i <= 6; i++) {
      w -= 0.1 * 2 * (w * s - (r + gamma * target * next)) * s;
      if (i % 2 === 0) target = w;
    }
    return [w, target];
  };

  it.each(['eager', 'compiled'])('%s', async (way) => {
    const w = parameter(0.2, 'w');
    const target = new Variable(w);
    const optimizer = new SGD([w], { lr: 0.1 });
    const run = (s: Tensor, next: Tensor): void => {
      const wanted = stopGradient(target.mul(next).mul(gamma).add(r));
      optimizer.minimize(w.mul(s).sub(wanted).square());
    };
    const step = way === 'eager' ? run : compile(run);
    for (let i = 1; i <= 6; i++) {
      step(tensor(s, null, f64), tensor(next, null, f64));
      if (i % 2 === 0) target.assign(w);
    }
    const want = plain();
    close(await w.item(), want[0]);
    close(await target.item(), want[1]);
  });
});

describe('back-propagation through time is truncated, and the state carried on', () => {
  // h ← tanh(w · h + x), in chunks of two; the loss of a chunk is its last h squared.
  const inputs = [0.5, -0.3, 0.8, 0.1, -0.6, 0.4, 0.2, -0.9];
  const plain = (): { w: number; h: number } => {
    let [w, h] = [0.6, 0];
    for (let i = 0; i < inputs.length; i += 2) {
      const h1 = Math.tanh(w * h + inputs[i]!);
      const h2 = Math.tanh(w * h1 + inputs[i + 1]!);
      const d2 = 2 * h2 * (1 - h2 * h2);
      const d1 = d2 * w * (1 - h1 * h1);
      const dw = d2 * h1 + d1 * h;
      [w, h] = [w - 0.2 * dw, h2];
    }
    return { w, h };
  };

  it('eager: a step costs and holds the same, however long it goes on', async () => {
    const w = parameter(0.6, 'w');
    const optimizer = new SGD([w], { lr: 0.2 });
    let h: Tensor = zeros([], 'f64');
    const costs: number[] = [];
    const holds: number[] = [];
    for (let i = 0; i < inputs.length; i += 2) {
      const { kernels } = await profile(() => {
        h = stopGradient(h);
        for (const x of inputs.slice(i, i + 2)) h = h.mul(w).add(x).tanh();
        optimizer.minimize(h.square());
      });
      costs.push(kernels.length);
      holds.push(held(h));
    }
    close(await w.item(), plain().w);
    close(await h.item(), plain().h);
    expect(costs.at(-1)).toBeLessThanOrEqual(costs[1]!);
    expect(holds.at(-1)).toBeLessThanOrEqual(holds[1]!);
  });

  it('compiled: the state goes in and out', async () => {
    const w = parameter(0.6, 'w');
    const optimizer = new SGD([w], { lr: 0.2 });
    const step = compile((h: Tensor, chunk: Tensor) => {
      for (const i of [0, 1]) h = h.mul(w).add(chunk.at(i)).tanh();
      optimizer.minimize(h.square());
      return h;
    });
    let h: Tensor = zeros([], 'f64');
    for (let i = 0; i < inputs.length; i += 2) h = step(h, tensor(inputs.slice(i, i + 2), null, f64));
    close(await w.item(), plain().w);
    close(await h.item(), plain().h);
  });
});

it('generation with a growing cache computes each entry once', async () => {
  const w = parameter([
    [0.5, 0.1],
    [-0.2, 0.3],
  ]);
  let cache: Tensor | null = null;
  let x = tensor([[1, 0.5]], null, f64);
  const twice: string[] = [];
  const outputs: number[] = [];
  let peak = 0;
  for (let i = 0; i < 12; i++) {
    const { result, computedTwice } = await profile(() =>
      noGrad(() => {
        const entry = x.matmul(w).tanh();
        cache = cache === null ? entry : concat([cache, entry]);
        x = cache.mean(0, { keepDims: true });
        return x.sum();
      }).item(),
    );
    outputs.push(result);
    twice.push(...computedTwice);
    peak = Math.max(peak, held(cache!));
  }
  const plain = plainGeneration(12);
  for (const [i, want] of plain.entries()) close(outputs[i]!, want);
  // An entry, and the mean that it came from, are computed again when the next step reads them: then they are stored.
  expect(twice.length).toBeLessThanOrEqual(12 * 6);
  expect(twice.filter((op) => op === 'dot').length).toBeLessThanOrEqual(12);
});

function plainGeneration(count: number): number[] {
  const w = [
    [0.5, 0.1],
    [-0.2, 0.3],
  ];
  const cache: number[][] = [];
  let x = [1, 0.5];
  return Array.from({ length: count }, () => {
    cache.push([0, 1].map((j) => Math.tanh(x[0]! * w[0]![j]! + x[1]! * w[1]![j]!)));
    x = [0, 1].map((j) => cache.reduce((sum, row) => sum + row[j]!, 0) / cache.length);
    return x[0]! + x[1]!;
  });
}

it('a closure is evaluated many times before one step (line search)', async () => {
  const { w, v, x, y } = model();
  const closure = async (): Promise<{ loss: number; dw: number; dv: number }> => {
    [w.grad, v.grad] = [null, null];
    const loss = squaredError(w, v, x, y);
    backward(loss);
    return { loss: await loss.item(), dw: await w.grad!.item(), dv: await v.grad!.item() };
  };
  const first = await closure();
  const from = [await w.item(), await v.item()] as const;
  let rate = 8;
  let last = first;
  for (; rate > 1e-3; rate /= 2) {
    w.assign(from[0] - rate * first.dw);
    v.assign(from[1] - rate * first.dv);
    last = await closure();
    if (last.loss < first.loss) break;
  }
  const want = plainStep(start.w - rate * first.dw, start.v - rate * first.dv, xs, ys);
  close(last.loss, want.loss);
  close(last.dw, want.dw);
  expect(last.loss).toBeLessThan(first.loss);
});

it('running statistics gather over an epoch that reads nothing, and cost no run of their own', async () => {
  const { w, v, optimizer, x, y } = model();
  const running = new Variable(zeros([], 'f64'), { name: 'runningMean' });
  let plain = 0;
  for (let i = 0; i < steps; i++) {
    const { runs } = await profile(() => {
      const out = predict(w, v, x);
      running.assign(noGrad(() => running.mul(0.9).add(out.mean().mul(0.1))));
      optimizer.minimize(out.sub(y).square().mean());
    });
    expect(runs).toBe(1);
    const before = plainRun(i);
    plain = 0.9 * plain + (0.1 * xs.reduce((sum, xi) => sum + before.v * Math.tanh(before.w * xi), 0)) / xs.length;
  }
  close(await running.item(), plain);
});

it('the best weights are kept and restored', async () => {
  const { w, v, x, y } = model();
  const optimizer = new SGD([w, v], { lr: 3 }); // too far: the loss goes up and down
  let best = { loss: Number.POSITIVE_INFINITY, w: w.snapshot(), v: v.snapshot() };
  for (let i = 0; i < 8; i++) {
    const loss = squaredError(w, v, x, y);
    const kept = { w: w.snapshot(), v: v.snapshot() };
    optimizer.minimize(loss);
    const value = await loss.item();
    if (value < best.loss) best = { loss: value, ...kept };
  }
  w.assign(best.w);
  v.assign(best.v);
  close(await squaredError(w, v, x, y).item(), best.loss);
});

it('a learning rate that anneals, with Adam: one program for all steps', async () => {
  const { w, v, x, y } = model();
  const optimizer = new Adam([w, v], { lr: 0.1 });
  let traces = 0;
  const step = compile((x: Tensor, y: Tensor) => {
    traces++;
    const loss = squaredError(w, v, x, y);
    optimizer.minimize(loss);
    return loss;
  });
  const losses: number[] = [];
  for (let i = 0; i < 20; i++) {
    optimizer.lr = 0.1 * 0.9 ** i;
    losses.push(await step(x, y).item());
  }
  expect(traces).toBe(2);
  expect(losses.at(-1)!).toBeLessThan(losses[0]!);
});

it('meta-learning: a gradient step is differentiated through', async () => {
  const w = parameter(start.w, 'w');
  const v = tensor(start.v, null, f64);
  const [x, y] = [tensor(xs, null, f64), tensor(ys, null, f64)];
  const outer = (w: Tensor): Tensor => {
    const inner = squaredError(w, v, x, y);
    return squaredError(w.sub(grad(inner, w).mul(0.1)), v, x, y);
  };
  const measured = await noGradOuter(start.w + 1e-5).then(
    async (up) => (up - (await noGradOuter(start.w - 1e-5))) / 2e-5,
  );
  expect(await grad(outer(w), w).item()).toBeCloseTo(measured, 7);

  async function noGradOuter(at: number): Promise<number> {
    const { dw } = plainStep(at, start.v, xs, ys);
    return plainStep(at - 0.1 * dw, start.v, xs, ys).loss;
  }
});
