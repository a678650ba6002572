/**
 * Memory stays flat: over truncated back-propagation with a carried state, compiled and eager, and over generation, one
 * token at a time. DL_MEMORY_STEPS=5000 runs them for longer.
 */
import { backward, stopGradient } from '@dl/autograd';
import { cpu } from '@dl/backend-cpu';
import { Embedding, Linear } from '@dl/layers';
import { SGD } from '@dl/optim';
import { compile, getBackend, rand, setBackend, type Tensor, Variable } from '@dl/tensor';
import { beforeAll, expect, test } from 'vitest';
import { GRU, generate, LSTM } from '../src';

const steps = Number(process.env['DL_MEMORY_STEPS'] ?? 120);

beforeAll(async () => setBackend(await cpu()));

/** Stored megabytes once the collector has run: what it has not found yet is no leak. */
async function heldMegabytes(): Promise<number> {
  for (let i = 0; i < 2; i++) {
    globalThis.gc!();
    await new Promise((resolve) => setTimeout(resolve, 5)); // finalisers run between turns of the event loop
  }
  return getBackend().memory().inUse / 2 ** 20;
}

/** What a loop holds in the second half of its steps is what it held in the first. */
async function expectFlat(loop: () => Promise<unknown>): Promise<void> {
  const most = [0, 0];
  for (let i = 1; i <= steps; i++) {
    await loop();
    const half = i <= steps / 2 ? 0 : 1;
    if (i % 20 === 0) most[half] = Math.max(most[half]!, await heldMegabytes());
  }
  expect(most[1]).toBeLessThan(most[0]! + 0.25);
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
  await expectFlat(() => step(x).item());
});

test('eager steps whose state is cut from the graph', async () => {
  const { lstm, x, optimizer } = setUp();
  let state = lstm.zeroState(16);
  await expectFlat(async () => {
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
  for (const step of [compile(next), next]) {
    const tokens = generate(step, [0], { maxTokens: steps + 1 });
    await expectFlat(() => tokens.next());
  }
});
