import type { Access, Bound, Contraction, DType, Expr, Producer } from '@dl/tensor';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { productOf } from '../src/kernels/contraction/method';
import { PORTABLE_MICRO_KERNEL } from '../src/kernels/gemm/micro-kernel';
import {
  access,
  type Backends,
  type Content,
  compareKernel,
  constant,
  div,
  type KernelCase,
  mod,
  plus,
  rowMajor,
  rowMajorStrides,
  startBackends,
  strided,
  times,
  variable,
} from './both';

let backends: Backends;
beforeAll(async () => {
  backends = await startBackends();
});

const size = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);
/** Halves from −2 to 2, whose products and short sums f32 holds exactly. */
const values = (dtype: DType, n: number, seed = 0): Content => ({
  dtype,
  mode: 'read',
  data: Array.from({ length: n }, (_, i) => {
    const x = (((i + seed) * 31) % 9) - 4;
    return dtype === 'u8' || dtype === 'u32' ? x & 255 : dtype === 'bool' ? Number(x > 0) : dtype === 'i32' ? x : x / 2;
  }),
});
const output = (dtype: DType, n: number): Content => ({ dtype, mode: 'write', data: new Float64Array(n) });

type Sizes = { batch?: number[]; m?: number[]; n?: number[]; k?: number[] };

/** A contraction with operands at given strides over [batch, m, n, k]. */
function contraction(
  dtype: DType,
  sizes: Sizes,
  lhs: Access,
  rhs: Access,
  elements: readonly [number, number],
): KernelCase {
  const { batch = [], m = [], n = [], k = [] } = sizes;
  const producer: Contraction = { kind: 'contraction', dtype, batch, m, n, k, lhs, rhs, out: 2 };
  const out = [...batch, ...m, ...n];
  return {
    name: `${dtype} ${JSON.stringify(sizes)}`,
    contents: [values(dtype, elements[0]), values(dtype, elements[1], 5), output(dtype, size(out))],
    producer,
    range: out[0] ?? 1,
  };
}

/** A matrix product; `transposed` says which operands are stored the other way round. */
function matmul(
  dtype: DType,
  [m, n, k]: readonly [number, number, number],
  transposed: 'none' | 'a' | 'b' | 'both',
): KernelCase {
  const sizes = [m, n, k];
  const a = transposed === 'a' || transposed === 'both' ? [1, 0, m] : [k, 0, 1];
  const b = transposed === 'b' || transposed === 'both' ? [0, k, 1] : [0, 1, n];
  const lhs = access(0, strided(sizes, a));
  const rhs = access(1, strided(sizes, b));
  return contraction(dtype, { m: [m], n: [n], k: [k] }, lhs, rhs, [m * k, k * n]);
}

describe.each(['f32', 'f64', 'i32', 'u32', 'u8'] as const)('matrix products of %s', (dtype) => {
  test.each(['none', 'a', 'b', 'both'] as const)('transposed: %s', async (transposed) => {
    const all = [
      [1, 1, 1],
      [2, 3, 4],
      [5, 7, 3],
      [17, 9, 33],
      [12, 16, 1],
      [1, 20, 40],
      [20, 1, 40],
      [6, 65, 12],
      [64, 8, 64],
    ] as const;
    for (const sizes of all) await compareKernel(backends, matmul(dtype, sizes, transposed), { rtol: 1e-5 });
  });
});

test('a matrix product too large to stay unpacked', async () => {
  await compareKernel(backends, matmul('f32', [270, 65, 300], 'none'), { rtol: 1e-5 });
  await compareKernel(backends, matmul('f32', [70, 60, 90], 'both'), { rtol: 1e-5 });
});

test('batches of products, heads beside time', async () => {
  // q, k: [B, T, H, D]; scores: [B, H, T, T].
  const [B, H, T, D] = [2, 3, 5, 8];
  const sizes = { batch: [B, H], m: [T], n: [T], k: [D] };
  const all = [B, H, T, T, D];
  const lhs = access(0, strided(all, [T * H * D, D, H * D, 0, 1]));
  const rhs = access(1, strided(all, [T * H * D, D, 0, H * D, 1]));
  await compareKernel(backends, contraction('f32', sizes, lhs, rhs, [B * T * H * D, B * T * H * D]), { rtol: 1e-5 });
});

/** A convolution of [N, C, H, W] with [O, C, K, K], with images as batch or as columns. */
interface Conv {
  readonly N: number;
  readonly C: number;
  readonly H: number;
  readonly W: number;
  readonly O: number;
  readonly K: number;
  readonly pad?: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly holes?: number;
  readonly flipped?: boolean;
  readonly merged?: boolean;
}

function convolution(dtype: DType, c: Conv): KernelCase {
  const { N, C, H, W, O, K, pad = 0, stride = 1, dilation = 1, holes = 1, flipped = false, merged = false } = c;
  const full = (s: number) => (s - 1) * holes + 1;
  const out = [H, W].map((s) => Math.floor((full(s) + 2 * pad - (K - 1) * dilation - 1) / stride) + 1) as [
    number,
    number,
  ];
  const batch = merged ? [] : [N];
  const n = merged ? [N, ...out] : out;
  const sizes = { batch, m: [O], n, k: [C, K, K] };
  const all = [...batch, O, ...n, C, K, K];
  const v = (i: number) => variable(i, all[i]!);
  const image = v(merged ? 1 : 0);
  const o = v(merged ? 0 : 1);
  const [y, x, ch, ky, kx] = [2, 3, 4, 5, 6].map(v) as [Expr, Expr, Expr, Expr, Expr];
  const at = (p: Expr, k: Expr) => plus(times(p, stride), times(k, dilation), constant(-pad));
  const bounds: Bound[] = [];
  const coords = (
    [
      [y, ky, H],
      [x, kx, W],
    ] as const
  ).map(([p, k, s]) => {
    const u = at(p, k);
    if (pad > 0 || holes > 1) bounds.push({ term: u, min: 0, end: full(s) });
    if (holes > 1) bounds.push({ term: mod(u, holes), min: 0, end: 1 });
    return holes > 1 ? div(u, holes) : u;
  });
  const turn = (k: Expr) => (flipped ? plus(times(k, -1), constant(K - 1)) : k);
  const lhs = access(0, plus(times(o, C * K * K), times(ch, K * K), times(turn(ky), K), turn(kx)));
  const rhs = access(1, plus(times(image, C * H * W), times(ch, H * W), times(coords[0]!, W), coords[1]!), bounds);
  const made = contraction(dtype, sizes, lhs, rhs, [O * C * K * K, N * C * H * W]);
  return { ...made, name: JSON.stringify({ dtype, ...c }) };
}

describe.each(['f32', 'f64', 'i32'] as const)('convolutions of %s', (dtype) => {
  test.each<Conv>([
    { N: 2, C: 1, H: 12, W: 12, O: 6, K: 5, pad: 2 },
    { N: 2, C: 3, H: 9, W: 14, O: 5, K: 5 },
    { N: 3, C: 2, H: 5, W: 5, O: 3, K: 3, pad: 4, flipped: true },
    { N: 2, C: 2, H: 8, W: 9, O: 4, K: 3, pad: 1, stride: 2 },
    { N: 1, C: 2, H: 4, W: 5, O: 3, K: 3, pad: 2, holes: 2, flipped: true },
    { N: 2, C: 2, H: 11, W: 11, O: 2, K: 3, pad: 2, dilation: 2 },
    { N: 1, C: 2, H: 7, W: 7, O: 7, K: 3, pad: 1, stride: 3 },
    { N: 4, C: 3, H: 4, W: 4, O: 5, K: 3, pad: 1, merged: true },
    { N: 3, C: 2, H: 5, W: 6, O: 4, K: 1 },
    { N: 2, C: 4, H: 1, W: 20, O: 3, K: 1, pad: 1 },
  ])('%j', async (c) => {
    await compareKernel(backends, convolution(dtype, c), { rtol: 1e-5 });
  });
});

// Large enough for Winograd's algorithm, whose errors are 2e-6 of the sum of what is added: 1.24 in the mean, 9 of each channel.
test.each<Conv>([
  { N: 2, C: 16, H: 12, W: 12, O: 16, K: 3, pad: 1 },
  { N: 1, C: 18, H: 17, W: 19, O: 21, K: 3, pad: 1, flipped: true },
  { N: 2, C: 17, H: 13, W: 15, O: 17, K: 3 },
  { N: 1, C: 16, H: 15, W: 14, O: 128, K: 3, pad: 2 },
  { N: 1, C: 270, H: 17, W: 16, O: 16, K: 3, pad: 1 },
  { N: 3, C: 33, H: 7, W: 14, O: 19, K: 3, pad: 1, flipped: true },
  { N: 11, C: 16, H: 7, W: 6, O: 20, K: 3, pad: 1, merged: true },
])('convolutions by tiles: %j', async (c) => {
  const made = convolution('f32', c);
  const spec = made.producer as Contraction;
  expect(productOf(spec, { range: made.range ?? 1 }, PORTABLE_MICRO_KERNEL)?.method.kind).toBe('winograd');
  await compareKernel(backends, made, { rtol: 0, atol: 2e-6 * 1.24 * 9 * c.C });
});

test('convolutions by tiles have errors of 1e-6 of the sum of what is added', async () => {
  const made = convolution('f32', { N: 1, C: 32, H: 17, W: 18, O: 16, K: 3, pad: 1 });
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647 - 0.5;
  const contents = made.contents.map((content) => ({ ...content, data: Float32Array.from(content.data, random) }));
  await compareKernel(backends, { ...made, contents }, { rtol: 0, atol: 1e-6 * ((32 * 9) / 16) });
});

// Lines too short for vectors.
test.each<Conv>([
  { N: 2, C: 5, H: 7, W: 7, O: 96, K: 3, pad: 1 },
  { N: 1, C: 6, H: 14, W: 13, O: 97, K: 3, pad: 1, stride: 2 },
  { N: 1, C: 3, H: 5, W: 9, O: 100, K: 2 },
  { N: 2, C: 7, H: 9, W: 8, O: 96, K: 1, stride: 2 },
])('convolutions by gathered columns: %j', async (c) => {
  const made = convolution('f32', c);
  const method = productOf(made.producer as Contraction, { range: made.range ?? 1 }, PORTABLE_MICRO_KERNEL)?.method;
  expect(method?.kind).toBe('gemm');
  await compareKernel(backends, made, { rtol: 1e-5 });
});

test('the gradient of a kernel: pixels are summed over, images too', async () => {
  for (const [N, C, O, S, K, pad] of [
    [3, 2, 3, 9, 3, 0],
    [2, 1, 6, 12, 5, 2],
    [2, 3, 7, 13, 4, 0],
    [2, 2, 2, 40, 3, 1],
  ] as const) {
    const out = S + 2 * pad - K + 1;
    const sizes = { m: [O], n: [C, K, K], k: [N, out, out] };
    const all = [O, C, K, K, N, out, out];
    const v = (i: number) => variable(i, all[i]!);
    const coords = [plus(v(2), v(5), constant(-pad)), plus(v(3), v(6), constant(-pad))];
    const bounds = pad > 0 ? coords.map((term): Bound => ({ term, min: 0, end: S })) : [];
    const lhs = access(0, plus(times(v(4), O * out * out), times(v(0), out * out), times(v(5), out), v(6)));
    const rhs = access(1, plus(times(v(4), C * S * S), times(v(1), S * S), times(coords[0]!, S), coords[1]!), bounds);
    await compareKernel(backends, contraction('f32', sizes, lhs, rhs, [N * O * out * out, N * C * S * S]), {
      rtol: 1e-5,
    });
  }
});

test('what follows a product runs on the same part of the range', async () => {
  for (const [m, n, k] of [
    [37, 5, 9],
    [8, 64, 16],
    [3, 3, 100],
  ] as const) {
    const product = matmul('f32', [m, n, k], 'b');
    await compareKernel(
      backends,
      {
        ...product,
        contents: [
          ...product.contents.slice(0, 2),
          output('f32', m * n),
          values('f32', n, 3),
          output('f32', m * n),
          output('f32', m),
        ],
        rows: [m],
        reduced: [n],
        body: [
          { op: 'load', dtype: 'f32', access: access(2, rowMajor([m, n])), fill: 0 },
          { op: 'load', dtype: 'f32', access: access(3, variable(1, n)), fill: 0 },
          { op: 'add', dtype: 'f32', args: [0, 1] },
          { op: 'sum', dtype: 'f32', args: [2] },
          { op: 'store', dtype: 'f32', access: access(4, rowMajor([m, n])), args: [2] },
          { op: 'store', dtype: 'f32', access: access(5, variable(0, m)), args: [3] },
        ],
      },
      { rtol: 1e-5 },
    );
  }
});

test('random contractions: strides, limits, orders of axes', async () => {
  const numbers = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 40, size: 'max' });
  const runs = { seed: Number(process.env['FC_SEED'] ?? 1), numRuns: Number(process.env['FC_RUNS'] ?? 150) };
  const check = fc.asyncProperty(numbers, async (list) => {
    let at = 0;
    const below = (n: number) => (n <= 1 ? 0 : list[at++ % list.length]! % n);
    let work = 1; // kept small for the interpreter
    const axes = (most: number) =>
      Array.from({ length: below(most + 1) }, () => {
        const n = 1 + below(9);
        if (work * n > 4000) return 1;
        work *= n;
        return n;
      });
    const [batch, m, n, k] = [axes(2), axes(2), axes(2), axes(3)];
    const all = [...batch, ...m, ...n, ...k];
    const [mAt, nAt, kAt] = [batch.length, batch.length + m.length, batch.length + m.length + n.length];
    const operand = (binding: number, skip: (axis: number) => boolean): [Access, number] => {
      const own = all.map((_, i) => i).filter((i) => !skip(i));
      const order = [...own].sort(() => below(3) - 1);
      const strides = all.map(() => 0);
      let step = 1;
      for (const i of order) {
        strides[i] = below(7) === 0 ? 0 : step;
        step *= all[i]!;
      }
      let index = strided(all, strides);
      const bounds: Bound[] = [];
      if (own.length > 0 && below(3) === 0) {
        const i = own[below(own.length)]!;
        const j = own[below(own.length)]!;
        const term = i === j ? variable(i, all[i]!) : plus(variable(i, all[i]!), variable(j, all[j]!), constant(-1));
        bounds.push({ term, min: 0, end: Math.max(1, all[i]! - 1) });
      }
      if (below(6) === 0) index = plus(index, constant(2));
      return [access(binding, index, bounds), step + 2];
    };
    const [lhs, left] = operand(0, (i) => i >= nAt && i < kAt);
    const [rhs, right] = operand(1, (i) => i >= mAt && i < nAt);
    const dtype = (['f32', 'f32', 'f64', 'i32'] as const)[below(4)]!;
    await compareKernel(backends, contraction(dtype, { batch, m, n, k }, lhs, rhs, [left, right]), {
      rtol: 1e-5,
      atol: 1e-5,
    });
  });
  await fc.assert(check, runs);
});

const dtypes = ['f32', 'f64', 'i32', 'u8'] as const;

describe.each(dtypes)('scatter of %s', (dtype) => {
  test.each(['add', 'set'] as const)('%s', async (mode) => {
    for (const { outer, count, inner, limit } of [
      { outer: [], count: 5, inner: [], limit: 8 },
      { outer: [3], count: 4, inner: [5], limit: 6 },
      { outer: [], count: 7, inner: [17], limit: 9 },
      { outer: [2, 3], count: 1, inner: [2, 4], limit: 3 },
      { outer: [4], count: 0, inner: [3], limit: 2 },
    ]) {
      const sizes = [...outer, count, ...inner];
      const own = [...outer, limit, ...inner];
      // Setting wants each place at most once in a row.
      const places = Array.from({ length: size(sizes) }, (_, i) => {
        const c = Math.floor(i / size(inner)) % Math.max(1, count);
        return mode === 'set' ? (c + i) % limit : (i * 5) % limit;
      });
      const unique =
        mode === 'set'
          ? places.map((_, i) => Math.floor(i / size(inner)) % Math.max(1, Math.min(count, limit)))
          : places;
      for (const base of [null, access(0, rowMajor(own))]) {
        const producer: Producer = {
          kind: 'scatter',
          dtype,
          mode,
          outer,
          count,
          inner,
          limit,
          base,
          index: access(1, rowMajor(sizes)),
          updates: access(2, rowMajor(sizes)),
          out: 3,
        };
        const contents: Content[] = [
          values(dtype, size(own)),
          { dtype: 'i32', mode: 'read', data: unique },
          values(dtype, size(sizes), 3),
          output(dtype, size(own)),
        ];
        const name = JSON.stringify({ outer, count, inner, limit, base: base !== null });
        await compareKernel(backends, { name, contents, producer, range: own[0] ?? 1 });
      }
    }
  });

  test('rows of updates that share an index, contiguous or not', async () => {
    for (const { outer, count, inner, limit } of [
      { outer: [], count: 7, inner: [17], limit: 5 },
      { outer: [2], count: 3, inner: [2, 4], limit: 6 },
      { outer: [3], count: 4, inner: [1], limit: 2 },
    ]) {
      const sizes = [...outer, count, ...inner];
      const own = [...outer, limit, ...inner];
      const indexed = [...outer, count];
      const n = size(indexed);
      const shared = access(0, strided(sizes, [...rowMajorStrides(indexed), ...inner.map(() => 0)]));
      const data = Array.from({ length: n }, (_, i) => (i * 3) % limit);
      for (const strides of [rowMajorStrides(sizes), [...rowMajorStrides(sizes)].reverse()]) {
        const span = 1 + sizes.reduce((sum, s, i) => sum + (s - 1) * strides[i]!, 0);
        const producer: Producer = {
          kind: 'scatter',
          dtype,
          mode: 'add',
          outer,
          count,
          inner,
          limit,
          base: null,
          index: shared,
          updates: access(1, strided(sizes, strides)),
          out: 2,
        };
        const contents: Content[] = [
          { dtype: 'i32', mode: 'read', data },
          values(dtype, span),
          output(dtype, size(own)),
        ];
        await compareKernel(backends, { name: `rows ${sizes} ${strides}`, contents, producer, range: own[0] ?? 1 });
      }
    }
  });

  test('into its own base', async () => {
    const own = [3, 4];
    const producer: Producer = {
      kind: 'scatter',
      dtype,
      mode: 'add',
      outer: [3],
      count: 5,
      inner: [],
      limit: 4,
      base: access(2, rowMajor(own)),
      index: access(0, rowMajor([3, 5])),
      updates: access(1, rowMajor([3, 5])),
      out: 2,
    };
    const index: Content = { dtype: 'i32', mode: 'read', data: Array.from({ length: 15 }, (_, i) => (i * 3) % 4) };
    const contents: Content[] = [index, values(dtype, 15), { ...values(dtype, 12), mode: 'readwrite' }];
    await compareKernel(backends, { contents, producer, range: 3 });
  });
});

describe.each(dtypes)('scan of %s', (dtype) => {
  test.each([
    { reverse: false, bounded: false },
    { reverse: true, bounded: false },
    { reverse: false, bounded: true },
    { reverse: true, bounded: true },
  ])('reversed: $reverse, with a bound: $bounded', async ({ reverse, bounded }) => {
    for (const [rows, length] of [
      [[], 7],
      [[3], 5],
      [[2, 4], 1],
      [[5], 0],
      [[9, 3], 6],
      [[2, 21], 5], // rows in lanes, and some that are left
      [[300], 3], // more than one call takes
    ] as const) {
      const all = [...rows, length];
      const n = size(all);
      // Steps may be the outer axis in memory.
      for (const strides of [rowMajorStrides(all), [...rowMajorStrides(rows), size(rows)]]) {
        const producer: Producer = {
          kind: 'scan',
          dtype,
          rows,
          length,
          reverse,
          a: access(0, strided(all, strides)),
          b: access(1, rowMajor(all), bounded ? [{ term: variable(rows.length, length), min: 1, end: length }] : []),
          outIndex: strided(all, strides),
          out: 2,
        };
        const contents = [values(dtype, n), values(dtype, n, 4), output(dtype, n)];
        await compareKernel(backends, { name: `scan ${all}`, contents, producer, range: Math.max(1, rows[0] ?? 1) });
      }
    }
  });
});

describe.each(['f32', 'f64', 'i32', 'u32', 'u8', 'bool'] as const)('sort of %s', (dtype) => {
  test.each([false, true])('descending: %s', async (descending) => {
    for (const [rows, length, count] of [
      [[], 1, 1],
      [[3], 5, 5],
      [[2, 3], 17, 4],
      [[], 64, 64],
      [[2], 100, 1],
      [[3], 500, 500],
      [[], 5000, 5000],
      [[4], 0, 0],
    ] as const) {
      const all = [...rows, length];
      const content = values(dtype, size(all));
      const special = dtype === 'f32' || dtype === 'f64' ? [NaN, -0, 0, -Infinity, Infinity] : [];
      const data = Array.from(content.data, (x, i) => (i % 7 === 3 && special.length > 0 ? special[(i * 3) % 5]! : x));
      const producer: Producer = {
        kind: 'sort',
        dtype,
        rows,
        length,
        count,
        descending,
        input: access(0, rowMajor(all)),
        outIndex: rowMajor([...rows, count]),
        out: 1,
      };
      const contents: Content[] = [{ ...content, data }, output('i32', size([...rows, count]))];
      await compareKernel(backends, { name: `sort ${all}`, contents, producer, range: Math.max(1, rows[0] ?? 1) });
    }
  });
});
