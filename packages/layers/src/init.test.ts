import { Generator, setBackend, setSeed, type Tensor } from '@dl/tensor';
import { type GoldenCase, readGolden, referenceBackend } from '@dl/testing';
import { beforeEach, expect, test } from 'vitest';
import {
  constant,
  fanInUniform,
  fansOf,
  gainOf,
  heNormal,
  heUniform,
  lecunNormal,
  lecunUniform,
  type Nonlinearity,
  normal,
  uniform,
  xavierNormal,
  xavierUniform,
} from './index';

beforeEach(() => {
  setBackend(referenceBackend());
  setSeed(0);
});

const nonlinearities: Readonly<Record<string, Nonlinearity>> = { leaky_relu: 'leakyRelu' };

function make({ op, attrs }: GoldenCase): Tensor | null {
  const shape = attrs['shape'] as number[];
  const gain = Number(attrs['gain'] ?? 1);
  const name = String(attrs['nonlinearity'] ?? 'relu');
  const he = {
    mode: attrs['mode'] === 'fan_out' ? ('fanOut' as const) : ('fanIn' as const),
    nonlinearity: nonlinearities[name] ?? (name as Nonlinearity),
    ...(attrs['a'] === undefined ? {} : { slope: Number(attrs['a']) }),
  };
  switch (op) {
    case 'xavier_uniform':
      return xavierUniform(shape, { gain });
    case 'xavier_normal':
      return xavierNormal(shape, { gain });
    case 'kaiming_uniform':
      return heUniform(shape, he);
    case 'kaiming_normal':
      return heNormal(shape, he);
    case 'lecun_uniform':
      return lecunUniform(shape);
    case 'lecun_normal':
      return lecunNormal(shape);
    default:
      return null;
  }
}

const cases = readGolden('init').filter((golden) => make(golden) !== null);

test.each(cases.map((golden) => [golden.name, golden] as const))(
  '%s has the mean, spread and bounds of PyTorch',
  async (_, golden) => {
    const want = (name: string): number => golden.outputs[name]!.data[0]!;
    const values = await make(golden)!.cast('f64').data('f64');
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const std = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
    expect(Math.abs(mean - want('mean'))).toBeLessThan(want('mean_tolerance'));
    expect(Math.abs(std - want('std'))).toBeLessThan(want('std_tolerance'));
    if (golden.outputs['low']) {
      expect(values.every((v) => v >= want('low') * (1 + 1e-6) && v <= want('high') * (1 + 1e-6))).toBe(true);
    }
    const { fanIn, fanOut } = fansOf(golden.attrs['shape'] as number[]);
    expect([fanIn, fanOut]).toEqual([want('fan_in'), want('fan_out')]);
  },
);

test('gains are those of PyTorch', () => {
  for (const { attrs, outputs } of readGolden('init').filter((golden) => golden.op === 'calculate_gain')) {
    const name = String(attrs['nonlinearity']);
    const slope = attrs['param'] === null ? undefined : Number(attrs['param']);
    expect(gainOf(nonlinearities[name] ?? (name as Nonlinearity), slope)).toBeCloseTo(outputs['out']!.data[0]!, 6);
  }
});

test('constant, uniform and normal', async () => {
  expect(await constant(3)([2]).array()).toEqual([3, 3]);
  const drawn = await uniform(2, 4)([1000]).data();
  expect(drawn.every((v) => v >= 2 && v < 4)).toBe(true);
  expect(await normal(5, 0)([3]).array()).toEqual([5, 5, 5]);
  const generator = new Generator(1);
  const [a, b] = [
    await normal()([4], { generator }).array(),
    await normal()([4], { generator: new Generator(1) }).array(),
  ];
  expect(a).toEqual(b);
});

test('messages', () => {
  expect(() => xavierUniform([3])).toThrow('fansOf: a weight has at least two axes');
  expect(() => uniform(2, 1)).toThrow('uniform: low is 2 and high is 1.');
  expect(() => normal(0, -1)).toThrow('a standard deviation is at least 0, not -1.');
});

test('fanInUniform fills ±1/√fanIn evenly, and a fan of 0 gives zeros', async () => {
  const values = [...(await fanInUniform(25)([5000]).data())];
  expect(Math.max(...values)).toBeLessThanOrEqual(0.2);
  expect(Math.max(...values)).toBeGreaterThan(0.199);
  expect(Math.min(...values)).toBeLessThan(-0.199);
  const spread = Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
  expect(spread).toBeCloseTo(0.2 / Math.sqrt(3), 2); // that of a uniform distribution
  expect(await fanInUniform(0)([2]).array()).toEqual([0, 0]);
});
