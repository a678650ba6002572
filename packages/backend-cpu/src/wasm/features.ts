/*
 * Decides which optional parts of WebAssembly the running engine has.
 *
 * The question is put to `WebAssembly.validate` with a module of one instruction, never to a version number. Node 20
 * has relaxed SIMD behind a flag that must be set before anything is compiled, so detection is asynchronous there
 * and sets it first.
 */

import { ModuleBuilder } from './assembler';
import type { FunctionBuilder, ValueType } from './function-builder';

/** What the engine accepts. */
export interface WasmFeatures {
  /** 128-bit vectors: WebAssembly 2.0. */
  readonly simd: boolean;
  /** Fused multiply-add among others: WebAssembly 3.0. */
  readonly relaxedSimd: boolean;
  /** Atomic instructions on a memory shared between threads. Whether one may be created is asked separately. */
  readonly threads: boolean;
}

/** What WebAssembly 2.0 promises and nothing more. */
export const BASELINE_FEATURES: WasmFeatures = { simd: true, relaxedSimd: false, threads: false };

function accepts(result: ValueType, body: (f: FunctionBuilder) => void, shared = false): boolean {
  const module = new ModuleBuilder().importMemory({ minPages: 1, maxPages: 1, shared });
  module.function({ results: [result] }, body);
  return WebAssembly.validate(module.bytes());
}

/** Asks the engine as it is now, without setting any flag. */
export function probeFeatures(): WasmFeatures {
  const zero = new Uint8Array(16);
  return {
    simd: accepts('v128', (f) => f.v128(zero)),
    relaxedSimd: accepts('v128', (f) => f.v128(zero).v128(zero).v128(zero).op('f32x4.relaxed_madd')),
    threads: accepts('i32', (f) => f.i32(0).mem('i32.atomic.load'), true),
  };
}

/** Turns on what Node has behind a flag. Elsewhere, and where it is not needed, does nothing. */
async function enableRelaxedSimd(): Promise<void> {
  const versions = (globalThis as { process?: { versions?: { node?: string } } }).process?.versions;
  if (versions?.node === undefined || probeFeatures().relaxedSimd) return;
  try {
    // In a variable, so that bundlers for browsers do not look for the module.
    const specifier = 'node:v8';
    const v8 = (await import(/* @vite-ignore */ specifier)) as { setFlagsFromString(flag: string): void };
    v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
  } catch {
    // Deno and Bun may lack the flag or the module; the probe that follows tells what there is.
  }
}

let detected: Promise<WasmFeatures> | undefined;

/** The features of this engine, found once. In Node 20 this enables relaxed SIMD for the process. */
export function detectFeatures(): Promise<WasmFeatures> {
  detected ??= enableRelaxedSimd().then(probeFeatures);
  return detected;
}
