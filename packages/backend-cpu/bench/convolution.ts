/*
 * Speed of LeNet's convolutions and their gradients (batch 64), some larger ones, and linear layers:
 * `npx esbuild bench/convolution.ts --bundle --platform=node --format=esm
 * --conditions=@dl/source --outfile=dist/bench.mjs && node dist/bench.mjs [name…]`.
 *
 * Prints the median and best milliseconds of short rounds after warming up, and GFLOPS of both.
 * Rounds are short, so that the best is that of an undisturbed one on a busy machine.
 */

import { type ConvolutionSpec, type Program, type ProgramNode, type Shape, schedule, sizeOf } from '@dl/tensor';
import { cpu } from '../src/index';

interface Case {
  readonly name: string;
  readonly program: Program;
  readonly flops: number;
}

/** A program under construction. */
class Builder {
  readonly nodes: ProgramNode[] = [];

  node(op: string, sources: number[], attrs: object, shape: Shape): number {
    return this.nodes.push({ op, sources, attrs, shape, dtype: 'f32', args: [] } as unknown as ProgramNode) - 1;
  }

  data(shape: Shape): number {
    return this.node('data', [], {}, shape);
  }

  shape(node: number): Shape {
    return this.nodes[node]!.shape;
  }

  permute(x: number, axes: number[]): number {
    return this.node(
      'permute',
      [x],
      { axes },
      axes.map((a) => this.shape(x)[a]!),
    );
  }

  flip(x: number, axes: readonly number[]): number {
    const shape = this.shape(x);
    const flips = shape.map((_, i) => axes.includes(i));
    const starts = shape.map((n, i) => (flips[i] ? n - 1 : 0));
    return this.node('slice', [x], { starts, sizes: shape, steps: flips.map((y) => (y ? -1 : 1)) }, shape);
  }

  convolution(x: number, w: number, { padding, stride = 1, dilation = 1, groups = 1 }: Spec): number {
    const [n, , ...size] = this.shape(x) as [number, number, ...number[]];
    const [o, , ...kernel] = this.shape(w) as [number, number, ...number[]];
    const out = size.map((s, i) => Math.floor((s + 2 * padding - (kernel[i]! - 1) * dilation - 1) / stride) + 1);
    const spec: ConvolutionSpec = {
      stride: [stride, stride],
      padding: [
        [padding, padding],
        [padding, padding],
      ],
      lhsDilation: [1, 1],
      rhsDilation: [dilation, dilation],
      groups,
    };
    return this.node('convolution', [x, w], spec, [n, o, ...out]);
  }

  finish(name: string, node: number, flops: number): Case {
    return { name, flops, program: { nodes: this.nodes, outputs: [{ node, into: null }], scalars: 0 } };
  }
}

interface Spec {
  readonly padding: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly groups?: number;
}

type Sizes = { n: number; c: number; h: number; o: number; k: number };

const outSize = ({ h, k }: Sizes, { padding, stride = 1 }: Spec) => Math.floor((h + 2 * padding - k) / stride) + 1;
const work = (s: Sizes, spec: Spec) => 2 * s.n * (s.c / (spec.groups ?? 1)) * s.o * s.k ** 2 * outSize(s, spec) ** 2;

function forward(name: string, s: Sizes, spec: Spec): Case {
  const b = new Builder();
  const x = b.data([s.n, s.c, s.h, s.h]);
  const w = b.data([s.o, s.c / (spec.groups ?? 1), s.k, s.k]);
  return b.finish(`${name} forward`, b.convolution(x, w, spec), work(s, spec));
}

function ofData(name: string, s: Sizes, { padding }: Spec): Case {
  const b = new Builder();
  const out = outSize(s, { padding });
  const g = b.data([s.n, s.o, out, out]);
  const w = b.data([s.o, s.c, s.k, s.k]);
  const turned = b.flip(b.permute(w, [1, 0, 2, 3]), [2, 3]);
  return b.finish(`${name} of data`, b.convolution(g, turned, { padding: s.k - 1 - padding }), work(s, { padding }));
}

function ofKernel(name: string, s: Sizes, { padding, stride = 1 }: Spec): Case {
  const b = new Builder();
  const out = outSize(s, { padding, stride });
  const x = b.data([s.n, s.c, s.h, s.h]);
  const g = b.data([s.n, s.o, out, out]);
  const result = b.convolution(b.permute(x, [1, 0, 2, 3]), b.permute(g, [1, 0, 2, 3]), { padding, dilation: stride });
  return b.finish(`${name} of kernel`, b.permute(result, [1, 0, 2, 3]), work(s, { padding, stride }));
}

/** x [m, k] times w [n, k] transposed, or one of its gradients. */
function linear(m: number, n: number, k: number, kind: 'forward' | 'of data' | 'of kernel'): Case {
  const b = new Builder();
  const dot = (x: number, y: number, lhs: number, rhs: number) => {
    const shape = [b.shape(x)[1 - lhs]!, b.shape(y)[1 - rhs]!];
    return b.node('dot', [x, y], { lhsBatch: [], rhsBatch: [], lhsContract: [lhs], rhsContract: [rhs] }, shape);
  };
  const name = `linear ${m}x${k}→${n} ${kind}`;
  const flops = 2 * m * n * k;
  if (kind === 'forward') return b.finish(name, dot(b.data([m, k]), b.data([n, k]), 1, 1), flops);
  if (kind === 'of data') return b.finish(name, dot(b.data([m, n]), b.data([n, k]), 1, 0), flops);
  return b.finish(name, dot(b.data([m, n]), b.data([m, k]), 0, 0), flops);
}

const conv1 = { n: 64, c: 1, h: 28, o: 6, k: 5 };
const conv2 = { n: 64, c: 6, h: 14, o: 16, k: 5 };
const resnet = { n: 4, c: 64, h: 56, o: 64, k: 3 };
const cases: Case[] = [
  forward('lenet 1', conv1, { padding: 2 }),
  ofKernel('lenet 1', conv1, { padding: 2 }),
  forward('lenet 2', conv2, { padding: 0 }),
  ofData('lenet 2', conv2, { padding: 0 }),
  ofKernel('lenet 2', conv2, { padding: 0 }),
  forward('3x3 64→64, 56x56', resnet, { padding: 1 }),
  ofData('3x3 64→64, 56x56', resnet, { padding: 1 }),
  ofKernel('3x3 64→64, 56x56', resnet, { padding: 1 }),
  forward('3x3 stride 2', resnet, { padding: 1, stride: 2 }),
  ofKernel('3x3 stride 2', resnet, { padding: 1, stride: 2 }),
  forward('1x1', { ...resnet, k: 1 }, { padding: 0 }),
  forward('depthwise 3x3', resnet, { padding: 1, groups: 64 }),
  forward('3x3 256→256, 7x7', { n: 16, c: 256, h: 7, o: 256, k: 3 }, { padding: 1 }),
  linear(64, 120, 400, 'forward'),
  linear(64, 120, 400, 'of data'),
  linear(64, 120, 400, 'of kernel'),
  linear(128, 256, 784, 'forward'),
  linear(128, 256, 784, 'of kernel'),
  linear(1, 256, 784, 'forward'),
];

const backend = await cpu();
const wanted = process.argv.slice(2);
const prepared = cases
  .filter(({ name }) => wanted.length === 0 || wanted.some((w) => name.includes(w)))
  .map(({ name, program, flops }) => {
    const sizes = [...program.nodes.filter((n) => n.op === 'data'), program.nodes[program.outputs[0]!.node]!].map((n) =>
      sizeOf(n.shape),
    );
    const storages = sizes.map((size) => {
      const storage = backend.allocate(4 * size);
      backend.write(
        storage,
        0,
        Float32Array.from({ length: size }, () => Math.random() - 0.5),
      );
      return storage;
    });
    const planned = schedule(program, backend.capabilities);
    const executable = backend.prepare(planned);
    const run = () => backend.run(executable, storages, new Float64Array(0));
    const start = performance.now();
    run();
    return {
      name,
      flops,
      run,
      kernels: planned.steps.length,
      coldMs: performance.now() - start,
      times: [] as number[],
    };
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
  'name'.padEnd(36),
  'median ms'.padStart(10),
  'best ms'.padStart(9),
  'GFLOPS'.padStart(8),
  'best'.padStart(7),
  'cold'.padStart(8),
  'kernels',
);
for (const { name, flops, times, coldMs, kernels } of prepared) {
  times.sort((a, b) => a - b);
  const [median, best] = [times[times.length >> 1]!, times[0]!];
  console.log(
    name.padEnd(36),
    median.toFixed(4).padStart(10),
    best.toFixed(4).padStart(9),
    (flops / median / 1e6).toFixed(1).padStart(8),
    (flops / best / 1e6).toFixed(1).padStart(7),
    coldMs.toFixed(2).padStart(8),
    kernels,
  );
}
