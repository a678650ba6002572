/** Movement: views of views, padding that must not be computed on, and starts that are read at run time. */
import { concat, type Tensor } from '@dl/tensor';
import { all, type Call, floats, type Input, numbers, type Row } from './row';

const exact = { rtol: 0, atol: 0 };

const one = (shape: readonly number[], apply: (x: Tensor) => Tensor, label?: string): Call => ({
  label: label ?? String(apply).replace(/^\(?x\)? => /, ''),
  inputs: [{ shape }],
  apply,
});

const views: Call[] = [
  one([2, 3, 4], (x) => x.reshape([6, 4]).add(0)),
  one([2, 3, 4], (x) => x.permute([2, 0, 1]).add(0)),
  one([2, 3, 4], (x) => x.permute([2, 0, 1]).reshape([4, 6]).transpose().reshape([-1])),
  one([6, 4], (x) => x.reshape([2, 3, 4]).permute([1, 0, 2]).reshape([3, 8])),
  one([3, 1, 5], (x) => x.expand([2, 3, 4, 5])),
  one([7], (x) => x.flip(0)),
  one([5, 6], (x) => x.at('1:4', '::-2')),
  one([5, 6], (x) => x.at('::2', '-3:').transpose().reshape([-1])),
  one([0, 3], (x) => x.reshape([3, 0])),
  one([], (x) => x.reshape([1, 1])),
  one([4, 5], (x) => x.tile([2, 3])),
  one([4, 5], (x) => x.repeat(1, 3)),
  one([6, 6], (x) => x.reshape([2, 3, 3, 2]).permute([0, 2, 1, 3]).reshape([6, 6])),
  one([64, 48], (x) => x.transpose().add(0), 'a large transposition'),
];

const padding: Call[] = [
  one([4], (x) => x.pad([1], [2])),
  one([3, 4], (x) => x.pad([1, 0], [0, 2], { value: 1 })),
  one([3, 4], (x) => x.pad([-1, 1], [1, -2])),
  one([3, 4], (x) => x.pad([0, 1], [0, 1], { interior: [1, 2] })),
  one([3, 4], (x) => x.pad([-1, 0], [0, -1], { interior: [2, 1] })),
  one([4], (x) => x.add(1).pad([2], [2]), 'pads with 0, not with 0 + 1'),
  one([4], (x) => x.pad([1], [1], { value: 1 }).add(1).pad([1], [1]), 'pads what is padded'),
  one([3, 4], (x) => x.pad([1, 1], [1, 1]).at('1:-1', '::2').transpose()),
  one([2, 0], (x) => x.pad([0, 2], [1, 1])),
];

const joining: Call[] = [
  { inputs: [{ shape: [2, 3] }, { shape: [2, 4] }], apply: (a, b) => concat([a, b], 1) },
  { inputs: [{ shape: [2, 3] }, { shape: [1, 3] }], apply: (a, b) => concat([a.add(1), b.mul(2), a], 0).add(1) },
  { inputs: [{ shape: [2, 0] }, { shape: [2, 2] }], apply: (a, b) => concat([a, b, a], 1) },
  { inputs: [{ shape: [4, 4] }], apply: (x) => concat([x.transpose(), x.flip(0), x.at('::2')], 0) },
  { inputs: [{ shape: [6, 2] }], apply: (x) => x.split(0, [1, 2, 3]).map((part) => part.mul(2)) },
];

const start = (value: number): Input => ({ shape: [], dtype: 'i32', domain: { values: [value] } });

/** Starts in range and outside of it, where they are clamped. */
const runtime: Call[] = [0, 2, 5, -4].flatMap((value): Call[] => [
  {
    label: `slice from ${value}`,
    inputs: [{ shape: [5, 3] }, start(value)],
    apply: (x, at) => x.add(1).slice([at, 0], [2, 3]),
  },
  {
    label: `place at ${value}`,
    inputs: [{ shape: [2, 3] }, start(value)],
    apply: (x, at) => x.place([at, 1], [5, 4], 1).add(1),
  },
]);

export const movementRows: readonly Row[] = [
  { name: 'views', dtypes: all, tolerance: exact, calls: views },
  { name: 'padding', dtypes: numbers, tolerance: exact, calls: padding },
  { name: 'concat and split', dtypes: numbers, tolerance: exact, calls: joining },
  { name: 'starts at run time', dtypes: ['f32', 'i32'], tolerance: exact, calls: runtime },
  {
    name: 'replaced regions',
    dtypes: floats,
    tolerance: exact,
    calls: [
      { inputs: [{ shape: [4, 5] }, { shape: [5] }], apply: (x, y) => x.with([1], y) },
      { inputs: [{ shape: [4, 5] }, { shape: [4, 2] }], apply: (x, y) => x.with([':', '1:5:2'], y).add(x) },
    ],
  },
];
