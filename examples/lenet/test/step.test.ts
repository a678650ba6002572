/** What a training step costs: how many kernels, and what a replay allocates. */
import { cpu } from '@dl/backend-cpu';
import { crossEntropy } from '@dl/layers';
import { Adam } from '@dl/optim';
import { compile, profile, randint, randn, setBackend, setSeed, type Tensor } from '@dl/tensor';
import { beforeAll, describe, expect, test } from 'vitest';
import { LeNet } from '../src/model';

beforeAll(async () => {
  setBackend(await cpu());
  setSeed(0);
});

test('LeNet has 61,706 parameters and gives ten scores', () => {
  const summary = new LeNet().summary([2, 1, 28, 28]);
  expect(summary.parameters).toBe(61706);
  expect(summary.multiplyAdds).toBe(2 * 416520);
  expect(new LeNet().forward(randn([2, 1, 28, 28])).shape).toEqual([2, 10]);
});

describe('a compiled training step', () => {
  const setUp = () => {
    const model = new LeNet();
    const optimizer = new Adam(model.parameters(), { lr: 2e-3 });
    const step = compile((x: Tensor, y: Tensor) => {
      const loss = crossEntropy(model.forward(x), y);
      optimizer.minimize(loss);
      return loss;
    });
    return { step, x: randn([64, 1, 28, 28]).realize(), y: randint(0, 10, [64]).realize() };
  };

  test('is at most 40 kernels, and allocates nothing but its loss when replayed', async () => {
    const { step, x, y } = setUp();
    for (let i = 0; i < 3; i++) step(x, y);
    const { kernels, allocations, allocatedBytes, runs } = await profile(() => step(x, y));
    expect(kernels.length).toBeLessThanOrEqual(40);
    // Each of the ten parameters is updated by one kernel; the step size is one more.
    expect(kernels.filter(({ name }) => name.includes('sqrt') && !name.includes('expm1'))).toHaveLength(10);
    expect({ allocations, allocatedBytes, runs }).toEqual({ allocations: 1, allocatedBytes: 4, runs: 1 });
  });

  test('lowers the loss of a batch that it sees again and again', async () => {
    const { step, x, y } = setUp();
    const first = await step(x, y).item();
    for (let i = 0; i < 60; i++) step(x, y);
    expect(await step(x, y).item()).toBeLessThan(first / 2);
  });
});
