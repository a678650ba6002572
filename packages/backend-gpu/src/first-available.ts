import { type Backend, BackendError } from '@dl/tensor';

/** A backend that may run on a GPU, or on a driver that only imitates one. */
export interface GpuBackend extends Backend {
  /** Whether what runs is a processor behind a GPU's interface, usually slower than the CPU backend. */
  readonly isFallback: boolean;
}

const isFallback = (backend: Backend): boolean => (backend as Partial<GpuBackend>).isFallback === true;

/**
 * The first backend that starts on this machine. One that only imitates a GPU (a fallback adapter) is taken only if nothing else starts.
 *
 * @param candidates - functions that start a backend, the preferred first
 * @throws BackendError with the reason of each, if none starts
 * @example
 * setBackend(await firstAvailable(webgpu, cpu));
 */
export async function firstAvailable(...candidates: readonly (() => Promise<Backend>)[]): Promise<Backend> {
  const reasons: string[] = [];
  let imitation: Backend | null = null;
  for (const start of candidates) {
    let backend: Backend;
    try {
      backend = await start();
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
      continue;
    }
    if (!isFallback(backend)) {
      await imitation?.dispose();
      return backend;
    }
    if (imitation) await backend.dispose();
    else imitation = backend;
  }
  if (imitation) return imitation;
  throw new BackendError(`firstAvailable: no backend starts here.\n${reasons.map((r) => `  ${r}`).join('\n')}`);
}
