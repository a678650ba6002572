import { type DType, type Expr, type Instruction, type ReduceOp, reduceOps } from '@dl/tensor';
import { beforeAll, describe, test } from 'vitest';
import {
  access,
  type Backends,
  type Content,
  compareKernel,
  plus,
  rowMajor,
  startBackends,
  strided,
  times,
  variable,
} from './both';

let backends: Backends;
beforeAll(async () => {
  backends = await startBackends();
});

const dtypes = ['f32', 'f64', 'i32', 'u32', 'u8', 'bool'] as const satisfies readonly DType[];

/** Small numbers whose sums are exact, with ties. */
const values = (dtype: DType, n: number, nan = false): Content => ({
  dtype,
  mode: 'read',
  data: Array.from({ length: n }, (_, i) => {
    const x = ((i * 29) % 17) - 8;
    if (dtype === 'bool') return x > 5 ? 1 : 0;
    if (dtype === 'u32' || dtype === 'u8') return x & 255;
    return nan && i % 23 === 20 ? NaN : dtype === 'i32' ? x : x / 4;
  }),
});
const output = (dtype: DType, n: number): Content => ({ dtype, mode: 'write', data: new Float64Array(n) });
const size = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);

/** Shapes with the strides of the operand over [rows, reduced]; row-major where not said. */
const modes: Record<string, readonly { rows: number[]; reduced: number[]; strides?: number[] }[]> = {
  'along contiguous elements': [0, 1, 3, 4, 5, 7, 8, 15, 17, 64, 65, 100].map((n) => ({ rows: [3], reduced: [n] })),
  'of everything': [1, 5, 16, 67].map((n) => ({ rows: [], reduced: [n] })),
  'down columns': [
    [5, 7],
    [16, 3],
    [17, 9],
    [65, 4],
    [4, 33],
    [3, 1],
  ].map(([columns, n]) => ({ rows: [columns!], reduced: [n!], strides: [1, columns!] })),
  'over several axes': [
    { rows: [3], reduced: [4, 5], strides: [5, 15, 1] },
    { rows: [2, 6], reduced: [3, 7], strides: [126, 7, 42, 1] },
    { rows: [6], reduced: [2, 3, 9] },
  ],
  'over windows': [
    { rows: [3, 4, 5], reduced: [2, 2], strides: [80, 20, 2, 10, 1] },
    { rows: [2, 3, 8], reduced: [3, 3], strides: [216, 72, 3, 24, 1] },
    { rows: [4, 17], reduced: [2, 2], strides: [68, 2, 34, 1] },
  ],
  'of elements that repeat': [
    { rows: [5], reduced: [7], strides: [1, 0] },
    { rows: [4], reduced: [9], strides: [0, 1] },
    { rows: [4], reduced: [9], strides: [0, 0] },
  ],
};

const resultOf = (op: ReduceOp, dtype: DType): DType => (op === 'argmax' ? 'i32' : dtype);

describe.each(dtypes)('%s', (dtype) => {
  describe.each(reduceOps)('%s', (op) => {
    test.each(Object.keys(modes))('%s', async (mode) => {
      for (const { rows, reduced, strides } of modes[mode]!) {
        const all = [...rows, ...reduced];
        const index: Expr = strides ? strided(all, strides) : rowMajor(all);
        const span = strides ? 1 + all.reduce((n, s, i) => n + (s - 1) * strides[i]!, 0) : size(all);
        const result = resultOf(op, dtype);
        const body: Instruction[] = [
          { op: 'load', dtype, access: access(0, index), fill: 0 },
          { op, dtype: result, args: [0] } as Instruction,
          { op: 'store', dtype: result, access: access(1, rowMajor(rows)), args: [1] },
        ];
        for (const nan of dtype === 'f32' || dtype === 'f64' ? [false, true] : [false]) {
          const contents = [values(dtype, Math.max(1, span), nan), output(result, size(rows))];
          await compareKernel(
            backends,
            { name: `${op} ${rows} ${reduced}`, contents, rows, reduced, body },
            { rtol: 1e-5 },
          );
        }
      }
    });
  });
});

const f32 = (op: string, ...args: number[]): Instruction => ({ op, dtype: 'f32', args }) as unknown as Instruction;

/** Bodies of several phases over [rows, reduced], from binding 0 to binding 1. */
const bodies: Record<string, (rows: number, columns: number) => Instruction[]> = {
  softmax: (r, c) => [
    { op: 'load', dtype: 'f32', access: access(0, rowMajor([r, c])), fill: 0 },
    f32('max_reduce', 0),
    f32('neg', 1),
    f32('add', 0, 2),
    f32('exp', 3),
    f32('sum', 4),
    f32('reciprocal', 5),
    f32('mul', 4, 6),
    { op: 'store', dtype: 'f32', access: access(1, rowMajor([r, c])), args: [7] },
  ],
  'variance, then both moments and the scaled rows': (r, c) => [
    { op: 'load', dtype: 'f32', access: access(0, rowMajor([r, c])), fill: 0 },
    { op: 'constant', dtype: 'f32', value: 1 / c },
    f32('sum', 0),
    f32('mul', 2, 1),
    f32('neg', 3),
    f32('add', 0, 4),
    f32('mul', 5, 5),
    f32('sum', 6),
    f32('mul', 7, 1),
    { op: 'constant', dtype: 'f32', value: 1e-3 },
    f32('add', 8, 9),
    f32('sqrt', 10),
    f32('reciprocal', 11),
    f32('mul', 5, 12),
    { op: 'store', dtype: 'f32', access: access(1, rowMajor([r, c])), args: [13] },
    { op: 'store', dtype: 'f32', access: access(2, variable(0, r)), args: [3] },
    { op: 'store', dtype: 'f32', access: access(3, variable(0, r)), args: [12] },
  ],
  'log softmax of shifted tanh, kept between phases, and its argmax': (r, c) => [
    { op: 'load', dtype: 'f32', access: access(0, rowMajor([r, c])), fill: 0 },
    f32('tanh', 0),
    f32('mul', 1, 1),
    f32('exp', 2),
    f32('sum', 3),
    f32('log', 4),
    f32('neg', 5),
    f32('add', 2, 6),
    { op: 'store', dtype: 'f32', access: access(1, rowMajor([r, c])), args: [7] },
    { op: 'argmax', dtype: 'i32', args: [7] },
    { op: 'cast', dtype: 'f32', args: [9] },
    { op: 'store', dtype: 'f32', access: access(2, variable(0, r)), args: [10] },
    { op: 'store', dtype: 'f32', access: access(3, variable(0, r)), args: [5] },
  ],
};

describe.each(Object.keys(bodies))('%s', (name) => {
  test.each([
    [1, 1],
    [3, 5],
    [2, 8],
    [4, 17],
    [3, 64],
    [2, 131],
    [70, 3],
    [5, 1],
  ])('%i rows of %i', async (r, c) => {
    const body = bodies[name]!(r, c);
    const contents = [values('f32', r * c), output('f32', r * c), output('f32', r), output('f32', r)];
    await compareKernel(backends, { name, contents, rows: [r], reduced: [c], body }, { rtol: 3e-6 });
    // The same down columns.
    const turned = body.map((i) =>
      'access' in i && i.access.index.kind === 'add'
        ? { ...i, access: { ...i.access, index: strided([r, c], [1, r]) } }
        : i,
    );
    await compareKernel(
      backends,
      { name: `${name} down columns`, contents, rows: [r], reduced: [c], body: turned },
      { rtol: 3e-6 },
    );
  });
});

test.each([
  { rows: [260], reduced: [1100], strides: [1, 260] },
  { rows: [3, 67], reduced: [512, 3], strides: [67, 1, 603, 201] },
  { rows: [261], reduced: [1021], strides: [1, 261] },
])('long columns, in two rounds where they have strips: %j', async ({ rows, reduced, strides }) => {
  const all = [...rows, ...reduced];
  const [n, m] = [size(all), size(rows)];
  const place = rowMajor(rows);
  const body: Instruction[] = [
    { op: 'load', dtype: 'f32', access: access(0, strided(all, strides)), fill: 0 },
    { op: 'load', dtype: 'f32', access: access(1, place), fill: 0 },
    f32('mul', 0, 1),
    f32('sum', 2),
    f32('max_reduce', 0),
    f32('add', 3, 4),
    f32('mul', 5, 1),
    { op: 'store', dtype: 'f32', access: access(2, place), args: [6] },
    { op: 'store', dtype: 'f32', access: access(3, place), args: [4] },
  ];
  const contents = [values('f32', n), values('f32', m), output('f32', m), output('f32', m)];
  await compareKernel(backends, { contents, rows, reduced, body }, { rtol: 1e-5 });
});

test.each([
  { rows: [], reduced: [300_001], strides: [1] },
  { rows: [5], reduced: [40_003], strides: [1, 5] },
  { rows: [2], reduced: [9, 5001], strides: [45_009, 5001, 1] },
])('long sums of equal numbers keep six digits, and infinity: %j', async ({ rows, reduced, strides }) => {
  const all = [...rows, ...reduced];
  const body: Instruction[] = [
    { op: 'load', dtype: 'f32', access: access(0, strided(all, strides)), fill: 0 },
    f32('sum', 0),
    { op: 'store', dtype: 'f32', access: access(1, rowMajor(rows)), args: [1] },
  ];
  for (const first of [0.1, Number.POSITIVE_INFINITY]) {
    const data = new Float64Array(size(all)).fill(0.1);
    data[0] = first;
    const contents: Content[] = [{ dtype: 'f32', mode: 'read', data }, output('f32', size(rows))];
    await compareKernel(backends, { contents, rows, reduced, body }, { rtol: 2e-6 });
  }
});

test('what is normalised in place is read before it is overwritten', async () => {
  for (const [r, c] of [
    [3, 5],
    [4, 17],
    [2, 64],
  ] as const) {
    const place = rowMajor([r, c]);
    const body: Instruction[] = [
      { op: 'load', dtype: 'f32', access: access(0, place), fill: 0 },
      f32('mul', 0, 0),
      f32('sum', 1),
      f32('add', 0, 0),
      { op: 'store', dtype: 'f32', access: access(0, place), args: [3] },
      f32('add', 0, 2),
      { op: 'store', dtype: 'f32', access: access(1, place), args: [5] },
    ];
    const contents = [{ ...values('f32', r * c), mode: 'readwrite' as const }, output('f32', r * c)];
    await compareKernel(backends, { contents, rows: [r], reduced: [c], body });
  }
});

test('a row value written to every element', async () => {
  const [r, c] = [5, 18];
  const body: Instruction[] = [
    { op: 'load', dtype: 'f32', access: access(0, plus(times(variable(0, r), c), variable(1, c))), fill: 0 },
    f32('sum', 0),
    { op: 'store', dtype: 'f32', access: access(1, rowMajor([r, c])), args: [1] },
  ];
  await compareKernel(backends, {
    contents: [values('f32', r * c), output('f32', r * c)],
    rows: [r],
    reduced: [c],
    body,
  });
});

test('rows that are gone over twice, while the next one is loaded', async () => {
  const [rows, columns] = [260, 1030];
  const index = rowMajor([rows, columns]);
  const load = (binding: number): Instruction => ({
    op: 'load',
    dtype: 'f32',
    access: access(binding, index),
    fill: 0,
  });
  await compareKernel(backends, {
    contents: [values('f32', rows * columns), values('f32', rows * columns), output('f32', rows * columns)],
    rows: [rows],
    reduced: [columns],
    body: [
      load(0),
      load(1),
      { op: 'add', dtype: 'f32', args: [0, 1] },
      { op: 'max_reduce', dtype: 'f32', args: [2] },
      { op: 'mul', dtype: 'f32', args: [2, 3] },
      { op: 'store', dtype: 'f32', access: access(2, index), args: [4] },
    ],
  });
});
