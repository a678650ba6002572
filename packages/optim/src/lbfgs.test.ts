import { compile, setBackend, type Tensor, tensor, Variable } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { LBFGS } from './index';

beforeAll(() => setBackend(referenceBackend()));

const parameter = (data: number[]): Variable =>
  new Variable(tensor(data, null, { dtype: 'f64' }), { requiresGrad: true });

/** (1 − a)² + 100 (b − a²)², whose minimum lies in a narrow valley at (1, 1). */
const rosenbrock = (p: Tensor): Tensor => {
  const [a, b] = [p.at(0), p.at(1)];
  return a.sub(1).square().add(b.sub(a.square()).square().mul(100));
};

describe('LBFGS', () => {
  it('finds the minimum of a narrow valley with a line search', async () => {
    const p = parameter([-1.5, 2]);
    const optimizer = new LBFGS([p], {
      lineSearchFn: 'strong_wolfe',
      maxIter: 100,
      toleranceGrad: 1e-10,
      toleranceChange: 1e-14,
    });
    const before = await optimizer.step(() => rosenbrock(p));
    expect(before).toBeCloseTo(6.25 + 100 * 0.0625, 10);
    const [a, b] = await p.data();
    expect(a).toBeCloseTo(1, 6);
    expect(b).toBeCloseTo(1, 6);
  });

  it('minimises a parabola exactly, several variables together', async () => {
    const [a, b] = [parameter([3, -2]), parameter([5])];
    const loss = (): Tensor => a.sub(1).square().sum().add(b.add(a.sum()).square().mul(2).sum());
    const optimizer = new LBFGS([a, b], { lineSearchFn: 'strong_wolfe', toleranceChange: 1e-14 });
    for (let i = 0; i < 3; i++) await optimizer.step(loss);
    for (const [got, want] of [...(await a.data())].map((x) => [x, 1]).concat([[(await b.data())[0]!, -2]])) {
      expect(got).toBeCloseTo(want!, 6);
    }
  });

  it('resumes exactly', async () => {
    const run = async (optimizer: LBFGS, p: Variable, steps: number): Promise<void> => {
      for (let i = 0; i < steps; i++) await optimizer.step(() => rosenbrock(p));
    };
    const p = parameter([-1.5, 2]);
    const optimizer = new LBFGS([p], { maxIter: 3, lr: 0.1 });
    await run(optimizer, p, 2);
    const q = new Variable(p.snapshot(), { requiresGrad: true });
    const resumed = new LBFGS([q]);
    resumed.loadStateDict(optimizer.stateDict());
    await run(optimizer, p, 2);
    await run(resumed, q, 2);
    expect(await q.array()).toEqual(await p.array());
    expect(() => new LBFGS([parameter([1])]).loadStateDict(optimizer.stateDict())).toThrow(
      /of 2 parameters, but there are 1/,
    );
  });

  it('does not run inside a compiled function', async () => {
    const p = parameter([1]);
    const optimizer = new LBFGS([p]);
    let failure: Promise<unknown> = Promise.resolve();
    compile(() => {
      failure = optimizer.step(() => p.square().sum()).catch((error: Error) => error.message);
    })();
    expect(await failure).toMatch(/inside the compiled function/);
    expect(() => new LBFGS([])).toThrow(/no parameters/);
  });
});
