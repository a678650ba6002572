/** The backends that the page offers, a row each: how it is found out whether one can run here, and how it starts. */
import { cpu } from '@dl/backend-cpu';
import type { Backend } from '@dl/tensor';
import type { BackendChoice, BackendName } from '../messages';

interface Row {
  label(): string;
  /** Why it cannot run here; null if it can. */
  unavailable(): Promise<string | null>;
  start(): Promise<Backend>;
}

const threads = (): number => (globalThis.crossOriginIsolated ? navigator.hardwareConcurrency : 1);

const rows: Readonly<Record<BackendName, Row>> = {
  cpu: {
    label: () => (threads() === 1 ? 'CPU, 1 thread' : `CPU, ${threads()} threads`),
    unavailable: async () => null,
    start: () => cpu(),
  },
  webgpu: {
    label: () => 'WebGPU',
    unavailable: async () => 'not built yet',
    start: async () => {
      throw new Error('not built yet');
    },
  },
  gpujs: {
    label: () => 'gpu.js (WebGL)',
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
