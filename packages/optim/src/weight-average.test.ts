import { compile, setBackend, tensor, ValueError, Variable } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { WeightAverage } from './index';

beforeAll(() => setBackend(referenceBackend()));

const variable = (x: number): Variable => new Variable(tensor([x], null, { dtype: 'f64' }), { requiresGrad: true });

describe('WeightAverage', () => {
  it.each(['eager', 'compiled'])('decays, %s', async (way) => {
    const w = variable(0);
    const average = new WeightAverage([w], { decay: 0.5 });
    const body = (x: ReturnType<typeof tensor>): void => {
      w.assign(x);
      average.update();
    };
    const step = way === 'eager' ? body : compile(body);
    for (const x of [4, 8, 2]) step(tensor([x], null, { dtype: 'f64' }));
    expect(await average.of(w).item()).toBe(((0 + 4) / 4 + 8 / 2) / 2 + 1);
    expect(average.of(w).requiresGrad).toBe(false);
  });

  it('averages equally', async () => {
    const w = variable(100);
    const average = new WeightAverage([w], { decay: null });
    for (const x of [1, 2, 6]) {
      w.assign(x);
      average.update();
    }
    expect(await average.of(w).item()).toBeCloseTo(3, 12);
  });

  it('exchanges weights and averages, and back', async () => {
    const w = variable(2);
    const average = new WeightAverage([w], { decay: 0.5 });
    w.assign(4);
    average.update(); // 3
    average.swap();
    expect([await w.item(), await average.of(w).item()]).toEqual([3, 4]);
    expect(() => average.update()).toThrow(/swapped/);
    average.swap();
    expect([await w.item(), await average.of(w).item()]).toEqual([4, 3]);
  });

  it('saves and loads', async () => {
    const [v, w] = [variable(2), variable(8)];
    const [a, b] = [new WeightAverage([v], { decay: null }), new WeightAverage([w], { decay: null })];
    a.update();
    v.assign(4);
    a.update();
    b.loadStateDict(a.stateDict());
    w.assign(9);
    b.update();
    expect(await b.of(w).item()).toBeCloseTo((2 + 4 + 9) / 3, 12);
    expect(() => b.loadStateDict({})).toThrow(ValueError);
    expect(() => b.of(v)).toThrow(/not averaged/);
    expect(() => new WeightAverage([v], { decay: 1 })).toThrow(/decay is 1/);
  });
});
