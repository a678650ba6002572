/**
 * The contract of a backend: an allocator and a renderer, nothing more. What it cannot do it says before scheduling, so
 * that the scheduler, not the backend, decides what to do about it.
 */
import type { DType } from './dtype';
import type { BackendError } from './errors';
import type { Kernel, Schedule } from './kernel';

/** A piece of a backend's memory. Only its backend knows what is inside. */
export interface Storage {
  readonly byteLength: number;
}

/** A prepared schedule. Only its backend knows what is inside. */
export interface Executable {
  dispose(): void;
}

export interface Capabilities {
  readonly dtypes: readonly DType[];
  /** Limits of one kernel. */
  readonly maxBindings: number;
  readonly maxOperations: number;
  /** Whether `readSync` is there. */
  readonly syncReads: boolean;
}

/** Time of one step of an executable, for `profile`. */
export interface Timing {
  readonly name: string;
  readonly ms: number;
}

export interface Backend {
  readonly name: string;
  readonly capabilities: Capabilities;
  /** Whether a kernel can be rendered; a string is the reason why not. */
  supports(kernel: Kernel): true | string;
  /** @throws BackendError when there is no room */
  allocate(byteLength: number): Storage;
  free(storage: Storage): void;
  write(to: Storage, byteOffset: number, data: ArrayBufferView): void;
  /** Rejects once with a fault of a run before it, naming the operation. */
  read(from: Storage, byteOffset: number, byteLength: number): Promise<ArrayBuffer>;
  readSync?(from: Storage, byteOffset: number, byteLength: number): ArrayBuffer;
  /** Renders all kernels at once. */
  prepare(schedule: Schedule): Executable;
  /** Queues a run, in order. `timings` asks for the time of each step. */
  run(
    executable: Executable,
    bindings: readonly Storage[],
    scalars: Float64Array,
    timings?: (steps: readonly Timing[]) => void,
  ): void;
  synchronize(): Promise<void>;
  readonly lost: Promise<BackendError>;
  memory(): { readonly inUse: number; readonly peak: number };
  /** What runs, in words: engine, features, threads. */
  describe(): string;
  dispose(): Promise<void>;
}
