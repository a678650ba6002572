import { type BinaryOp, binaryOps, type DType, type Instruction, type UnaryOp, unaryOps } from '@dl/tensor';
import { beforeAll, describe, expect, test } from 'vitest';
import { rendersElementwise } from '../src/kernels/elementwise';
import { access, type Backends, type Content, compareKernel, rowMajor, startBackends } from './both';

const dtypes = ['f32', 'f64', 'i32', 'u32', 'u8', 'bool'] as const satisfies readonly DType[];
const sizes = [0, 1, 2, 3, 4, 5, 7, 8, 17, 64, 65];
const floats = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  1.5,
  2.5,
  -2.5,
  3,
  0.1,
  -7.25,
  1e-3,
  12.5,
  88,
  -88,
  1e10,
  NaN,
  Infinity,
  -Infinity,
  1e-40,
  2 ** 31,
  -(2 ** 31) - 1024,
];
const integers = [0, 1, -1, 2, -2, 3, 7, -7, 31, 32, 33, 100, 255, 256, 2 ** 31 - 1, -(2 ** 31), 12345, -98765];

/** Numbers of a dtype, edges first; a second operand is shifted so that every pair of neighbours meets. */
function numbers(dtype: DType, n: number, shift = 0): number[] {
  const list = dtype === 'bool' ? [0, 1, 1, 0, 0] : dtype === 'f32' || dtype === 'f64' ? floats : integers;
  const at = (i: number) => list[(i * (1 + shift) + shift * 3) % list.length]!;
  return Array.from({ length: n }, (_, i) => {
    const x = at(i);
    return dtype === 'u32' ? x >>> 0 : dtype === 'u8' ? x & 255 : x;
  });
}

let backends: Backends;
beforeAll(async () => {
  backends = await startBackends();
});

const load = (binding: number, dtype: DType, n: number): Instruction => ({
  op: 'load',
  dtype,
  access: access(binding, rowMajor([n])),
  fill: 0,
});
const store = (binding: number, dtype: DType, n: number, value: number): Instruction => ({
  op: 'store',
  dtype,
  access: access(binding, rowMajor([n])),
  args: [value],
});
const read = (dtype: DType, n: number, shift = 0): Content => ({ dtype, mode: 'read', data: numbers(dtype, n, shift) });
const write = (dtype: DType, n: number): Content => ({ dtype, mode: 'write', data: new Float64Array(n) });

/** Results that two libraries may round differently, by units in the last place. */
const tolerances: Partial<Record<string, { rtol: number; atol: number }>> = {
  f32: { rtol: 1e-6, atol: 1e-37 },
  f64: { rtol: 1e-14, atol: 1e-300 },
};

describe.each(dtypes)('%s', (dtype) => {
  test.each(unaryOps.filter((op) => rendersElementwise(op, dtype)))('%s', async (op: UnaryOp) => {
    for (const n of sizes) {
      const body: Instruction[] = [load(0, dtype, n), { op, dtype, args: [0] }, store(1, dtype, n, 1)];
      const c = { name: `${op} ${n}`, contents: [read(dtype, n), write(dtype, n)], rows: [n], body };
      await compareKernel(backends, c, tolerances[dtype]);
    }
  });

  test.each(binaryOps.filter((op) => rendersElementwise(op, dtype)))('%s', async (op: BinaryOp) => {
    const result = op === 'eq' || op === 'lt' ? 'bool' : dtype;
    for (const n of [...sizes, 23 * 18]) {
      const body: Instruction[] = [
        load(0, dtype, n),
        load(1, dtype, n),
        { op, dtype: result, args: [0, 1] },
        store(2, result, n, 2),
      ];
      const contents = [read(dtype, n), read(dtype, n, 1), write(result, n)];
      // A float remainder is exact; a power of two large numbers loses a few bits.
      const tolerance = op === 'pow' && dtype === 'f64' ? { rtol: 1e-13, atol: 1e-300 } : tolerances[dtype];
      await compareKernel(backends, { name: `${op} ${n}`, contents, rows: [n], body }, tolerance);
    }
  });

  test.each(dtypes)('cast to %s', async (to) => {
    for (const n of sizes) {
      const body: Instruction[] = [load(0, dtype, n), { op: 'cast', dtype: to, args: [0] }, store(1, to, n, 1)];
      await compareKernel(backends, { name: `cast ${n}`, contents: [read(dtype, n), write(to, n)], rows: [n], body });
    }
  });

  test('where, and constants and scalars of the dtype', async () => {
    for (const n of sizes) {
      const body: Instruction[] = [
        load(0, 'bool', n),
        load(1, dtype, n),
        { op: 'constant', dtype, value: 1 },
        { op: 'scalar', dtype, param: 0 },
        { op: 'where', dtype, args: [0, 1, 2] },
        { op: 'where', dtype, args: [0, 3, 4] },
        store(2, dtype, n, 4),
        store(3, dtype, n, 5),
      ];
      const contents = [read('bool', n), read(dtype, n, 1), write(dtype, n), write(dtype, n)];
      const c = { contents, rows: [n], body, params: [{ kind: 'scalar' as const, index: 1 }], scalars: [9, 77.5] };
      await compareKernel(backends, c);
    }
  });
});

test('remainders of f32: quotients just below whole numbers, beyond 29 bits, zeros of either sign', async () => {
  const divisors = [0.1, 0.7, -0.7, 3, -3, 1e-3, 1e30, -1e-38, 16777215];
  const ratios = [7, -7, 0, -0, 0.5, 123456.75, 2 ** 28, -(2 ** 29), 3e9, 1e-30];
  const pairs = divisors.flatMap((y) =>
    ratios.flatMap((r) => [1, 1 - 2 ** -24, 1 + 2 ** -23].map((k) => [r * k * y, y])),
  );
  const n = pairs.length;
  const side = (at: number): Content => ({ dtype: 'f32', mode: 'read', data: pairs.map((pair) => pair[at]!) });
  await compareKernel(backends, {
    contents: [side(0), side(1), write('f32', n)],
    rows: [n],
    body: [load(0, 'f32', n), load(1, 'f32', n), { op: 'mod', dtype: 'f32', args: [0, 1] }, store(2, 'f32', n, 2)],
  });
});

test('bitcast keeps the bits', async () => {
  for (const [from, to] of [
    ['f32', 'i32'],
    ['i32', 'u32'],
    ['u32', 'i32'],
    ['u8', 'bool'],
    ['bool', 'u8'],
  ] as const) {
    const n = 21;
    const body: Instruction[] = [load(0, from, n), { op: 'bitcast', dtype: to, args: [0] }, store(1, to, n, 1)];
    // The bits of a NaN are nobody's promise.
    const data = numbers(from, n).map((x) => (Number.isNaN(x) ? 0.25 : from === 'u8' ? x % 2 : x));
    const contents: Content[] = [{ dtype: from, mode: 'read', data }, write(to, n)];
    await compareKernel(backends, { name: `${from} to ${to}`, contents, rows: [n], body });
  }
});

test('random bits are those of threefry, and carry into the high word', async () => {
  for (const counter of [0, 5, 2 ** 32 - 3, 2 ** 40 + 17, 2 ** 52]) {
    const n = 70;
    const body: Instruction[] = [
      { op: 'random', dtype: 'u32', key0: 0, key1: 1, counter: 2, index: rowMajor([n]) },
      store(0, 'u32', n, 0),
    ];
    const params = [0, 1, 2].map((index) => ({ kind: 'scalar' as const, index }));
    const scalars = [0xdeadbeef, 42, counter];
    await compareKernel(backends, { contents: [write('u32', n)], rows: [n], body, params, scalars });
  }
});

test('the comparison notices a wrong element', async () => {
  const n = 5;
  const contents = [read('f32', n), write('f32', n)];
  const good: Instruction[] = [load(0, 'f32', n), { op: 'exp', dtype: 'f32', args: [0] }, store(1, 'f32', n, 1)];
  await expect(compareKernel(backends, { contents, rows: [n], body: good }, { rtol: 0, atol: -1 })).rejects.toThrow(
    'wanted',
  );
});
