/** Reductions, alone and fused with what is before and after them. */
import type { Tensor } from '@dl/tensor';
import { all, type Call, type Domain, floats, numbers, type Row } from './row';

const exact = { rtol: 0, atol: 0 };

interface Space {
  readonly shape: readonly number[];
  readonly axes: number | readonly number[] | undefined;
}

const spaces: readonly Space[] = [
  { shape: [3, 7], axes: 1 },
  { shape: [3, 7], axes: 0 },
  { shape: [3, 7], axes: undefined },
  { shape: [2, 3, 4], axes: 1 },
  { shape: [2, 3, 4], axes: [0, 2] },
  { shape: [5], axes: 0 },
  { shape: [1, 1], axes: 1 },
  { shape: [2, 1, 3], axes: [1] },
  { shape: [37, 65], axes: 1 },
  { shape: [130, 33], axes: 0 },
];

/** Spaces without elements along the reduced axes, or beside them. */
const empty: readonly Space[] = [
  { shape: [2, 0], axes: 1 },
  { shape: [0, 3], axes: 1 },
  { shape: [0], axes: undefined },
];

/** Few rows with many elements, which are reduced in two stages. */
const long: readonly Space[] = [
  { shape: [20000], axes: undefined },
  { shape: [3, 5000], axes: 1 },
  { shape: [5000, 3], axes: 0 },
];

const calls = (
  apply: (x: Tensor, axes: Space['axes']) => Tensor,
  list: readonly Space[],
  domain: Domain = 'small',
): Call[] => [
  ...list.map(({ shape, axes }) => ({ inputs: [{ shape, domain }], apply: (x: Tensor) => apply(x, axes) })),
  { label: 'transposed', inputs: [{ shape: [6, 5], domain }], apply: (x) => apply(x.transpose(), 0) },
];

const axisOf = (axes: Space['axes']): number | undefined =>
  Array.isArray(axes) ? axes[0] : (axes as number | undefined);

const reductions: Row[] = [
  {
    name: 'sum',
    dtypes: all,
    tolerance: exact,
    calls: calls((x, axes) => x.sum(axes), [...spaces, ...empty, ...long]),
  },
  {
    name: 'prod',
    dtypes: numbers,
    tolerance: { rtol: 1e-5 },
    calls: calls(
      (x, axes) => x.prod(axes),
      [...spaces, ...empty].filter(({ shape }) => shape[0]! < 30),
    ),
  },
  ...(['small', 'special'] as const).flatMap((domain): Row[] => [
    {
      name: `max of ${domain} numbers`,
      dtypes: all,
      tolerance: exact,
      calls: calls((x, axes) => x.max(axes), [...spaces, ...long], domain),
    },
    {
      name: `min of ${domain} numbers`,
      dtypes: all,
      tolerance: exact,
      calls: calls((x, axes) => x.min(axes), [...spaces, ...long], domain),
    },
    {
      name: `argmax of ${domain} numbers`,
      dtypes: all,
      calls: calls((x, axes) => x.argmax(axisOf(axes)), [...spaces, ...long], domain),
    },
  ]),
];

const row = (shape: readonly number[]): { shape: readonly number[] } => ({ shape });

/** Several reductions and elementwise operations over one space, as in normalisation and losses. */
const fused: Row[] = [
  {
    name: 'softmax and its relatives',
    dtypes: floats,
    calls: [
      [4, 10],
      [1, 1],
      [3, 1000],
      [2, 3, 4],
    ].flatMap((shape) => [
      { inputs: [row(shape)], apply: (x: Tensor) => x.softmax(-1) },
      { inputs: [row(shape)], apply: (x: Tensor) => x.logSoftmax(0) },
      { inputs: [row(shape)], apply: (x: Tensor) => x.logSumExp(-1) },
    ]),
  },
  {
    name: 'layer normalisation',
    dtypes: floats,
    calls: [
      [5, 16],
      [2, 3, 129],
    ].map((shape) => ({
      inputs: [row(shape), row([shape.at(-1)!]), row([shape.at(-1)!])],
      apply: (x: Tensor, w: Tensor, b: Tensor) => {
        const centred = x.centred(-1);
        return centred
          .mul(centred.square().mean(-1, { keepDims: true }).add(1e-5).rsqrt())
          .mul(w)
          .add(b);
      },
    })),
  },
  {
    name: 'batch statistics over all axes but one',
    dtypes: floats,
    calls: [
      [4, 3, 5, 5],
      [2, 17, 8, 8],
    ].map((shape) => ({
      inputs: [row(shape)],
      apply: (x: Tensor) => [x.mean([0, 2, 3]), x.variance([0, 2, 3]), x.sub(x.mean([0, 2, 3], { keepDims: true }))],
    })),
  },
  {
    name: 'softmax of what is the same in all rows, or along a row',
    dtypes: floats,
    calls: [
      { inputs: [row([1, 2])], apply: (x) => x.expand([5, 2]).softmax(1) },
      { inputs: [row([1, 9])], apply: (x) => x.expand([13, 9]).softmax(1) },
      { inputs: [row([7, 1])], apply: (x) => x.expand([7, 3]).softmax(1) },
      {
        label: 'over both axes',
        inputs: [row([3, 1]), row([3, 40])],
        apply: (x, y) => {
          const e = x.expand([3, 40]).exp();
          const share = e.div(e.sum());
          return share.mul(y).sum().add(share.mul(share).sum());
        },
      },
    ],
  },
  {
    name: 'one row statistic read by many',
    dtypes: floats,
    calls: [
      {
        inputs: [row([6, 9])],
        apply: (x) => {
          const total = x.sum(1, { keepDims: true });
          return [total, x.mul(total), x.add(total).max(1), total.add(1).sum()];
        },
      },
    ],
  },
];

export const reduceRows: readonly Row[] = [...reductions, ...fused];
