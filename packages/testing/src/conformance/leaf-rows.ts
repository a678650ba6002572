/** Leaves that hold no data, and the barrier that keeps a value from being shared. */
import { after, full, iota } from '@dl/tensor';
import { all, numbers, type Row } from './row';

const exact = { rtol: 0, atol: 0 };

export const leafRows: Row[] = [
  {
    name: 'constants',
    dtypes: all,
    tolerance: exact,
    calls: [
      { inputs: [{ shape: [3, 7] }], apply: (x) => full([3, 7], 1, x.dtype).eq(x) },
      { label: 'alone', inputs: [{ shape: [2] }], apply: (x) => [full([2, 0], 1, x.dtype), full([5], 1, x.dtype), x] },
    ],
  },
  {
    name: 'positions',
    dtypes: numbers,
    tolerance: exact,
    calls: [
      { inputs: [{ shape: [3, 7] }], apply: (x) => iota([3, 7], 1, x.dtype).add(x) },
      { inputs: [{ shape: [3, 7] }], apply: (x) => iota([7, 3], 0, x.dtype).transpose().mul(x) },
      { label: 'alone', inputs: [{ shape: [1] }], apply: (x) => [iota([40], 0, x.dtype), x] },
    ],
  },
  {
    name: 'barrier',
    dtypes: all,
    tolerance: exact,
    calls: [
      { inputs: [{ shape: [3, 7] }], apply: (x) => [x.clone(), x.clone().transpose()] },
      { inputs: [{ shape: [0, 3] }], apply: (x) => x.clone() },
      {
        label: 'after another value',
        inputs: [{ shape: [3, 7] }, { shape: [4] }],
        apply: (x, y) => after(x.transpose(), [y.eq(y), x]).transpose(),
      },
    ],
  },
];
