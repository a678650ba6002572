import { compile, setBackend, tensor, ValueError, Variable } from '@dl/tensor';
import { type GoldenCase, readGolden, referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  Adam,
  constantFactor,
  cosine,
  cyclic,
  exponentialDecay,
  linearRamp,
  linearWarmup,
  multiStepDecay,
  noam,
  oneCycle,
  Plateau,
  polynomialDecay,
  type Rate,
  Schedule,
  SGD,
  stepDecay,
  warmRestarts,
} from './index';

beforeAll(() => setBackend(referenceBackend()));

type Attributes = Readonly<Record<string, number>>;

const rates: Readonly<Record<string, (a: Attributes, golden: GoldenCase) => Rate>> = {
  step_lr: (a) => stepDecay(a['step_size']!, a['gamma']),
  multistep_lr: (a, { attrs }) => multiStepDecay(attrs['milestones'] as number[], a['gamma']),
  exponential_lr: (a) => exponentialDecay(a['gamma']!),
  cosine_annealing_lr: (a) => cosine(a['T_max']!, { min: a['eta_min']! }),
  cosine_annealing_warm_restarts: (a) => warmRestarts(a['T_0']!, { growth: a['T_mult']!, min: a['eta_min']! }),
  linear_lr: (a) => linearRamp(a['total_iters']!, { start: a['start_factor']!, end: a['end_factor']! }),
  constant_lr: (a) => constantFactor(a['total_iters']!, a['factor']),
  polynomial_lr: (a) => polynomialDecay(a['total_iters']!, a['power']),
  noam_lr: (a) => noam(a['d_model']!, a['warmup']!),
  lambda_lr: (a) => (epoch, base) => base * a['decay']! ** Math.floor(epoch / a['every']!),
  linear_warmup_cosine_lr: (a) => linearWarmup(a['warmup']!, cosine(a['total']! - a['warmup']!)),
  cyclic_lr: (a, { attrs }) =>
    cyclic(a['max_lr']!, {
      rise: a['step_size_up']!,
      fall: a['step_size_down']!,
      mode: attrs['mode'] === 'exp_range' ? 'expRange' : (attrs['mode'] as 'triangular'),
      gamma: a['gamma']!,
    }),
  one_cycle_lr: (a, { attrs }) =>
    oneCycle(a['max_lr']!, a['total_steps']!, {
      rise: a['pct_start']!,
      anneal: attrs['anneal_strategy'] as 'cos' | 'linear',
      divFactor: a['div_factor']!,
      finalDivFactor: a['final_div_factor']!,
      threePhase: attrs['three_phase'] as boolean,
      momentum: attrs['cycle_momentum'] ? [a['base_momentum']!, a['max_momentum']!] : null,
    }),
};

const sgd = (lr: number): SGD => new SGD([new Variable(tensor([1]), { requiresGrad: true })], { lr, momentum: 0.9 });

function expectClose(got: number, want: number, { rtol, atol }: GoldenCase, where: string): void {
  expect(Math.abs(got - want), `${where}: ${got}, wanted ${want}`).toBeLessThanOrEqual(atol + rtol * Math.abs(want));
}

describe('schedules are PyTorch’s', () => {
  const cases = readGolden('optim').filter(({ op }) => op.endsWith('_lr') || op.includes('warm_restarts'));

  it.each(cases.filter(({ op }) => op in rates).map((c) => [c.name, c] as const))('%s', (_, golden) => {
    const attrs = golden.attrs as Attributes;
    const optimizer = sgd(attrs['base_lr'] ?? 1);
    const schedule = new Schedule(optimizer, rates[golden.op]!(attrs, golden));
    const { lr, momentum } = golden.outputs;
    for (let e = 0; e < lr!.data.length; e++) {
      if (e > 0) schedule.step();
      expectClose(schedule.lr, lr!.data[e]!, golden, `epoch ${e}`);
      if (momentum) expectClose(optimizer.groups[0]!.options.momentum, momentum.data[e]!, golden, `momentum ${e}`);
    }
  });

  it.each(cases.filter(({ op }) => op === 'reduce_lr_on_plateau').map((c) => [c.name, c] as const))(
    '%s',
    (_, golden) => {
      const {
        metrics,
        threshold_mode: thresholdMode,
        min_lr: minLr,
        base_lr: base,
        epochs: __,
        ...rest
      } = golden.attrs;
      const plateau = new Plateau(sgd(base as number), { ...rest, thresholdMode, minLr } as object);
      const want = golden.outputs['lr']!.data;
      for (let e = 0; e < want.length; e++) {
        if (e > 0) plateau.step((metrics as number[])[e - 1]!);
        expectClose(plateau.lr, want[e]!, golden, `epoch ${e}`);
      }
    },
  );

  it('serves every case', () => {
    expect(cases.filter(({ op }) => !(op in rates) && op !== 'reduce_lr_on_plateau').map((c) => c.name)).toEqual([]);
  });
});

describe('Schedule', () => {
  it('sets each group by its own base, and momentum under the optimiser’s name for it', () => {
    const v = () => new Variable(tensor([1]), { requiresGrad: true });
    const optimizer = new Adam([{ params: [v()], lr: 1 }, { params: [v()] }], { lr: 0.1 });
    const schedule = new Schedule(optimizer, stepDecay(1, 0.5));
    schedule.step();
    expect(optimizer.groups.map((g) => g.lr)).toEqual([0.5, 0.05]);
    new Schedule(optimizer, oneCycle(1, 10));
    expect(optimizer.groups[0]!.options.betas).toEqual([0.95, 0.999]);
  });

  it('resumes', () => {
    const [a, b] = [sgd(0.1), sgd(0.1)];
    const [first, second] = [new Schedule(a, cosine(10)), new Schedule(b, cosine(10))];
    for (let i = 0; i < 4; i++) first.step();
    second.loadStateDict(first.stateDict());
    expect(b.lr).toBe(a.lr);
    second.step();
    first.step();
    expect(b.lr).toBe(a.lr);
  });

  it('is stepped on the host, not inside a compiled function', () => {
    const schedule = new Schedule(sgd(0.1), cosine(10));
    expect(() => compile(() => schedule.step())()).toThrow(/inside the compiled function/);
    expect(schedule.epoch).toBe(0);
  });

  it('refuses settings that make no sense', () => {
    expect(() => stepDecay(0)).toThrow(ValueError);
    expect(() => warmRestarts(3, { growth: 0 })).toThrow(ValueError);
    expect(() => new Plateau(sgd(1), { factor: 2 })).toThrow(ValueError);
    expect(() => oneCycle(1, 5)(5, 1)).toThrow(/step 5 of 5/);
  });
});
