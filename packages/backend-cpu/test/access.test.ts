import type { Bound, DType, Expr, Instruction } from '@dl/tensor';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  access,
  type Backends,
  type Content,
  compareKernel,
  constant,
  div,
  mod,
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

const dtypes = ['f32', 'f64', 'i32', 'u8', 'bool'] as const satisfies readonly DType[];
const sizes = [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 64, 65];

const values = (dtype: DType, n: number): Content => ({
  dtype,
  mode: 'read',
  data: Array.from({ length: n }, (_, i) => (dtype === 'bool' ? ((i * 7) % 3) & 1 : (i * 37) % 251)),
});
const output = (dtype: DType, n: number): Content => ({ dtype, mode: 'write', data: new Float64Array(n) });

/** Reads by one function of the place and writes by another. */
async function copy(
  dtype: DType,
  rows: readonly number[],
  from: { index: Expr; bounds?: Bound[]; size: number },
  to?: { index: Expr; bounds?: Bound[]; size: number },
) {
  const n = rows.reduce((a, b) => a * b, 1);
  const target = to ?? { index: rowMajor(rows), size: n };
  const body: Instruction[] = [
    { op: 'load', dtype, access: access(0, from.index, from.bounds), fill: 1 },
    { op: 'store', dtype, access: access(1, target.index, target.bounds), args: [0] },
  ];
  const contents = [values(dtype, from.size), output(dtype, target.size)];
  await compareKernel(backends, { name: `${dtype} ${rows}`, contents, rows, body });
}

describe.each(dtypes)('%s', (dtype) => {
  test.each([0, 1, 2, 3, 5, -1, -2, -3])('loads at stride %i', async (stride) => {
    for (const n of sizes) {
      const size = Math.abs(stride) * (n - 1) + 1;
      await copy(dtype, [n], { index: strided([n], [stride], stride < 0 ? size - 1 : 0), size });
    }
  });

  test.each([1, 2, 3, -1, -2])('stores at stride %i', async (stride) => {
    for (const n of sizes) {
      const size = Math.abs(stride) * (n - 1) + 1;
      const to = { index: strided([n], [stride], stride < 0 ? size - 1 : 0), size };
      await copy(dtype, [n], { index: rowMajor([n]), size: n }, to);
    }
  });

  test('transposes', async () => {
    for (const [a, b] of [
      [3, 5],
      [4, 4],
      [8, 12],
      [17, 9],
      [1, 6],
      [33, 2],
    ] as const) {
      await copy(dtype, [a, b], { index: strided([a, b], [1, a]), size: a * b });
    }
  });

  test('neighbours at stride 2, in either order and used at once', async () => {
    for (const n of [1, 3, 4, 9, 16, 21]) {
      const at = (offset: number) => plus(times(variable(0, n), 2), constant(offset));
      const load = (offset: number): Instruction => ({ op: 'load', dtype, access: access(0, at(offset)), fill: 0 });
      const body: Instruction[] = [
        load(1),
        { op: 'max', dtype, args: [0, 0] },
        load(0),
        load(2),
        { op: 'min', dtype, args: [1, 2] },
        { op: 'max', dtype, args: [4, 3] },
        { op: 'store', dtype, access: access(1, at(1)), args: [4] },
        { op: 'store', dtype, access: access(1, at(0)), args: [5] },
      ];
      await compareKernel(backends, { contents: [values(dtype, 2 * n + 1), output(dtype, 2 * n)], rows: [n], body });
    }
  });

  test('repeats and tiles, whose indices divide the lane variable', async () => {
    for (const n of sizes) {
      const x = variable(0, n);
      await copy(dtype, [n], { index: div(x, 3), size: n });
      await copy(dtype, [n], { index: mod(x, 5), size: 5 });
      await copy(dtype, [n], { index: plus(times(mod(x, 4), 3), div(x, 4)), size: n + 12 });
      // Floors below zero, too.
      await copy(dtype, [n], { index: plus(div(plus(x, constant(-7)), 4), constant(2)), size: n + 2 });
      await copy(dtype, [n], { index: mod(plus(times(x, -1), constant(-2)), 6), size: 6 });
    }
  });

  test('pads: limits that move with the lanes, at either end', async () => {
    for (const n of sizes) {
      for (const [low, end] of [
        [0, n],
        [2, n],
        [0, n - 2],
        [3, n - 3],
        [1, 2],
        [n, n + 1],
      ] as const) {
        const bounds = [{ term: variable(0, n), min: low, end }];
        await copy(dtype, [n], { index: plus(variable(0, n), constant(-low)), bounds, size: Math.max(1, n) });
        const reversed = [{ term: plus(times(variable(0, n), -1), constant(n - 1)), min: low, end }];
        await copy(dtype, [n], { index: variable(0, n), bounds: reversed, size: n });
      }
    }
  });

  test('pads of two axes, and zeros between elements', async () => {
    for (const [a, b] of [
      [3, 6],
      [5, 17],
      [4, 33],
    ] as const) {
      const [i, j] = [variable(0, a), variable(1, b)];
      const bounds = [
        { term: i, min: 1, end: a - 1 },
        { term: plus(j, constant(-2)), min: 0, end: b - 4 },
      ];
      await copy(dtype, [a, b], { index: plus(times(i, b), j), bounds, size: a * b });
      const holes = [
        { term: mod(j, 3), min: 0, end: 1 },
        { term: mod(plus(i, j), 2), min: 0, end: 1 },
      ];
      await copy(dtype, [a, b], { index: plus(times(i, b), div(j, 3)), bounds: holes, size: a * b });
    }
  });

  test('stores within limits, as a concatenation does', async () => {
    for (const n of sizes) {
      const size = n + 3;
      const body: Instruction[] = [
        { op: 'load', dtype, access: access(0, variable(0, n)), fill: 0 },
        {
          op: 'store',
          dtype,
          access: access(1, plus(variable(0, n), constant(3)), [{ term: variable(0, n), min: 0, end: n - 1 }]),
          args: [0],
        },
        {
          op: 'store',
          dtype,
          access: access(1, plus(variable(0, n), constant(3 - n)), [{ term: variable(0, n), min: n - 2, end: n }]),
          args: [0],
        },
      ];
      if (n < 3) continue;
      await compareKernel(backends, { contents: [values(dtype, n), output(dtype, size)], rows: [n], body });
    }
  });

  test('guards: of rows, of lanes, of both', async () => {
    for (const [a, b] of [
      [3, 6],
      [5, 17],
      [1, 9],
    ] as const) {
      const [i, j] = [variable(0, a), variable(1, b)];
      const place = rowMajor([a, b]);
      const guards: Bound[][] = [
        [{ term: i, min: 1, end: a }],
        [{ term: j, min: 2, end: b - 1 }],
        [
          { term: plus(i, j), min: 2, end: b },
          { term: mod(j, 3), min: 1, end: 3 },
        ],
      ];
      const body: Instruction[] = [
        { op: 'load', dtype, access: access(0, place), fill: 0 },
        { op: 'load', dtype, access: access(0, i), fill: 0 },
        ...guards.flatMap((bounds): Instruction[] => [
          { op: 'guard', dtype, args: [0], bounds, fill: 1 },
          { op: 'guard', dtype, args: [1], bounds, fill: 0 },
        ]),
        ...Array.from(
          { length: 6 },
          (_, k): Instruction => ({ op: 'store', dtype, access: access(1 + k, place), args: [2 + k] }),
        ),
      ];
      const n = a * b;
      const contents = [values(dtype, n), ...Array.from({ length: 6 }, () => output(dtype, n))];
      await compareKernel(backends, { contents, rows: [a, b], body });
    }
  });

  test('the value of an index', async () => {
    for (const [a, b] of [
      [1, 5],
      [3, 17],
      [4, 8],
    ] as const) {
      const n = a * b;
      const exprs = [
        rowMajor([a, b]),
        plus(times(variable(1, b), -3), variable(0, a)),
        div(rowMajor([a, b]), 5),
        times(variable(0, a), 9),
      ];
      const body: Instruction[] = exprs.flatMap((expr, k): Instruction[] => [
        { op: 'index', dtype, expr },
        { op: 'store', dtype, access: access(k, rowMajor([a, b])), args: [2 * k] },
      ]);
      await compareKernel(backends, { contents: exprs.map(() => output(dtype, n)), rows: [a, b], body });
    }
  });

  test('gathers, in each lane or rows of a table', async () => {
    const [count, limit] = [9, 6];
    for (const width of [1, 3, 4, 17, 64]) {
      const rows = [count, width];
      const [i, j] = [variable(0, count), variable(1, width)];
      const index: Content = {
        dtype: 'i32',
        mode: 'read',
        data: Array.from({ length: count * width }, (_, k) => (k * 5) % limit),
      };
      const n = count * width;
      const bounds = [{ term: j, min: 1, end: width }];
      const gather = (args: [number], a: ReturnType<typeof access>, stride: number): Instruction => ({
        op: 'gather',
        dtype,
        access: a,
        stride,
        limit,
        args,
        fill: 1,
      });
      const body: Instruction[] = [
        { op: 'load', dtype: 'i32', access: access(1, i), fill: 0 },
        { op: 'load', dtype: 'i32', access: access(1, rowMajor(rows)), fill: 0 },
        gather([0], access(0, j), width),
        gather([1], access(0, j), width),
        gather([1], access(0, j, bounds), width),
        gather([0], access(0, constant(0)), 1),
        ...[2, 3, 4, 5].map(
          (value, k): Instruction => ({ op: 'store', dtype, access: access(2 + k, rowMajor(rows)), args: [value] }),
        ),
      ];
      const contents = [values(dtype, limit * width), index, ...[0, 1, 2, 3].map(() => output(dtype, n))];
      await compareKernel(backends, { contents, rows, body });
    }
  });
});

describe('a short first axis, whose kernel is shared along another', () => {
  const [rows, columns] = [3, 30000];
  const all = [rows, columns];
  const x = values('f32', rows * columns);

  test('adds a row to each row', () =>
    compareKernel(backends, {
      contents: [x, values('f32', columns), output('f32', rows * columns)],
      rows: all,
      body: [
        { op: 'load', dtype: 'f32', access: access(0, rowMajor(all)), fill: 0 },
        { op: 'load', dtype: 'f32', access: access(1, variable(1, columns)), fill: 0 },
        { op: 'add', dtype: 'f32', args: [0, 1] },
        { op: 'store', dtype: 'f32', access: access(2, rowMajor(all)), args: [2] },
      ],
    }));

  test('transposes, and knows its place', () =>
    compareKernel(backends, {
      contents: [x, output('f32', rows * columns)],
      rows: all,
      body: [
        { op: 'load', dtype: 'f32', access: access(0, strided(all, [1, rows])), fill: 0 },
        { op: 'index', dtype: 'f32', expr: rowMajor(all) },
        { op: 'add', dtype: 'f32', args: [0, 1] },
        { op: 'store', dtype: 'f32', access: access(1, rowMajor(all)), args: [2] },
      ],
    }));

  test('sums parts of rows', () =>
    compareKernel(backends, {
      contents: [x, output('f32', 180)],
      rows: [rows, 60],
      reduced: [500],
      body: [
        { op: 'load', dtype: 'f32', access: access(0, rowMajor([rows, 60, 500])), fill: 0 },
        { op: 'sum', dtype: 'f32', args: [0] },
        { op: 'store', dtype: 'f32', access: access(1, rowMajor([rows, 60])), args: [1] },
      ],
    }));
});

test('starts at run time, from a number and from an element that is clamped', async () => {
  for (const start of [-5, 0, 3, 99]) {
    const [n, size] = [17, 24];
    const at = (index: number): Expr => ({ kind: 'param', index, min: 0, max: size - n });
    const body: Instruction[] = [0, 1].flatMap((k): Instruction[] => [
      { op: 'load', dtype: 'f32', access: access(0, plus(variable(0, n), at(k))), fill: 0 },
      { op: 'store', dtype: 'f32', access: access(2 + k, variable(0, n)), args: [2 * k] },
    ]);
    const contents: Content[] = [
      values('f32', size),
      { dtype: 'i32', mode: 'read', data: [7, start] },
      output('f32', n),
      output('f32', n),
    ];
    const params = [
      { kind: 'scalar' as const, index: 0 },
      { kind: 'element' as const, binding: 1, offset: 1, min: 0, max: size - n },
    ];
    await compareKernel(backends, { contents, rows: [n], body, params, scalars: [4] });
  }
});

test('an index out of range rejects the next read once, with the name of the kernel', async () => {
  const backend = backends.ours[0]!;
  for (const bad of [-1, 6, 2 ** 31 - 1]) {
    const executable = backend.prepare({
      steps: [
        {
          kind: 'kernel',
          kernel: {
            name: 'embedding',
            bindings: [
              { slot: 0, mode: 'read', dtype: 'f32' },
              { slot: 1, mode: 'read', dtype: 'i32' },
              { slot: 2, mode: 'write', dtype: 'f32' },
            ],
            params: [],
            producer: null,
            rows: [4],
            reduced: [],
            body: [
              { op: 'load', dtype: 'i32', access: access(1, variable(0, 4)), fill: 0 },
              { op: 'gather', dtype: 'f32', access: access(0, constant(0)), stride: 1, limit: 6, args: [0], fill: 0 },
              { op: 'store', dtype: 'f32', access: access(2, variable(0, 4)), args: [1] },
            ],
            range: 4,
          },
        },
      ],
      slots: [6, 4, 4].map((size, index) => ({
        kind: 'bound',
        index,
        offset: 0,
        dtype: index === 1 ? 'i32' : 'f32',
        size,
      })),
      bound: 3,
      arenaBytes: 0,
      scalars: 0,
    });
    const [table, index, out] = [backend.allocate(24), backend.allocate(16), backend.allocate(16)];
    backend.write(table, 0, Float32Array.of(1, 2, 3, 4, 5, 6));
    backend.write(index, 0, Int32Array.of(0, bad, 5, 2));
    backend.run(executable, [table, index, out], new Float64Array(0));
    await expect(backend.read(out, 0, 16)).rejects.toThrow(`embedding: index ${bad} is outside 0 to 5`);
    expect([...new Float32Array(await backend.read(out, 0, 16))]).toEqual([1, 0, 6, 3]);
    backend.run(executable, [table, index, out], new Float64Array(0));
    await expect(backend.synchronize()).rejects.toThrow('embedding');
    await backend.synchronize();
    for (const storage of [table, index, out]) backend.free(storage);
    executable.dispose();
  }
});
