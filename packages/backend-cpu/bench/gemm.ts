/*
 * Speed of single-threaded matrix products: `npx tsx bench/gemm.ts [tile…]`, tiles being 6x8, 4x8 and 4x8-unfused.
 *
 * Prints GFLOPS, the median and the best of 25 rounds of about 12 ms after warming up, on operands of random numbers, and the
 * time of one cold call. Rounds go through the shapes in turn, so that a busy neighbour hits all alike.
 */

import { emitGemm, type GemmSpec, type MicroKernel, planOf, scratchBytes } from '../src/kernels/gemm/gemm';
import { chooseMicroKernel } from '../src/kernels/gemm/micro-kernel';
import { ModuleBuilder } from '../src/wasm/assembler';
import { detectFeatures } from '../src/wasm/features';

/** m, n, k and whether B is stored transposed. */
const SHAPES: readonly (readonly [m: number, n: number, k: number, transposed?: boolean])[] = [
  [16, 16, 16],
  [64, 64, 64],
  [128, 128, 128],
  [256, 256, 256],
  [512, 512, 512],
  [1024, 1024, 1024],
  [256, 256, 256, true],
  [512, 512, 512, true],
  [1, 512, 512],
  [1, 512, 512, true],
  [512, 1, 512],
  [8, 512, 512],
  [32, 2048, 512],
  [64, 256, 400],
  [64, 400, 256, true],
  [100, 100, 100],
];

const TILES: Readonly<Record<string, MicroKernel>> = {
  '6x8': { rows: 6, unroll: 4, fused: true },
  '4x8': { rows: 4, unroll: 1, fused: true },
  '4x8-unfused': { rows: 4, unroll: 1, fused: false },
};

interface Workload {
  readonly name: string;
  readonly flops: number;
  readonly coldMs: number;
  readonly run: () => void;
}

function prepare([m, n, k, transposed = false]: (typeof SHAPES)[number], micro: MicroKernel): Workload {
  const b = transposed ? { k: 1, n: k } : { k: n, n: 1 };
  const spec: GemmSpec = { dtype: 'f32', m, n, k, a: { m: k, k: 1 }, b, cRow: n, micro };
  // Staggered, because arrays at one offset modulo 4096 disturb each other.
  const aBase = 64;
  const bBase = Math.ceil((aBase + m * k * 4) / 4096) * 4096 + 1088;
  const cBase = Math.ceil((bBase + n * k * 4) / 4096) * 4096 + 2112;
  const scratch = Math.ceil((cBase + m * n * 4) / 4096) * 4096 + 3136;
  const memory = new WebAssembly.Memory({ initial: Math.ceil((scratch + scratchBytes(spec)) / 65536) + 1 });
  const data = new Float32Array(memory.buffer);
  for (let at = 0; at < cBase / 4; at++) data[at] = Math.random() - 0.5;
  const module = new ModuleBuilder().importMemory({ minPages: 1 });
  emitGemm(module, spec, 'gemm');
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), { env: { memory } });
  const gemm = instance.exports.gemm as (...args: number[]) => void;
  const run = () => gemm(aBase, bBase, cBase, 0, m, scratch);
  const start = performance.now();
  run();
  const coldMs = performance.now() - start;
  return { name: `${m}×${n}×${k}${transposed ? ' Bᵀ' : ''} ${planOf(spec)}`, flops: 2 * m * n * k, coldMs, run };
}

/** Calls for about `milliseconds` and returns GFLOPS. */
function rate({ flops, run }: Workload, milliseconds: number): number {
  const calls = Math.max(1, Math.round((milliseconds * 3e7) / flops));
  const start = performance.now();
  for (let call = 0; call < calls; call++) run();
  return (flops * calls) / (performance.now() - start) / 1e6;
}

const features = await detectFeatures();
const choice = chooseMicroKernel(features);
console.log(`${process.version}, relaxed SIMD ${features.relaxedSimd}, chosen tile ${JSON.stringify(choice)}`);
const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(TILES);
for (const name of names) {
  const micro = TILES[name];
  if (micro === undefined || (micro.fused && !features.relaxedSimd)) continue;
  const workloads = SHAPES.map((shape) => prepare(shape, micro));
  for (const workload of workloads) rate(workload, 60);
  const rounds = Array.from({ length: 25 }, () => workloads.map((workload) => rate(workload, 12)));
  console.log(`\n${name}`);
  for (const [at, workload] of workloads.entries()) {
    const sorted = rounds.map((round) => round[at] ?? 0).sort((x, y) => x - y);
    const [median, best] = [sorted[12] ?? 0, sorted[24] ?? 0];
    const columns = [workload.name.padEnd(26), median.toFixed(1).padStart(7), `best ${best.toFixed(1)}`.padStart(12)];
    console.log(...columns, `cold ${workload.coldMs.toFixed(2)} ms`.padStart(16));
  }
}
