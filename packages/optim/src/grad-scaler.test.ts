import { backward } from '@dl/autograd';
import { cpu } from '@dl/backend-cpu';
import { type Backend, compile, ShapeError, setBackend, type Tensor, tensor, ValueError, Variable } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { Adam, GradScaler, SGD } from './index';

const parameter = (...data: number[]): Variable => new Variable(tensor(data), { requiresGrad: true, name: 'p' });

const backends: Record<string, () => Promise<Backend>> = {
  reference: async () => referenceBackend(),
  cpu: () => cpu(),
};

describe.each(Object.entries(backends))('GradScaler on %s', (_, backend) => {
  beforeAll(async () => setBackend(await backend()));

  it('keeps gradients that f16 would lose', async () => {
    const tiny = (p: Variable): Tensor => p.cast('f16').cast('f32').mul(1e-8).sum();
    const [lost, kept] = [parameter(1), parameter(1)];
    new SGD([lost], { lr: 1e7 }).minimize(tiny(lost));
    new SGD([kept], { lr: 1e7 }).minimize(tiny(kept), { scaler: new GradScaler() });
    expect(await lost.item()).toBe(1);
    expect(await kept.item()).toBeCloseTo(0.9, 4); // 1e-8 · 65536 has 11 bits in f16
  });

  it('leaves a step out that is not finite, moments and counts included, and finds the scale: eager and compiled', async () => {
    for (const make of [(f: (x: Tensor) => void) => f, (f: (x: Tensor) => void) => compile(f)]) {
      const [p, twin] = [parameter(1, 2), parameter(1, 2)];
      const [optimizer, plain] = [new Adam([p], { lr: 0.1 }), new Adam([twin], { lr: 0.1 })];
      const scaler = new GradScaler({ initScale: 8, growthInterval: 2 });
      const seen = new Variable(tensor(0));
      const step = make((x) => {
        seen.assign(seen.add(1));
        optimizer.minimize(p.mul(x).square().sum(), { scaler });
      });
      const scales: number[] = [];
      for (const factor of [1, 1e30, 2, 3, 1, Number.NaN, 1]) {
        step(tensor([factor, 1]));
        if (factor < 1e30)
          plain.minimize(
            twin
              .mul(tensor([factor, 1]))
              .square()
              .sum(),
          );
        scales.push(await scaler.value.item());
        expect(await p.array()).toEqual(await twin.array());
      }
      expect(scales).toEqual([8, 4, 4, 8, 8, 4, 4]);
      expect(await seen.item()).toBe(7);
      const [got, want] = [optimizer.stateDict().tensors, plain.stateDict().tensors];
      for (const [key, value] of Object.entries(want))
        expect([...(await got[key]!.data())]).toEqual([...(await value.data())]);
    }
  });

  it('works in parts: a scaled loss, backward, and a step that clips the gradients without the scale', async () => {
    const p = parameter(3, 4);
    const [scaler, optimizer] = [new GradScaler({ initScale: 1024 }), new SGD([p], { lr: 1 })];
    backward(scaler.scale(p.square().mul(0.5).sum()));
    expect(await p.grad!.array()).toEqual([3 * 1024, 4 * 1024]);
    optimizer.step({ scaler, clipNorm: 2.5 });
    expect((await p.data())[0]).toBeCloseTo(1.5, 5);
    expect((await p.data())[1]).toBeCloseTo(2, 5);
    const none = new SGD([parameter(1)], { lr: 1 });
    none.step({ scaler });
    expect(await scaler.value.item()).toBe(1024);
  });

  it('never grows to infinity', async () => {
    const p = parameter(0);
    const scaler = new GradScaler({ initScale: 2 ** 127, growthInterval: 1 });
    new SGD([p], { lr: 1 }).minimize(p.sum().mul(2 ** -100), { scaler });
    expect(await scaler.value.item()).toBe(2 ** 127);
  });
});

it('its state restores the scale and the count towards growth', async () => {
  setBackend(referenceBackend());
  const p = parameter(1);
  const optimizer = new SGD([p], { lr: 0.1 });
  const scaler = new GradScaler({ initScale: 16, growthInterval: 3 });
  const step = (by: GradScaler): void => optimizer.minimize(p.square().sum(), { scaler: by });
  step(scaler);
  step(scaler);
  const resumed = new GradScaler({ growthInterval: 3 });
  resumed.loadStateDict(scaler.stateDict());
  step(resumed);
  expect(await resumed.value.item()).toBe(32);
  expect(() => resumed.loadStateDict({ scale: tensor([1]), growth_tracker: tensor(0) })).toThrow(ShapeError);
});

it('says what its options are', () => {
  expect(() => new GradScaler({ initScale: 0 })).toThrow('GradScaler: initScale is above 0, not 0.');
  expect(() => new GradScaler({ growthFactor: 1 })).toThrow(ValueError);
  expect(() => new GradScaler({ backoffFactor: 1 })).toThrow('backoffFactor is between 0 and 1');
  expect(() => new GradScaler({ growthInterval: 0.5 })).toThrow('growthInterval counts steps, not 0.5.');
});
