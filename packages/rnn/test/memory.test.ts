/**
 * Memory stays flat: over truncated back-propagation with a carried state, compiled and eager, and over generation, one
 * token at a time. DL_MEMORY_STEPS=5000 runs them for longer.
 */
import { backward, stopGradient } from '@dl/autograd';
import { cpu } from '@dl/backend-cpu';
import { Embedding, Linear } from '@dl/layers';
import { SGD } from '@dl/optim';
import { compile, rand, setBackend, type Tensor, Variable } from '@dl/tensor';
import { heldInHalves } from '@dl/testing';
import { beforeAll, expect, test, vi } from 'vitest';
import { GRU, generate, LSTM } from '../src';

const steps = Number(process.env['DL_MEMORY_STEPS'] ?? 120);

vi.setConfig({ testTimeout: 60_000 + steps * 200 });

beforeAll(async () => setBackend(await cpu()));

/** What a loop holds in the second half of its steps is what it held in the first. */
async function expectFlat(name: string, step: () => Promise<unknown>): Promise<void> {
  const [first, second] = await heldInHalves(steps, step);
  if (process.env['DL_MEMORY_STEPS']) console.log(`${name}: ${steps} steps, MB held at most`, { first, second });
  expect(second).toBeLessThan(first + 0.25);
}

const setUp = () => {
  const lstm = new LSTM(8, 64);
  const zero = lstm.zeroState(16);
  const x = rand([6, 16, 8]).realize();
  return {
    lstm,
    x,
    h: new Variable(zero.h),
    c: new Variable(zero.c),
    optimizer: new SGD(lstm.parameters(), { lr: 0.01 }),
  };
};

test('compiled steps with the state in variables', async () => {
  const { lstm, x, h, c, optimizer } = setUp();
  const step = compile((input: Tensor) => {
    const { output, state } = lstm.forward(input, { state: { h, c } });
    const loss = output.square().mean();
    optimizer.minimize(loss);
    h.assign(state.h);
    c.assign(state.c);
    return loss;
  });
  await expectFlat('compiled, truncated', () => step(x).item());
});

test('eager steps whose state is cut from the graph', async () => {
  const { lstm, x, optimizer } = setUp();
  let state = lstm.zeroState(16);
  await expectFlat('eager, truncated', async () => {
    const { output, state: next } = lstm.forward(x, { state });
    const loss = output.square().mean();
    optimizer.zeroGrad();
    backward(loss);
    optimizer.step();
    state = { h: stopGradient(next.h), c: stopGradient(next.c) };
    await loss.item();
  });
});

test('generation, compiled and eager', async () => {
  const [embedding, gru, head] = [new Embedding(20, 16), new GRU(16, 64), new Linear(64, 20)];
  const state = new Variable(gru.zeroState(1));
  const next = (token: Tensor): Tensor => {
    const { output, state: after } = gru.forward(embedding.forward(token).unsqueeze(0), { state });
    state.assign(after);
    return head.forward(output);
  };
  for (const [name, step] of [
    ['compiled', compile(next)],
    ['eager', next],
  ] as const) {
    const tokens = generate(step, [0], { maxTokens: steps + 1 });
    await expectFlat(`generation, ${name}`, () => tokens.next());
  }
});
