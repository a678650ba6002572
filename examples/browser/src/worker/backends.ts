/** The backends that the page offers, a row each: how it is found out whether one can run here, and how it starts. */
import { cpu } from '@dl/backend-cpu';
import { webgpu } from '@dl/backend-gpu';
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
    label: () => 'gpu.js',
    unavailable: async () => 'not built yet',
    start: async () => {
      throw new Error('not built yet');
    },
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
