/*
 * Speed of fused kernels: `npx esbuild bench/kernels.ts --bundle --platform=node --format=esm
 * --conditions=@dl/source --outfile=dist/bench.mjs && node dist/bench.mjs [name…]`.
 *
 * Prints milliseconds (median and best of short rounds, after warming up) and GB/s of what must be read and written
 * once, or GFLOPS, of the best: rounds are short, so that it is that of an undisturbed one on a busy machine. The
 * operands are random numbers.
 */

import { byteWidth, type DType, type Expr, type Instruction, type Kernel, type Schedule, zerosArray } from '@dl/tensor';
import { cpu } from '../src/index';

const variable = (index: number, size: number): Expr => ({ kind: 'var', index, size });
/** The flat place of the variables of a shape, by strides. */
const place = (shape: readonly number[], strides: readonly number[]): Expr => ({
  kind: 'add',
  terms: shape.map((size, i) => ({ kind: 'mul', term: variable(i, size), factor: strides[i]! })),
});
const rowMajor = (shape: readonly number[]): Expr => {
  let step = 1;
  const strides = shape.map(() => 0);
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= shape[i]!;
  }
  return place(shape, strides);
};
const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

type Body = (at: {
  load(binding: number, index?: Expr): number;
  store(binding: number, value: number, index?: Expr): void;
  push(i: Instruction): number;
}) => void;

interface Options {
  readonly name: string;
  readonly rows: readonly number[];
  readonly reduced?: readonly number[];
  /** Elements of each binding; the written ones last. */
  readonly sizes: readonly number[];
  readonly outputs?: number;
  readonly dtypes?: readonly DType[];
  readonly body: Body;
  /** What is counted: GB/s of these bytes, or GFLOPS of these operations. */
  readonly bytes?: number;
  readonly flops?: number;
}

interface Workload {
  readonly options: Options;
  readonly schedule: Schedule;
}

function workload(options: Options): Workload {
  const { name, rows, reduced = [], sizes, outputs = 1, dtypes = [], body } = options;
  const list: Instruction[] = [];
  const all = [...rows, ...reduced];
  const dtypeOf = (binding: number): DType => dtypes[binding] ?? 'f32';
  const push = (i: Instruction): number => list.push(i) - 1;
  body({
    push,
    load: (binding, index = rowMajor(all)) =>
      push({ op: 'load', dtype: dtypeOf(binding), access: { binding, index, bounds: [] }, fill: 0 }),
    store: (binding, value, index = rowMajor(all)) => {
      push({ op: 'store', dtype: dtypeOf(binding), access: { binding, index, bounds: [] }, args: [value] });
    },
  });
  const kernel: Kernel = {
    name,
    bindings: sizes.map((_, slot) => ({
      slot,
      mode: slot >= sizes.length - outputs ? 'write' : 'read',
      dtype: dtypeOf(slot),
    })),
    params: [],
    producer: null,
    rows,
    reduced,
    body: list,
    range: rows[0] ?? 1,
  };
  const slots = sizes.map((size, index) => ({ kind: 'bound' as const, index, offset: 0, dtype: dtypeOf(index), size }));
  return {
    options,
    schedule: { steps: [{ kind: 'kernel', kernel }], slots, bound: slots.length, arenaBytes: 0, scalars: 0 },
  };
}

const elementwise = (
  name: string,
  n: number,
  inputs: number,
  make: (args: number[], push: (i: Instruction) => number) => number,
): Options => ({
  name,
  rows: [n],
  sizes: new Array(inputs + 1).fill(n),
  bytes: 4 * n * (inputs + 1),
  body: ({ load, store, push }) => {
    const args = Array.from({ length: inputs }, (_, i) => load(i));
    store(inputs, make(args, push));
  },
});
const op2 = (op: 'add' | 'mul' | 'max', a: number, b: number): Instruction => ({ op, dtype: 'f32', args: [a, b] });
const op1 = (op: 'exp' | 'tanh' | 'neg' | 'reciprocal' | 'sqrt', a: number): Instruction => ({
  op,
  dtype: 'f32',
  args: [a],
});
const sum = (a: number): Instruction => ({ op: 'sum', dtype: 'f32', args: [a] });
const number = (value: number): Instruction => ({ op: 'constant', dtype: 'f32', value });

const M = 1 << 20;
const tanhFma = (n: number, name: string): Options =>
  elementwise(name, n, 3, ([a, b, c], push) => push(op1('tanh', push(op2('add', push(op2('mul', a!, b!)), c!)))));
const reluAdd = (n: number, name: string): Options =>
  elementwise(name, n, 2, ([a, b], push) => push(op2('max', push(op2('add', a!, b!)), push(number(0)))));

function softmax(rows: number, columns: number): Options {
  return {
    name: `softmax ${rows}x${columns}`,
    rows: [rows],
    reduced: [columns],
    sizes: [rows * columns, rows * columns],
    bytes: 8 * rows * columns,
    body: ({ load, store, push }) => {
      const x = load(0);
      const most = push({ op: 'max_reduce', dtype: 'f32', args: [x] });
      const e = push(op1('exp', push(op2('add', x, push(op1('neg', most))))));
      store(1, push(op2('mul', e, push(op1('reciprocal', push(sum(e)))))));
    },
  };
}

function layerNorm(rows: number, columns: number): Options {
  return {
    name: `layer_norm ${rows}x${columns}`,
    rows: [rows],
    reduced: [columns],
    sizes: [rows * columns, columns, columns, rows * columns],
    bytes: 8 * rows * columns,
    body: ({ load, store, push }) => {
      const x = load(0);
      const scale = push(number(1 / columns));
      const mean = push(op2('mul', push(sum(x)), scale));
      const d = push(op2('add', x, push(op1('neg', mean))));
      const variance = push(op2('mul', push(sum(push(op2('mul', d, d)))), scale));
      const r = push(op1('reciprocal', push(op1('sqrt', push(op2('add', variance, push(number(1e-5))))))));
      const column = place([rows, columns], [0, 1]);
      const y = push(op2('mul', push(op2('mul', d, r)), load(1, column)));
      store(3, push(op2('add', y, load(2, column))));
    },
  };
}

function reduction(name: string, rows: readonly number[], reduced: readonly number[], index: Expr): Options {
  const n = sizeOf(rows) * sizeOf(reduced);
  return {
    name,
    rows,
    reduced,
    sizes: [n, sizeOf(rows)],
    bytes: 4 * n,
    body: ({ load, store, push }) => store(1, push(sum(load(0, index))), rowMajor(rows)),
  };
}

/** 2×2 maximum of [planes, 2·h, 2·w]. */
function maxPool(planes: number, h: number, w: number): Options {
  const n = planes * h * w;
  return {
    name: `max_pool 2x2 ${planes}x${2 * h}x${2 * w}`,
    rows: [planes, h, w],
    reduced: [2, 2],
    sizes: [4 * n, n],
    bytes: 20 * n,
    body: ({ load, store, push }) => {
      const x = load(0, place([planes, h, w, 2, 2], [4 * h * w, 4 * w, 2, 2 * w, 1]));
      store(1, push({ op: 'max_reduce', dtype: 'f32', args: [x] }), rowMajor([planes, h, w]));
    },
  };
}

function transpose(n: number): Options {
  return {
    name: `transpose ${n}x${n}`,
    rows: [n, n],
    sizes: [n * n, n * n],
    bytes: 8 * n * n,
    body: ({ load, store }) => store(1, load(0, place([n, n], [1, n]))),
  };
}

/** w −= lr · m / (sqrt(v) + eps), as Adam has it, in fused form. */
const adam = (n: number): Options => ({
  name: `adam ${n}`,
  rows: [n],
  sizes: new Array(7).fill(n),
  outputs: 3,
  bytes: 28 * n,
  body: ({ load, store, push }) => {
    const [w, g, m, v] = [load(0), load(1), load(2), load(3)];
    const mix = (a: number, x: number, b: number, y: number) =>
      push(op2('add', push(op2('mul', push(number(a)), x)), push(op2('mul', push(number(b)), y))));
    const nextM = mix(0.9, m, 0.1, g);
    const nextV = mix(0.999, v, 0.001, push(op2('mul', g, g)));
    const root = push(op2('add', push(op1('sqrt', nextV)), push(number(1e-8))));
    const step = push(op2('mul', push(op2('mul', nextM, push(op1('reciprocal', root)))), push(number(-1e-3))));
    store(4, push(op2('add', w, step)));
    store(5, nextM);
    store(6, nextV);
  },
});

const biasRelu: Options = {
  name: 'bias+relu 64x6x28x28',
  rows: [64, 6, 28, 28],
  sizes: [64 * 6 * 784, 6, 64 * 6 * 784],
  bytes: 8 * 64 * 6 * 784,
  body: ({ load, store, push }) => {
    const x = push(op2('add', load(0), load(1, place([64, 6, 28, 28], [0, 1, 0, 0]))));
    store(2, push(op2('max', x, push(number(0)))));
  },
};

const workloads: readonly Workload[] = [
  tanhFma(4 * M, 'tanh_fma 4M'),
  tanhFma(M / 64, 'tanh_fma 16K'),
  reluAdd(4 * M, 'relu_add 4M'),
  reluAdd(M / 64, 'relu_add 16K'),
  reluAdd(1000, 'relu_add 1000'),
  elementwise('exp 64K', M / 16, 1, ([a], push) => push(op1('exp', a!))),
  reduction('sum 16M', [4096], [4096], rowMajor([4096, 4096])),
  reduction('sum 16M in one', [], [16 * M], rowMajor([16 * M])),
  reduction('sum 64K in rows', [64], [1024], rowMajor([64, 1024])),
  reduction('column sum 4096x1024', [1024], [4096], place([1024, 4096], [1, 1024])),
  reduction('column sum 128x256', [256], [128], place([256, 128], [1, 256])),
  reduction('channel sum 64x6x784', [6], [64, 784], place([6, 64, 784], [784, 6 * 784, 1])),
  softmax(4096, 1024),
  softmax(128, 10),
  layerNorm(4096, 1024),
  layerNorm(512, 128),
  maxPool(64 * 6, 14, 14),
  transpose(1024),
  transpose(64),
  adam(M),
  adam(10000),
  biasRelu,
].map(workload);

const backend = await cpu();
const wanted = process.argv.slice(2);
const prepared = workloads
  .filter(({ options }) => wanted.length === 0 || wanted.some((w) => options.name.includes(w)))
  .map(({ options, schedule }) => {
    const storages = schedule.slots.map(({ dtype, size }) => {
      const storage = backend.allocate(size * byteWidth(dtype));
      const data = zerosArray(dtype, size);
      for (let i = 0; i < size; i++) data[i] = Math.random() - 0.25;
      backend.write(storage, 0, data);
      return storage;
    });
    const started = performance.now();
    const executable = backend.prepare(schedule);
    const prepareMs = performance.now() - started;
    const run = () => backend.run(executable, storages, new Float64Array(0));
    const once = performance.now();
    run();
    const coldMs = performance.now() - once;
    return { options, run, prepareMs, coldMs, times: [] as number[] };
  });

for (let round = 0; round < 300; round++) {
  for (const { run, coldMs, times } of prepared) {
    const repeats = Math.max(1, Math.round(0.4 / Math.min(coldMs, ...times.slice(-5))));
    if (round > 60 && repeats === 1 && round % 8 > 0) continue;
    const start = performance.now();
    for (let i = 0; i < repeats; i++) run();
    const ms = (performance.now() - start) / repeats;
    if (round > 10) times.push(ms);
  }
}
console.log(
  'name'.padEnd(30),
  'median ms'.padStart(10),
  'best ms'.padStart(10),
  'GB/s'.padStart(8),
  'GFLOPS'.padStart(8),
  'prepare'.padStart(8),
  'cold'.padStart(8),
);
for (const { options, times, prepareMs, coldMs } of prepared) {
  times.sort((a, b) => a - b);
  const median = times[times.length >> 1]!;
  const rate = (n: number | undefined) => (n === undefined ? '' : (n / times[0]! / 1e6).toFixed(1)).padStart(8);
  console.log(
    options.name.padEnd(30),
    median.toFixed(4).padStart(10),
    times[0]!.toFixed(4).padStart(10),
    rate(options.bytes),
    rate(options.flops),
    prepareMs.toFixed(2).padStart(8),
    coldMs.toFixed(2).padStart(8),
  );
}
