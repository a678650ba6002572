/**
 * Memory stays flat: in an eager training loop that awaits nothing but reads of the CPU backend, in a compiled one, and in
 * a loop with large outputs. DL_MEMORY_STEPS=10000 runs them for longer.
 */
import { grad } from '@dl/autograd';
import { cpu } from '@dl/backend-cpu';
import { beforeAll, describe, expect, it } from 'vitest';
import { compile, getBackend, rand, setBackend, type Tensor, tensor, Variable } from './index';

const steps = Number(process.env.DL_MEMORY_STEPS ?? 400);

beforeAll(async () => setBackend(await cpu()));

const megabytes = (bytes: number): number => bytes / 2 ** 20;
const inUse = (): number => megabytes(getBackend().memory().inUse);
const resident = (): number => megabytes(process.memoryUsage.rss());

interface Peaks {
  storage: number;
  rss: number;
}

/** Lets the collector run, and its finalisers after it: when it would do so by itself is its own affair. */
async function collect(): Promise<void> {
  if (globalThis.gc === undefined) throw new Error('This test needs node --expose-gc.');
  for (let i = 0; i < 3; i++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** What a loop holds at most after a collection, in each half of its steps. */
async function peaks(loop: (i: number) => Promise<unknown>): Promise<[Peaks, Peaks]> {
  const halves: [Peaks, Peaks] = [
    { storage: 0, rss: 0 },
    { storage: 0, rss: 0 },
  ];
  const every = Math.ceil(steps / 20);
  for (let i = 0; i < steps; i++) {
    await loop(i);
    if ((i + 1) % every !== 0) continue;
    await collect();
    const half = halves[i < steps / 2 ? 0 : 1];
    half.storage = Math.max(half.storage, inUse());
    half.rss = Math.max(half.rss, resident());
  }
  return halves;
}

/** The second half of a loop holds no more than the first. */
async function expectFlat(loop: (i: number) => Promise<unknown>, slackMB: number): Promise<void> {
  const [first, second] = await peaks(loop);
  if (process.env.DL_MEMORY_STEPS) console.log({ steps, first, second });
  expect(second.storage).toBeLessThan(first.storage + slackMB);
  expect(second.rss).toBeLessThan(first.rss * 1.5 + 256);
}

/** A two-layer perceptron with a batch of 64 and about 2 MB of intermediate values a step. */
function perceptron(): { parameters: Variable[]; loss: (x: Tensor) => Tensor } {
  const weight = (m: number, n: number): Variable =>
    new Variable(rand([m, n]).sub(0.5).mul(0.1), { requiresGrad: true });
  const parameters = [weight(256, 1024), weight(1024, 256)];
  return { parameters, loss: (x) => x.matmul(parameters[0]!).tanh().matmul(parameters[1]!).sub(x).square().mean() };
}

function update(parameters: readonly Variable[], loss: Tensor): void {
  const gradients = grad(loss, [...parameters]) as Tensor[];
  parameters.forEach((p, i) => p.assign(p.sub(gradients[i]!.mul(0.01))));
}

describe('memory', () => {
  it('stays flat in an eager loop that awaits nothing but reads', async () => {
    const { parameters, loss } = perceptron();
    const x = rand([64, 256]).realize();
    await expectFlat(async () => {
      const l = loss(x);
      update(parameters, l);
      await l.item();
    }, 8);
  });

  it('stays flat in a compiled loop', async () => {
    const { parameters, loss } = perceptron();
    const x = rand([64, 256]).realize();
    const step = compile((input: Tensor) => {
      const l = loss(input);
      update(parameters, l);
      return l;
    });
    await expectFlat(async () => step(x).item(), 1);
  });

  it('stays flat with large outputs that nobody disposes', async () => {
    const x = tensor(new Float32Array(1 << 20));
    const double = compile((input: Tensor) => input.mul(2));
    await expectFlat(async (i) => (i % 2 ? double(x) : x.mul(3).realize()).at(0).item(), 16);
  });
});

describe('what is let go', () => {
  it('is the graph that a compiled function recorded', async () => {
    let recorded: WeakRef<object> | undefined;
    const double = compile((x: Tensor) => {
      const inner = x.mul(2);
      recorded = new WeakRef(inner.node);
      return inner.add(inner.tanh());
    });
    for (let i = 0; i < 3; i++) await double(tensor([1, 2])).data();
    await collect();
    expect(recorded!.deref()).toBeUndefined();
    await double(tensor([1, 2])).data();
  });

  it('is the memory of small values, but not of the one that is kept', async () => {
    const before = inUse();
    let kept: Tensor | undefined;
    const make = async (): Promise<void> => {
      let x = tensor(new Float32Array(64));
      for (let i = 0; i < 4000; i++) {
        x = x.add(1).realize();
        if (i === 2000) kept = x;
      }
      await x.data();
      x.dispose();
    };
    await make();
    await collect();
    expect(inUse() - before).toBeLessThan(megabytes(4096));
    expect((await kept!.data())[0]).toBe(2001);
  });

  it('is the memory of many small values, in a loop that awaits nothing but reads', async () => {
    const before = inUse();
    let x = tensor(new Float32Array(16)).realize();
    for (let round = 0; round < 150; round++) {
      for (let i = 0; i < 1000; i++) x = x.add(1).realize();
      await x.data();
      if (round % 10 === 9) globalThis.gc!();
    }
    // 150,000 storages of 64 bytes; finalisers had a turn after each 65,536.
    expect(inUse() - before).toBeLessThan(megabytes(75_536 * 64));
  });

  it('is the memory of a variable that was assigned eagerly', async () => {
    const assigned = async (): Promise<void> => {
      const v = new Variable(tensor(new Float32Array(1 << 20)));
      for (let i = 0; i < 3; i++) {
        v.assign(v.add(1));
        await v.slice([0], [1]).data();
      }
    };
    await collect();
    const before = inUse();
    await assigned();
    expect(inUse()).toBeGreaterThan(before + 4);
    await collect();
    expect(inUse()).toBeLessThan(before + 4);
  });
});
