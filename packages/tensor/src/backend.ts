/**
 * The contract of a backend: an allocator and a renderer, nothing more. What it cannot do it says before scheduling, so
 * that the scheduler, not the backend, decides what to do about it.
 */
import { byteWidth, type DType } from './dtype';
import { BackendError } from './errors';
import type { Kernel, Schedule } from './kernel';

/** A piece of a backend's memory. Only its backend knows what is inside. */
export interface Storage {
  readonly byteLength: number;
}

/** A prepared schedule. Only its backend knows what is inside. */
export interface Executable {
  dispose(): void;
}

/** What a backend can do; the scheduler makes no kernel beyond it. */
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

/** Where programs run: an allocator of storages, and a renderer of kernels. */
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

/** What every backend knows of its executables. */
export interface OwnExecutable extends Executable {
  readonly schedule: Schedule;
  /** Of `boundBytesOf`. */
  readonly boundBytes: readonly number[];
  readonly disposed: boolean;
}

/** Bytes that each bound storage of a schedule must have. */
export function boundBytesOf({ slots, bound }: Schedule): number[] {
  const bytes = new Array<number>(bound).fill(0);
  for (const { kind, index, size, dtype } of slots)
    if (kind === 'bound') bytes[index] = Math.max(bytes[index]!, size * byteWidth(dtype));
  return bytes;
}

/**
 * What every backend checks before a run.
 *
 * @param own - the class of the backend's executables
 * @throws BackendError if the executable is another backend's or was disposed, or does not fit what is bound
 */
export function checkRun<E extends OwnExecutable>(
  own: abstract new (...args: never[]) => E,
  executable: Executable,
  bindings: readonly Storage[],
  scalars: Float64Array,
): asserts executable is E {
  if (!(executable instanceof own)) throw new BackendError('run: the executable is of another backend.');
  if (executable.disposed) throw new BackendError('run: the executable was disposed.');
  const { schedule, boundBytes } = executable;
  if (bindings.length !== schedule.bound || scalars.length < schedule.scalars) {
    throw new BackendError(
      `run: takes ${schedule.bound} storages and ${schedule.scalars} numbers, but got ${bindings.length} and ${scalars.length}.`,
    );
  }
  for (let i = 0; i < bindings.length; i++) {
    const { byteLength } = bindings[i]!;
    if (byteLength < boundBytes[i]!)
      throw new BackendError(`run: storage ${i} has ${byteLength} bytes, but the schedule needs ${boundBytes[i]}.`);
  }
}
