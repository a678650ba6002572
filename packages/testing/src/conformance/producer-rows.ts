/** Matrix products, and whatever indexes by data. */
import type { Shape, Tensor } from '@dl/tensor';
import { all, type Call, type Input, numbers, type Row } from './row';

const exact = { rtol: 0, atol: 0 };
// Sums of hundreds of products of multiples of 1/16 are exact in f32, in any order.
const matrixShapes: readonly (readonly [Shape, Shape])[] = [
  [
    [2, 3],
    [3, 4],
  ],
  [
    [1, 1],
    [1, 1],
  ],
  [
    [5, 0],
    [0, 3],
  ],
  [
    [0, 4],
    [4, 3],
  ],
  [[7], [7]],
  [[3, 5], [5]],
  [[5], [5, 3]],
  [
    [65, 33],
    [33, 70],
  ],
  [
    [1, 300],
    [300, 40],
  ],
  [
    [130, 7],
    [7, 1],
  ],
  [
    [2, 3, 4],
    [2, 4, 5],
  ],
  [
    [3, 1, 4, 6],
    [2, 6, 5],
  ],
  [
    [2, 9, 17],
    [17, 8],
  ],
];

const matmuls: Call[] = matrixShapes.map(([a, b]) => ({
  inputs: [{ shape: a }, { shape: b }],
  apply: (x: Tensor, y: Tensor) => x.matmul(y),
}));

const throughViews: Call[] = [
  { label: 'aᵀ b', inputs: [{ shape: [9, 20] }, { shape: [9, 30] }], apply: (a, b) => a.transpose().matmul(b) },
  { label: 'a bᵀ', inputs: [{ shape: [20, 9] }, { shape: [30, 9] }], apply: (a, b) => a.matmul(b.transpose()) },
  {
    label: 'every other row',
    inputs: [{ shape: [20, 9] }, { shape: [9, 18] }],
    apply: (a, b) => a.at('::2').matmul(b.at(':', '::-3')),
  },
  { label: 'padded', inputs: [{ shape: [5, 6] }, { shape: [8, 4] }], apply: (a, b) => a.pad([1, 1], [0, 1]).matmul(b) },
  { label: 'heads', inputs: [{ shape: [2, 6, 8] }, { shape: [2, 6, 8] }], apply: attentionScores },
  {
    label: 'expanded batch',
    inputs: [{ shape: [1, 4, 5] }, { shape: [3, 5, 2] }],
    apply: (a, b) => a.expand([3, 4, 5]).matmul(b),
  },
];

/** Two heads that lie in one axis. */
function heads(x: Tensor): Tensor {
  return x.reshape([2, 6, 2, 4]).permute([0, 2, 1, 3]);
}

function attentionScores(q: Tensor, k: Tensor): Tensor {
  return heads(q).matmul(heads(k).transpose());
}

const epilogues: Call[] = [
  {
    label: 'linear, relu, residual',
    inputs: [{ shape: [33, 20] }, { shape: [40, 20] }, { shape: [40] }, { shape: [33, 40] }],
    apply: (x, w, b, r) => x.matmul(w.transpose()).add(b).relu().add(r),
  },
  {
    label: 'relu before',
    inputs: [{ shape: [12, 20] }, { shape: [20, 8] }],
    apply: (x, w) => x.relu().matmul(w.mul(2)),
  },
  {
    label: 'sum and product of one result',
    inputs: [{ shape: [12, 20] }, { shape: [20, 8] }],
    apply: (x, w) => {
      const y = x.matmul(w);
      return [y, y.sum(1), y.mul(y), y.transpose().add(1)];
    },
  },
  {
    label: 'a sum of products',
    inputs: [{ shape: [6, 5] }, { shape: [6, 7] }, { shape: [4, 5] }, { shape: [4, 7] }],
    apply: (a, b, c, d) => a.transpose().matmul(b).add(c.transpose().matmul(d)),
  },
  { label: 'a chain', inputs: [{ shape: [5, 5] }], apply: (x) => x.matmul(x).relu().minimum(1).matmul(x) },
];

const index = (shape: Shape, below: number): Input => ({ shape, dtype: 'i32', domain: { below } });

const indexing: Row[] = [
  {
    name: 'gather',
    dtypes: all,
    tolerance: exact,
    calls: [
      { inputs: [{ shape: [5, 4] }, index([3, 4], 5)], apply: (x, i) => x.gather(0, i) },
      { inputs: [{ shape: [5, 4] }, index([5, 1], 4)], apply: (x, i) => x.gather(1, i).squeeze(1) },
      { inputs: [{ shape: [50, 8] }, index([2, 7], 50)], apply: (x, i) => x.take(0, i).transpose() },
      { inputs: [{ shape: [4, 3] }, index([0, 3], 4)], apply: (x, i) => x.gather(0, i) },
    ],
  },
  {
    name: 'scatterAdd',
    dtypes: numbers,
    tolerance: exact,
    calls: [
      { inputs: [{ shape: [5, 4] }, index([9, 4], 5), { shape: [9, 4] }], apply: (x, i, y) => x.scatterAdd(0, i, y) },
      {
        inputs: [{ shape: [3, 6] }, index([3, 4], 6), { shape: [3, 4] }],
        apply: (x, i, y) => x.mul(0).scatterAdd(1, i, y.mul(2)).add(1),
      },
      {
        inputs: [{ shape: [40, 8] }, index([300, 1], 40), { shape: [300, 8] }],
        apply: (x, i, y) => x.scatterAdd(0, i.expand([300, 8]), y),
      },
      { inputs: [{ shape: [1, 4] }, index([3, 4], 1), { shape: [3, 4] }], apply: (x, i, y) => x.scatterAdd(0, i, y) },
    ],
  },
  {
    name: 'scatter',
    dtypes: numbers,
    tolerance: exact,
    calls: [
      { inputs: [{ shape: [5, 4] }, { shape: [3, 4] }], apply: (x, y) => x.scatter(0, y.mul(0).argsort(0).add(1), y) },
    ],
  },
  {
    name: 'running sums and products',
    dtypes: numbers,
    tolerance: { rtol: 1e-5 },
    calls: [
      { inputs: [{ shape: [3, 9] }], apply: (x) => x.cumsum(1) },
      { inputs: [{ shape: [9, 3] }], apply: (x) => x.cumsum(0).add(1) },
      { inputs: [{ shape: [500] }], apply: (x) => x.cumsum(0) },
      { inputs: [{ shape: [2, 9] }], apply: (x) => x.cumprod(1) },
      { inputs: [{ shape: [4, 6] }, { shape: [4, 6] }], apply: (a, b) => a.linearScan(b, 1, { reverse: true }) },
    ],
  },
  {
    name: 'sorting',
    dtypes: all,
    tolerance: exact,
    calls: (['small', 'special'] as const).flatMap((domain): Call[] => [
      { inputs: [{ shape: [3, 9], domain }], apply: (x) => x.argsort(1) },
      { inputs: [{ shape: [9, 3], domain }], apply: (x) => x.argsort(0, { descending: true }) },
      { inputs: [{ shape: [1000], domain }], apply: (x) => x.sort(0).values },
      { inputs: [{ shape: [4, 40], domain }], apply: (x) => Object.values(x.topk(5)) },
    ]),
  },
];

const start = (value: number): Input => ({ shape: [], dtype: 'i32', domain: { values: [value] } });

/** Of these products less is computed than was recorded. */
const parts: Call[] = [
  {
    label: 'a row of a chain',
    inputs: [{ shape: [9, 5] }, { shape: [5, 4] }, { shape: [4, 7] }],
    apply: (a, b, c) => a.matmul(b).abs().matmul(c).at(-1),
  },
  {
    label: 'every third row, and a column',
    inputs: [{ shape: [9, 5] }, { shape: [5, 8] }],
    apply: (a, b) => [a.matmul(b).at('::-3').add(1), a.matmul(b).at(':', 2)],
  },
  {
    label: 'no rows',
    inputs: [{ shape: [9, 5] }, { shape: [5, 8] }],
    apply: (a, b) => a.matmul(b).at('3:3'),
  },
  {
    label: 'maxima of some rows',
    inputs: [{ shape: [2, 9, 5] }, { shape: [5, 8] }],
    apply: (a, b) => a.matmul(b).max(-1, { keepDims: true }).expand([2, 9, 3]).permute([1, 0, 2]).at('2:5'),
  },
  ...[0, 4, 9, -3].map(
    (value): Call => ({
      label: `the row at ${value}`,
      inputs: [{ shape: [6, 5] }, { shape: [5, 4] }, start(value)],
      apply: (a, b, at) => a.matmul(b).neg().slice([at, 0], [1, 4]),
    }),
  ),
  {
    label: 'the scores of the last query',
    inputs: [{ shape: [2, 6, 8] }, { shape: [8, 24] }],
    apply: (x, w) => {
      const [q, k, v] = x.matmul(w).split(-1, 8).map(heads) as [Tensor, Tensor, Tensor];
      return q.matmul(k.transpose()).matmul(v).permute([0, 2, 1, 3]).reshape([2, 6, 8]).at(':', -1);
    },
  },
];

export const producerRows: readonly Row[] = [
  { name: 'matmul', dtypes: numbers, tolerance: exact, calls: [...matmuls, ...throughViews] },
  { name: 'matmul and what follows', dtypes: numbers, tolerance: exact, calls: epilogues },
  { name: 'parts of products', dtypes: numbers, tolerance: exact, calls: parts },
  ...indexing,
];
