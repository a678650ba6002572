/** The backends that the page offers, a row each: how it is found out whether one can run here, and how it starts. */
import { cpu } from '@dl/backend-cpu';
import { gpujs, webgpu } from '@dl/backend-gpu';
import type { Backend } from '@dl/tensor';
import type { BackendChoice, BackendName } from '../messages';

interface Row {
  label(): string;
  /** Why it cannot run here; null if it can. */
  unavailable(): Promise<string | null>;
  start(): Promise<Backend>;
}

interface Gpu {
  requestAdapter(): Promise<unknown>;
}

const threads = (): number => (globalThis.crossOriginIsolated ? navigator.hardwareConcurrency : 1);

/** Starting and ending a device is the only way to know. */
async function whyNoWebGpu(): Promise<string | null> {
  const { gpu } = navigator as { readonly gpu?: Gpu };
  if (!gpu) return 'this browser has none, or the page came neither by HTTPS nor from localhost';
  return (await gpu.requestAdapter()) ? null : 'this browser finds no GPU that it may use';
}

const hasWebGl = (): boolean => new OffscreenCanvas(1, 1).getContext('webgl2') !== null;

const rows: Readonly<Record<BackendName, Row>> = {
  cpu: {
    label: () => (threads() === 1 ? 'CPU, 1 thread' : `CPU, ${threads()} threads`),
    unavailable: async () => null,
    start: () => cpu(),
  },
  webgpu: {
    label: () => 'WebGPU',
    unavailable: whyNoWebGpu,
    start: () => webgpu(),
  },
  gpujs: {
    label: () => 'gpu.js (WebGL)',
    unavailable: async () => (hasWebGl() ? null : 'this browser has no WebGL 2 in workers'),
    start: async () => gpujs({ mode: 'webgl2', library: await import('gpu.js') }),
  },
};

export const startBackend = (name: BackendName): Promise<Backend> => rows[name].start();

export const backendChoices = (): Promise<BackendChoice[]> =>
  Promise.all(
    Object.entries(rows).map(async ([name, row]) => ({
      name: name as BackendName,
      label: row.label(),
      unavailable: await row.unavailable().catch((error: Error) => error.message),
    })),
  );
