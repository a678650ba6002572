/** What a training loop holds: the same after three hundred steps as after a hundred, whichever way it is written. */
import { backward } from '@dl/autograd';
import { cpu } from '@dl/backend-cpu';
import { compile, getBackend, randn, setBackend, setSeed, type Tensor, Variable } from '@dl/tensor';
import { expect, it } from 'vitest';
import { Adam } from './index';

const collect = globalThis.gc as () => void;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Bytes in use once what nobody holds was freed. */
async function inUse(): Promise<number> {
  for (let i = 0; i < 4; i++) {
    collect();
    await turn();
  }
  return getBackend().memory().inUse;
}

function training() {
  setSeed(0);
  const ws = [randn([16, 64]), randn([64, 8])].map((w) => new Variable(w.mul(0.1), { requiresGrad: true }));
  const optimizer = new Adam(ws, { lr: 1e-3 });
  const forward = (x: Tensor): Tensor => x.matmul(ws[0]!).relu().matmul(ws[1]!);
  return { optimizer, forward };
}

type Way = (made: ReturnType<typeof training>) => (x: Tensor, y: Tensor) => { loss: Tensor; out: Tensor };

const ways: Readonly<Record<string, Way>> = {
  minimize:
    ({ optimizer, forward }) =>
    (x, y) => {
      const out = forward(x);
      const loss = out.sub(y).square().mean();
      optimizer.minimize(loss);
      return { loss, out };
    },
  'backward and step':
    ({ optimizer, forward }) =>
    (x, y) => {
      const out = forward(x);
      const loss = out.sub(y).square().mean();
      optimizer.zeroGrad();
      backward(loss);
      optimizer.step();
      return { loss, out };
    },
  compiled: ({ optimizer, forward }) =>
    compile((x: Tensor, y: Tensor) => {
      const out = forward(x);
      const loss = out.sub(y).square().mean();
      optimizer.minimize(loss);
      return { loss, out };
    }),
};

it.each(Object.entries(ways))('%s', async (_, way) => {
  setBackend(await cpu());
  const step = way(training());
  const [x, y] = [randn([32, 16]).realize(), randn([32, 8]).realize()];
  let last: Tensor | null = null;
  const losses: Tensor[] = []; // a held loss is one number
  const run = async (steps: number): Promise<void> => {
    for (let i = 0; i < steps; i++) {
      const { loss, out } = step(x, y);
      if (i % 3 === 0) await out.data(); // computed again by the weights of before, and kept
      last = out;
      losses.push(loss);
      if (i % 2 === 0) await loss.item();
    }
  };
  await run(100);
  const before = await inUse();
  await run(200);
  const grown = (await inUse()) - before;
  expect(grown).toBeLessThanOrEqual(200 * 64 + 4096);
  expect(last!.shape).toEqual([32, 8]);
  expect(Number.isFinite(await losses[299]!.item())).toBe(true);
});
