/** Every optimiser against PyTorch, ten steps each: eager by minimize, eager by backward and step, and compiled. */
import { backward } from '@dl/autograd';
import { compile, setBackend, type Tensor, tensor, Variable } from '@dl/tensor';
import { compareGolden, type GoldenCase, readGolden, referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  AdaDelta,
  AdaGrad,
  Adam,
  Adamax,
  AdamW,
  clipGradNorm,
  clipGradValue,
  LBFGS,
  NAdam,
  RAdam,
  RMSProp,
  SGD,
} from './index';

beforeAll(() => setBackend(referenceBackend()));

const optimizers = {
  sgd: SGD,
  adagrad: AdaGrad,
  adadelta: AdaDelta,
  rmsprop: RMSProp,
  adam: Adam,
  adamw: AdamW,
  nadam: NAdam,
  radam: RAdam,
  adamax: Adamax,
} as const;

const camel = (key: string): string => key.replace(/_(.)/g, (_, c: string) => c.toUpperCase());

const value = (golden: GoldenCase, name: string, options: { requiresGrad?: boolean } = {}): Tensor => {
  const { data, shape } = golden.inputs[name]!;
  return tensor(data, shape, { dtype: 'f32', ...options });
};

function problem(golden: GoldenCase) {
  const { objective, steps, ...settings } = golden.attrs;
  const [a, b, c, d, e] = objective as [number, number, number, number, number];
  const [p1, p2] = ['p1', 'p2'].map((name) => new Variable(value(golden, name), { requiresGrad: true, name }));
  const options =
    golden.op in optimizers ? Object.fromEntries(Object.entries(settings).map(([k, v]) => [camel(k), v])) : {};
  const Kind = (optimizers[golden.op as keyof typeof optimizers] ?? SGD) as typeof SGD;
  const optimizer = new Kind([p1!, p2!], options);
  const loss = (): Tensor => {
    const own = p1!
      .mul(b)
      .sin()
      .mul(a)
      .add(p1!.square().mul(0.5 * c))
      .sum();
    return own.add(p2!.square().sub(1).square().sum().mul(d)).add(p1!.matmul(p2!).sum().mul(e));
  };
  return { p1: p1!, p2: p2!, steps: steps as number, optimizer, loss };
}

async function check(golden: GoldenCase, name: string, step: number, got: Tensor): Promise<void> {
  const want = golden.outputs[name]!;
  const shape = want.shape.slice(1);
  const size = shape.reduce((n, s) => n * s, 1);
  const data = want.data.slice(step * size, (step + 1) * size);
  const actual = { shape: got.shape, dtype: got.dtype, data: Float64Array.from(await got.data()) };
  expect(compareGolden(actual, { ...want, shape, data }, golden), `${name} after step ${step}`).toBeUndefined();
}

const cases = readGolden('optim').filter(({ op }) => op in optimizers);

const ways = {
  minimize:
    ({ optimizer, loss }: ReturnType<typeof problem>) =>
    () => {
      const value = loss();
      optimizer.minimize(value);
      return value;
    },
  'backward and step':
    ({ optimizer, loss }: ReturnType<typeof problem>) =>
    () => {
      optimizer.zeroGrad();
      const value = loss();
      backward(value);
      optimizer.step();
      return value;
    },
  compiled: ({ optimizer, loss }: ReturnType<typeof problem>) =>
    compile(() => {
      const value = loss();
      optimizer.minimize(value);
      return value;
    }),
  'compiled backward and step': ({ optimizer, loss }: ReturnType<typeof problem>) =>
    compile(() => {
      const value = loss();
      backward(value);
      optimizer.step();
      optimizer.zeroGrad();
      return value;
    }),
};

describe.each(Object.entries(ways))('%s', (_, way) => {
  it.each(cases.map((c) => [c.name, c] as const))('%s', async (__, golden) => {
    const made = problem(golden);
    const step = way(made);
    for (let i = 0; i < made.steps; i++) {
      const loss = step();
      await check(golden, 'loss', i, loss);
      await check(golden, 'p1', i, made.p1);
      await check(golden, 'p2', i, made.p2);
    }
  });
});

describe('LBFGS', () => {
  it.each(
    readGolden('optim')
      .filter((c) => c.op === 'lbfgs')
      .map((c) => [c.name, c] as const),
  )('%s', async (_, golden) => {
    const { p1, p2, steps, loss } = problem(golden);
    const { objective: _objective, steps: _steps, ...settings } = golden.attrs;
    const optimizer = new LBFGS([p1, p2], Object.fromEntries(Object.entries(settings).map(([k, v]) => [camel(k), v])));
    for (let i = 0; i < steps; i++) {
      await check(golden, 'loss', i, tensor(await optimizer.step(loss)));
      await check(golden, 'p1', i, p1);
      await check(golden, 'p2', i, p2);
    }
  });
});

describe('clipping', () => {
  it.each(
    readGolden('optim')
      .filter((c) => c.op === 'clip_grad_norm')
      .map((c) => [c.name, c] as const),
  )('%s', async (_, golden) => {
    const names = Object.keys(golden.inputs);
    const parameters = names.map((name) => {
      const p = new Variable(value(golden, name), { requiresGrad: true });
      p.grad = value(golden, name);
      return p;
    });
    const normType = Number(golden.attrs['norm_type']);
    const norm = clipGradNorm(parameters, golden.attrs['max_norm'] as number, { normType })!;
    const results = { ...Object.fromEntries(names.map((name, i) => [name, parameters[i]!.grad!])), total_norm: norm };
    for (const [name, got] of Object.entries(results)) {
      const actual = { shape: got.shape, dtype: got.dtype, data: Float64Array.from(await got.data()) };
      expect(compareGolden(actual, golden.outputs[name]!, golden), name).toBeUndefined();
    }
  });

  it.each(
    readGolden('optim')
      .filter((c) => c.op === 'clip_grad_value')
      .map((c) => [c.name, c] as const),
  )('%s', async (_, golden) => {
    for (const name of Object.keys(golden.inputs)) {
      const p = new Variable(value(golden, name), { requiresGrad: true });
      p.grad = value(golden, name);
      clipGradValue([p], golden.attrs['clip_value'] as number);
      const actual = { shape: p.shape, dtype: p.dtype, data: Float64Array.from(await p.grad!.data()) };
      expect(compareGolden(actual, golden.outputs[name]!, golden), name).toBeUndefined();
    }
  });
});
