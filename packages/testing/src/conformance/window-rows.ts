/** Convolutions and sliding windows. */
import type { ConvolutionSpec, Shape, Tensor, Window } from '@dl/tensor';
import { type Call, floats, type Row } from './row';

const exact = { rtol: 0, atol: 0 };

type Conv = Partial<Omit<ConvolutionSpec, 'groups'>> & { readonly groups?: number };

function convolve(data: Shape, weight: Shape, options: Conv = {}): Call {
  const each = <T>(value: T): T[] => data.slice(2).map(() => value);
  const spec: ConvolutionSpec = {
    stride: each(1),
    padding: each([0, 0] as const),
    lhsDilation: each(1),
    rhsDilation: each(1),
    groups: 1,
    ...options,
  };
  return {
    label: JSON.stringify(options),
    inputs: [{ shape: data }, { shape: weight }],
    apply: (x, w) => x.convolution(w, spec),
  };
}

const convolutions: Call[] = [
  convolve([2, 3, 9], [4, 3, 3]),
  convolve([1, 1, 5, 5], [1, 1, 3, 3], {
    padding: [
      [1, 1],
      [1, 1],
    ],
  }),
  convolve([2, 3, 17, 19], [8, 3, 3, 3], {
    padding: [
      [1, 1],
      [1, 1],
    ],
  }),
  convolve([2, 4, 9, 8], [6, 4, 3, 2], {
    stride: [2, 3],
    padding: [
      [0, 1],
      [2, 0],
    ],
  }),
  convolve([2, 4, 9, 8], [6, 2, 3, 3], { groups: 2, rhsDilation: [2, 1] }),
  convolve([2, 5, 8, 8], [10, 1, 3, 3], {
    groups: 5,
    padding: [
      [1, 1],
      [1, 1],
    ],
  }),
  convolve([2, 3, 4, 5], [4, 3, 3, 3], {
    lhsDilation: [2, 3],
    padding: [
      [2, 2],
      [2, 3],
    ],
  }),
  convolve([1, 2, 6, 6], [3, 2, 2, 2], {
    padding: [
      [-1, 0],
      [0, -2],
    ],
  }),
  convolve([3, 8, 6, 6], [16, 8, 1, 1]),
  convolve([1, 2, 4, 5, 6], [3, 2, 2, 3, 2], {
    stride: [1, 2, 1],
    padding: [
      [0, 1],
      [1, 1],
      [0, 0],
    ],
  }),
  convolve([0, 3, 5], [4, 3, 3]),
  {
    label: 'bias, relu and a view of it',
    inputs: [{ shape: [2, 3, 8, 8] }, { shape: [5, 3, 3, 3] }, { shape: [5, 1, 1] }],
    apply: (x, w, b) => {
      const spec = {
        stride: [1, 1],
        padding: [
          [1, 1],
          [1, 1],
        ] as const,
        lhsDilation: [1, 1],
        rhsDilation: [1, 1],
        groups: 1,
      };
      return x.convolution(w, spec).add(b).relu().flatten(1);
    },
  },
];

const window = (
  size: number[],
  stride: number[],
  padding: [number, number][],
  dilation = size.map(() => 1),
): Window => ({
  size,
  stride,
  padding,
  dilation,
});

const windows: readonly (readonly [Shape, Window])[] = [
  [
    [2, 3, 8, 8],
    window(
      [2, 2],
      [2, 2],
      [
        [0, 0],
        [0, 0],
      ],
    ),
  ],
  [
    [2, 9, 7],
    window(
      [3, 3],
      [2, 1],
      [
        [1, 1],
        [1, 0],
      ],
    ),
  ],
  [[2, 12], window([3], [1], [[0, 0]], [2])],
  [
    [1, 2, 5, 6, 7],
    window(
      [2, 2, 3],
      [1, 2, 2],
      [
        [0, 0],
        [0, 1],
        [1, 1],
      ],
    ),
  ],
  [[40], window([5], [1], [[2, 2]])],
];

const windowed = (apply: (x: Tensor, w: Window) => Tensor): Call[] =>
  windows.map(([shape, w]) => ({ inputs: [{ shape }], apply: (x: Tensor) => apply(x, w) }));

export const windowRows: readonly Row[] = [
  { name: 'convolution', dtypes: floats, tolerance: exact, calls: convolutions },
  { name: 'windowSum', dtypes: floats, tolerance: exact, calls: windowed((x, w) => x.windowSum(w)) },
  { name: 'windowMax', dtypes: floats, tolerance: exact, calls: windowed((x, w) => x.windowMax(w)) },
  { name: 'windowArgmax', dtypes: floats, calls: windowed((x, w) => x.windowArgmax(w)) },
];
