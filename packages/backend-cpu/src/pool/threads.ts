/*
 * Decides how many threads there are: as many as asked for, by default one a core; one where memory cannot be shared.
 */
import { ValueError } from '@dl/tensor';
import type { WasmFeatures } from '../wasm/features';

interface Host {
  readonly process?: { getBuiltinModule?(name: string): unknown };
  readonly navigator?: { readonly hardwareConcurrency?: number };
  readonly crossOriginIsolated?: boolean;
  readonly SharedArrayBuffer?: unknown;
}

const host = globalThis as unknown as Host;

/** A module of Node, where there is one; never an import, which bundlers for browsers would look for. */
export function builtin<T>(name: string): T | undefined {
  return host.process?.getBuiltinModule?.(name) as T | undefined;
}

/** Threads that this machine runs at once. */
export function availableCores(): number {
  const os = builtin<{ availableParallelism?(): number }>('node:os');
  return os?.availableParallelism?.() ?? host.navigator?.hardwareConcurrency ?? 1;
}

/** Why threads cannot share memory here, or null where they can. */
export function unshareable(features: WasmFeatures): string | null {
  if (host.crossOriginIsolated === false) {
    return "this page is not cross-origin isolated. Serve it with the headers 'Cross-Origin-Opener-Policy: same-origin' and 'Cross-Origin-Embedder-Policy: require-corp'";
  }
  if (host.SharedArrayBuffer === undefined) return 'this engine has no SharedArrayBuffer';
  return features.threads ? null : 'this engine has no WebAssembly threads';
}

/** @throws ValueError if it is not a whole number from 1 to `cores` */
export function checkThreads(threads: number, cores: number): void {
  if (!Number.isInteger(threads) || threads < 1) {
    throw new ValueError(`cpu: threads must be a whole number from 1 on, but is ${threads}.`);
  }
  if (threads > cores) {
    throw new ValueError(
      `cpu: ${threads} threads are asked for, but this machine runs ${cores} at once; more would only wait for each other. Leave \`threads\` out for all cores.`,
    );
  }
}

let warned = false;

/** Says once why there is one thread. */
export function warnOneThread(reason: string, cores: number): void {
  if (warned) return;
  warned = true;
  console.warn(
    `@dl/backend-cpu runs on one thread of ${cores}: ${reason}. Ask for \`threads: 1\` to silence this line.`,
  );
}

/** Whether this thread may sleep: the main thread of a browser may not. */
export function mayWait(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
    return true;
  } catch {
    return false;
  }
}
