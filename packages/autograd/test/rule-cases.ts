/** For every primitive the functions by which finite differences check its gradient; `docs/operations.md` is made of it too. */
import { type CustomDefinition, concat, Node, type Op, Tensor, tensor, type Window } from '@dl/tensor';

/** Irregular numbers between low and high, none equal. */
export function values(shape: readonly number[], seed: number, low = -2, high = 2): Tensor {
  const size = shape.reduce((n, s) => n * s, 1);
  const data = Float64Array.from({ length: size }, (_, i) => {
    const t = Math.abs(Math.sin((i + 1) * 12.9898 + seed * 78.233) * 43758.5453) % 1;
    return low + (high - low) * t;
  });
  return tensor(data, shape, { dtype: 'f64' });
}

export const i32 = (data: Parameters<typeof tensor>[0]): Tensor => tensor(data, null, { dtype: 'i32' });

export interface Case {
  readonly name?: string;
  readonly fn: (...x: Tensor[]) => Tensor;
  readonly inputs: readonly Tensor[];
  /** Why differences cannot tell; the kinks are tested by hand. */
  readonly order?: 1;
}

const unary = (fn: (x: Tensor) => Tensor, low = -2, high = 2): Case[] => [
  { fn, inputs: [values([2, 3], 1, low, high)] },
];
const flat: Case[] = []; // constant between jumps, no floats, or a leaf

const dotCases: Case[] = [
  {
    name: 'matrix times matrix',
    fn: (a, b) => a.matmul(b),
    inputs: [values([2, 3], 1), values([3, 4], 2)],
  },
  {
    name: 'with transposed operands',
    fn: (a, b) => a.transpose().matmul(b.transpose()),
    inputs: [values([3, 2], 1), values([4, 3], 2)],
  },
  {
    name: 'batches and several contracted axes, out of order',
    fn: (a, b) => a.dot(b, { lhsBatch: [3, 1], rhsBatch: [0, 2], lhsContract: [4, 0], rhsContract: [1, 4] }),
    inputs: [values([2, 3, 2, 2, 3], 1), values([2, 3, 3, 2, 2], 2)],
  },
  {
    name: 'an outer product',
    fn: (a, b) => a.dot(b, { lhsBatch: [], rhsBatch: [], lhsContract: [], rhsContract: [] }),
    inputs: [values([3], 1), values([2], 2)],
  },
  { name: 'a value with itself', fn: (a) => a.matmul(a), inputs: [values([3, 3], 1)] },
];

const plain = { stride: [1], padding: [[0, 0]], lhsDilation: [1], rhsDilation: [1], groups: 1 } as const;
const convolution = (name: string, x: number[], w: number[], spec: Parameters<Tensor['convolution']>[1]): Case => ({
  name,
  fn: (a, b) => a.convolution(b, spec),
  inputs: [values(x, 1), values(w, 2)],
});

const convolutionCases: Case[] = [
  convolution('plain', [2, 2, 5], [3, 2, 2], plain),
  convolution('a stride that leaves a rest', [1, 2, 8], [2, 2, 3], { ...plain, stride: [3], padding: [[1, 0]] }),
  convolution('padding and dilation', [1, 1, 6], [2, 1, 3], {
    ...plain,
    padding: [[2, 3]],
    rhsDilation: [2],
    stride: [2],
  }),
  convolution('negative padding', [1, 2, 7], [2, 2, 2], { ...plain, padding: [[-1, -2]] }),
  convolution('padding beyond the kernel', [1, 1, 3], [1, 1, 2], { ...plain, padding: [[3, 2]] }),
  convolution('dilated data', [1, 2, 3], [2, 2, 3], { ...plain, lhsDilation: [2], padding: [[1, 2]] }),
  convolution('dilated data, kernel and stride', [1, 1, 4], [1, 1, 2], {
    ...plain,
    lhsDilation: [3],
    rhsDilation: [2],
    stride: [2],
    padding: [[1, 1]],
  }),
  convolution('groups', [2, 4, 4], [6, 2, 2], { ...plain, groups: 2, stride: [2], padding: [[1, 0]] }),
  convolution('one channel a group', [1, 3, 4], [3, 1, 3], { ...plain, groups: 3, padding: [[1, 1]] }),
  convolution('two axes', [1, 2, 4, 5], [2, 2, 3, 2], {
    stride: [2, 1],
    padding: [
      [1, 1],
      [0, 1],
    ],
    lhsDilation: [1, 1],
    rhsDilation: [1, 2],
    groups: 1,
  }),
];

export const window = (size: number, stride: number, dilation = 1, padding: [number, number] = [0, 0]): Window => ({
  size: [size],
  stride: [stride],
  dilation: [dilation],
  padding: [padding],
});
const square = (size: number, stride: number, pad: number): Window => ({
  size: [size, size],
  stride: [stride, stride],
  dilation: [1, 1],
  padding: [
    [pad, pad],
    [pad, pad],
  ],
});
const windows: readonly (readonly [string, number[], Window])[] = [
  ['side by side', [2, 6], window(2, 2)],
  ['side by side with a rest', [2, 7], window(3, 3)],
  ['with gaps', [2, 7], window(2, 3)],
  ['side by side and padded', [2, 7], window(3, 3, 1, [1, 1])],
  ['overlapping', [2, 6], window(3, 1)],
  ['overlapping, with stride and padding', [2, 7], window(3, 2, 1, [1, 2])],
  ['dilated', [2, 7], window(2, 2, 3, [1, 0])],
  ['two axes side by side', [1, 2, 4, 5], square(2, 2, 0)],
  ['two axes overlapping', [1, 2, 4, 5], square(3, 2, 1)],
];

/** x² + sin y, as an operation that a backend may have a kernel for. */
const definition: CustomDefinition = {
  name: 'example',
  parameters: {},
  decompose: ([x, y]) => new Tensor(x!).square().add(new Tensor(y!).sin()).node,
};
const custom = (x: Tensor, y: Tensor): Tensor =>
  new Tensor(
    new Node(
      'custom',
      [x.node, y.node],
      { definition, index: 0, shape: x.shape, dtype: x.dtype },
      x.shape,
      x.dtype,
      x.requiresGrad,
    ),
  );

const start = (n: number): Tensor => i32(n);

export const cases = {
  data: flat,
  constant: flat,
  iota: flat,
  random: flat,
  neg: unary((x) => x.neg()),
  abs: unary((x) => x.abs()),
  sign: unary((x) => x.sign().mul(x)),
  floor: unary((x) => x.floor().mul(x)),
  ceil: unary((x) => x.ceil().mul(x)),
  round: unary((x) => x.round().mul(x)),
  sqrt: unary((x) => x.sqrt(), 0.3),
  reciprocal: unary((x) => x.reciprocal(), 0.5),
  exp: unary((x) => x.exp()),
  log: unary((x) => x.log(), 0.3),
  log1p: unary((x) => x.log1p(), -0.6),
  expm1: unary((x) => x.expm1()),
  sin: unary((x) => x.sin()),
  cos: unary((x) => x.cos()),
  tanh: unary((x) => x.tanh()),
  erf: unary((x) => x.erf()),
  cast: [{ fn: (x) => x.cast('f64').mul(x), inputs: [values([3], 1)] }],
  bitcast: flat,
  not: flat,
  add: [{ fn: (a, b) => a.add(b).add(1).mul(a), inputs: [values([2, 3], 1), values([3], 2)] }],
  mul: [{ fn: (a, b) => a.mul(b).mul(3).mul(a), inputs: [values([2, 1], 1), values([1, 3], 2)] }],
  div: [
    { name: 'two tensors', fn: (a, b) => a.div(b), inputs: [values([2, 3], 1), values([3], 2, 0.5)] },
    { name: 'by a number', fn: (a) => a.div(3).square(), inputs: [values([3], 1)] },
    { name: 'of a number', fn: (a) => tensor(3, null, { dtype: 'f64' }).div(a), inputs: [values([3], 1, 0.5)] },
  ],
  mod: [
    { name: 'two tensors', fn: (a, b) => a.mod(b).square(), inputs: [values([5], 1, -4, 4), values([5], 2, 0.7, 1.5)] },
    {
      name: 'a negative divisor',
      fn: (a, b) => a.mod(b).mul(b),
      inputs: [values([5], 1, -4, 4), values([5], 2, -1.5, -0.7)],
    },
  ],
  pow: [
    { name: 'two tensors', fn: (a, b) => a.pow(b), inputs: [values([2, 3], 1, 0.3), values([3], 2)] },
    { name: 'a number as exponent', fn: (a) => a.pow(3).add(a.pow(1)).add(a.pow(-2)), inputs: [values([4], 1, 0.5)] },
    { name: 'a fraction as exponent', fn: (a) => a.pow(1.5), inputs: [values([4], 1, 0.5)] },
    { name: 'a negative base', fn: (a) => a.pow(4), inputs: [values([4], 1, -2, -0.5)] },
  ],
  max: [
    { name: 'two tensors', fn: (a, b) => a.maximum(b).square(), inputs: [values([6], 1), values([6], 2)] },
    { name: 'a number', fn: (a) => a.maximum(0.25).mul(a), inputs: [values([6], 1)] },
  ],
  min: [
    { name: 'two tensors', fn: (a, b) => a.minimum(b).square(), inputs: [values([6], 1), values([6], 2)] },
    { name: 'a number', fn: (a) => a.minimum(0.25).mul(a), inputs: [values([6], 1)] },
  ],
  eq: flat,
  lt: flat,
  and: flat,
  or: flat,
  xor: flat,
  shl: flat,
  shr: flat,
  where: [
    {
      name: 'two tensors',
      fn: (a, b) => a.gt(0).where(a.square(), b.mul(a)),
      inputs: [values([6], 1), values([6], 2)],
    },
    { name: 'numbers', fn: (a) => a.gt(0).where(a, 1).mul(a.lt(0).where(2, a)), inputs: [values([6], 1)] },
  ],
  reshape: [{ fn: (x) => x.reshape([3, 2]).matmul(x), inputs: [values([2, 3], 1)] }],
  permute: [{ fn: (x) => x.permute([2, 0, 1]).mul(x.permute([2, 0, 1]).sin()), inputs: [values([2, 3, 2], 1)] }],
  expand: [
    {
      fn: (x) =>
        x
          .expand([2, 3, 4])
          .mul(values([2, 3, 4], 5))
          .square(),
      inputs: [values([3, 1], 1)],
    },
  ],
  slice: [
    { name: 'a range', fn: (x) => x.at('1:3', 0).square(), inputs: [values([4, 2], 1)] },
    { name: 'a step', fn: (x) => x.at('::3').square(), inputs: [values([8], 1)] },
    { name: 'a negative step', fn: (x) => x.at('-2::-2').square(), inputs: [values([7], 1)] },
    {
      name: 'a start read at run time',
      fn: (x) => x.slice([start(1), 0], [2, 2]).square(),
      inputs: [values([4, 2], 1)],
    },
    { name: 'a start moved inside', fn: (x) => x.slice([start(9)], [2]).square(), inputs: [values([4], 1)] },
    { name: 'a start and a step', fn: (x) => x.slice([start(1)], [3], [2]).square(), inputs: [values([7], 1)] },
    {
      name: 'a start and a negative step',
      fn: (x) => x.slice([start(5)], [3], [-2]).square(),
      inputs: [values([7], 1)],
    },
  ],
  pad: [
    { name: 'beside', fn: (x) => x.pad([1, 0], [0, 2], { value: 3 }).square(), inputs: [values([2, 2], 1)] },
    { name: 'between', fn: (x) => x.pad([1], [2], { interior: [2] }).square(), inputs: [values([3], 1)] },
    { name: 'negative', fn: (x) => x.pad([-1], [-2]).square(), inputs: [values([6], 1)] },
    {
      name: 'negative and between',
      fn: (x) => x.pad([-2], [-1], { interior: [1] }).square(),
      inputs: [values([4], 1)],
    },
    {
      name: 'at a start read at run time',
      fn: (x) => x.place([start(2), 1], [5, 4]).square(),
      inputs: [values([2, 2], 1)],
    },
  ],
  sum: [
    { name: 'one axis', fn: (x) => x.sum(1).square(), inputs: [values([2, 3, 2], 1)] },
    { name: 'all', fn: (x) => x.sum().sin(), inputs: [values([2, 3], 1)] },
  ],
  prod: [
    { name: 'one axis', fn: (x) => x.prod(1), inputs: [values([2, 3, 2], 1)] },
    { name: 'outer and inner axes', fn: (x) => x.prod([0, 2]), inputs: [values([2, 3, 2], 1)] },
    { name: 'one zero', fn: (x) => x.prod(), inputs: [tensor([2, 0, 3], null, { dtype: 'f64' })] },
    { name: 'two zeros', fn: (x) => x.prod(), inputs: [tensor([2, 0, 3, 0], null, { dtype: 'f64' })] },
  ],
  max_reduce: [{ fn: (x) => x.max([0, 2]).square(), inputs: [values([2, 3, 2], 1)] }],
  min_reduce: [{ fn: (x) => x.min(1).square(), inputs: [values([2, 3], 1)] }],
  argmax: flat,
  concat: [{ fn: (a, b) => concat([a, b, a], 1).square(), inputs: [values([2, 1], 1), values([2, 2], 2)] }],
  dot: dotCases,
  convolution: convolutionCases,
  window_sum: windows.map(([name, shape, w]) => ({
    name,
    fn: (x) => x.windowSum(w).square(),
    inputs: [values(shape, 1)],
  })),
  window_max: windows.map(([name, shape, w]) => ({
    name,
    fn: (x) => x.windowMax(w).square(),
    inputs: [values(shape, 1)],
  })),
  window_argmax: flat,
  gather: [
    {
      fn: (x) =>
        x
          .gather(
            1,
            i32([
              [0, 2, 0],
              [1, 1, 2],
            ]),
          )
          .square(),
      inputs: [values([2, 3], 1)],
    },
  ],
  scatter: [
    {
      name: 'added',
      fn: (x, u) => x.square().scatterAdd(0, i32([1, 3, 1]), u.square()),
      inputs: [values([4], 1), values([3], 2)],
    },
    {
      name: 'set',
      fn: (x, u) => x.square().scatter(0, i32([2, 0]), u.square()),
      inputs: [values([4], 1), values([2], 2)],
    },
  ],
  scan: [
    { name: 'forwards', fn: (a, b) => a.linearScan(b, 1), inputs: [values([2, 4], 1), values([2, 4], 2)] },
    {
      name: 'in reverse',
      fn: (a, b) => a.linearScan(b, 0, { reverse: true }),
      inputs: [values([4, 2], 1), values([4, 2], 2)],
    },
    {
      name: 'of zeros',
      fn: (a, b) => a.mul(tensor([0, 1, 0])).linearScan(b, 0),
      inputs: [values([3], 1), values([3], 2)],
    },
  ],
  argsort: [{ fn: (x) => x.sort(0).values.square(), inputs: [values([5], 1)] }],
  argtopk: [{ fn: (x) => x.topk(2).values.square(), inputs: [values([2, 4], 1)] }],
  barrier: [{ fn: (x) => x.clone().square(), inputs: [values([3], 1)] }],
  custom: [{ fn: (x, y) => custom(x, y.mul(x)), inputs: [values([3], 1), values([3], 2)] }],
} as const satisfies Record<Op, readonly Case[]>;
