/*
 * Chooses the register tile for this engine.
 *
 * Which tile is fastest depends on how the engine allocates registers and orders loads: V8 before 13 moves all loads of a
 * block before the arithmetic and spills a 6×8 tile that later versions keep. Where the engine says which V8 it is, that
 * decides, for measuring would be most of what creating a backend costs. Elsewhere the two candidates run a small product
 * for a few milliseconds.
 */

import { ModuleBuilder } from '../../wasm/assembler';
import type { WasmFeatures } from '../../wasm/features';
import { emitGemm, type GemmSpec, type MicroKernel } from './gemm';

/** The tile that no engine spills: best without fused multiply-add, and a good one with it. */
export const PORTABLE_MICRO_KERNEL: MicroKernel = { rows: 4, unroll: 1, fused: false };

const TRIAL_MS = 12;
/** A 6×8 tile must win clearly, since a wrong choice costs more than a missed gain. */
const MARGIN = 0.97;

/** The parts of the Performance interface that are used; declared here because there is no DOM library. */
declare const performance: { now(): number };

let chosen: MicroKernel | undefined;

const SAFE: MicroKernel = { rows: 4, unroll: 1, fused: true };
const WIDE: MicroKernel = { rows: 6, unroll: 4, fused: true };
/** The first version of V8 that keeps the wide tile in registers. */
const WIDE_FROM_V8 = 13;

/** The fastest tile; where it has to be measured, on the first call, which takes about 12 ms then. */
export function chooseMicroKernel(features: Pick<WasmFeatures, 'relaxedSimd'>): MicroKernel {
  if (!features.relaxedSimd) return PORTABLE_MICRO_KERNEL; // 6×8 spills with separate multiply and add
  const v8 = versionOfV8((globalThis as { process?: { versions?: Versions } }).process?.versions);
  if (v8 !== null) return v8 >= WIDE_FROM_V8 ? WIDE : SAFE;
  chosen ??= measure(SAFE, WIDE);
  return chosen;
}

type Versions = Readonly<Record<string, string | undefined>>;

/** The major version of V8; null in browsers and in Bun, which names a version of V8 without having it. */
export function versionOfV8(versions: Versions | undefined): number | null {
  const major = Number.parseInt(versions?.v8 ?? '', 10);
  return Number.isNaN(major) || versions?.bun !== undefined ? null : major;
}

/** Runs both in turn until the time is up; by then both are compiled with optimisation. */
function measure(safe: MicroKernel, wide: MicroKernel): MicroKernel {
  const [runSafe, runWide] = [trial(safe), trial(wide)];
  const start = performance.now();
  let [bestSafe, bestWide] = [Infinity, Infinity];
  while (performance.now() - start < TRIAL_MS) {
    bestSafe = Math.min(bestSafe, runSafe());
    bestWide = Math.min(bestWide, runWide());
  }
  return bestWide < bestSafe * MARGIN ? wide : safe;
}

/** A function that multiplies 48×256 by 256×48 and returns the milliseconds it took. */
function trial(micro: MicroKernel): () => number {
  const [m, n, k] = [48, 48, 256];
  const spec: GemmSpec = { dtype: 'f32', m, n, k, a: { m: k, k: 1 }, b: { k: n, n: 1 }, cRow: n, micro };
  const memory = new WebAssembly.Memory({ initial: 3 });
  const [bBase, cBase] = [m * k * 4, (m + n) * k * 4];
  // Zeros and denormals have their own speed.
  new Float32Array(memory.buffer).fill(0.5, 0, (m + n) * k);
  const module = new ModuleBuilder().importMemory({ minPages: 1 });
  emitGemm(module, spec, 'gemm');
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), { env: { memory } });
  const gemm = instance.exports.gemm as (...args: number[]) => void;
  return () => {
    const start = performance.now();
    gemm(0, bBase, cBase, 0, m, 0);
    return performance.now() - start;
  };
}
