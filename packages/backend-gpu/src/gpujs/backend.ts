/**
 * The gpu.js backend. Tensors live on the host as bytes; a run gives each stage its arrays and takes its result back, so it works
 * in every mode of gpu.js and costs a transfer each way in those that have a GPU. Modes without promises run at once;
 * otherwise writes, runs and reads wait for each other in one queue.
 */
import {
  BackendError,
  type Capabilities,
  checkRun,
  type Executable,
  type Schedule,
  type Storage,
  type Timing,
  ValueError,
} from '@dl/tensor';
import type { GpuBackend } from '../first-available';
import { drive, driveAsync, GpuJsExecutable, type Runner } from './executable';
import type { Launcher } from './launcher';
import { type ConcreteMode, type Device, type ModeTraits, modes } from './mode';

class HostStorage implements Storage {
  freed = false;

  constructor(
    readonly owner: GpuJs,
    readonly buffer: ArrayBuffer,
  ) {}

  get byteLength(): number {
    return this.buffer.byteLength;
  }
}

/** A backend that runs kernels by gpu.js. */
export interface GpuJsBackend extends GpuBackend {
  readonly mode: ConcreteMode;
  /** What runs on the host since gpu.js cannot: operations with the reason of each. */
  readonly hosted: ReadonlyMap<string, string>;
}

/** There is no f64: the host could compute it, but then nothing would run by gpu.js. */
const dtypes: Capabilities['dtypes'] = ['f32', 'f16', 'i32', 'u32', 'u8', 'bool'];

export class GpuJs implements GpuJsBackend, Runner {
  readonly name = 'gpu.js';
  readonly capabilities: Capabilities;
  readonly lost = new Promise<BackendError>(() => {});
  readonly traits: ModeTraits;
  readonly mode: ConcreteMode;
  readonly isFallback: boolean;
  readonly hosted = new Map<string, string>();
  readonly readSync?: (from: Storage, byteOffset: number, byteLength: number) => ArrayBuffer;
  private pending: Error | null = null;
  private queue: Promise<void> = Promise.resolve();
  private inUse = 0;
  private peak = 0;
  private disposed = false;

  constructor(
    private readonly launcher: Launcher,
    private readonly device: Device,
    private readonly warn: (message: string) => void,
  ) {
    this.mode = launcher.mode;
    this.traits = modes[launcher.mode];
    this.isFallback = device.isProcessor;
    this.capabilities = {
      dtypes,
      maxBindings: Math.min(16, this.traits.maxInputs + 1),
      maxOperations: 128,
      syncReads: !this.traits.async,
    };
    if (!this.traits.async) this.readSync = (from, byteOffset, byteLength) => this.bytes(from, byteOffset, byteLength);
  }

  supports(): true {
    return true;
  }

  allocate(byteLength: number): Storage {
    this.checkAlive('allocate');
    const storage = new HostStorage(this, this.memoryFor('allocate', byteLength));
    this.count(byteLength);
    return storage;
  }

  free(storage: Storage): void {
    if (this.disposed) return;
    const own = this.own('free', storage);
    own.freed = true;
    this.count(-own.byteLength);
  }

  write(to: Storage, byteOffset: number, data: ArrayBufferView): void {
    const { buffer } = this.own('write', to);
    checkRange('write', buffer, byteOffset, data.byteLength);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (!this.traits.async) new Uint8Array(buffer).set(bytes, byteOffset);
    else {
      const copy = bytes.slice();
      this.enqueue(async () => new Uint8Array(buffer).set(copy, byteOffset));
    }
  }

  async read(from: Storage, byteOffset: number, byteLength: number): Promise<ArrayBuffer> {
    this.own('read', from);
    await this.queue;
    return this.bytes(from, byteOffset, byteLength);
  }

  prepare(schedule: Schedule): Executable {
    this.checkAlive('prepare');
    const arena = this.memoryFor('prepare', schedule.arenaBytes);
    const executable = new GpuJsExecutable(schedule, arena, this, () => this.count(-arena.byteLength));
    this.count(arena.byteLength);
    return executable;
  }

  run(
    executable: Executable,
    bindings: readonly Storage[],
    scalars: Float64Array,
    timings?: (steps: readonly Timing[]) => void,
  ): void {
    this.checkAlive('run');
    checkRun(GpuJsExecutable, executable, bindings, scalars);
    const run = executable.run(
      bindings.map((storage) => this.own('run', storage).buffer),
      scalars.slice(),
    );
    const report = (times: readonly Timing[]): void => timings?.(times);
    if (this.traits.async) this.enqueue(async () => report(await driveAsync(run)));
    else report(drive(run));
  }

  async synchronize(): Promise<void> {
    await this.queue;
    this.throwPending();
  }

  memory(): { inUse: number; peak: number } {
    return { inUse: this.inUse, peak: this.peak };
  }

  describe(): string {
    const host = this.hosted.size > 0 ? `; on the host: ${[...this.hosted.keys()].join(', ')}` : '';
    return `gpu.js, mode ${this.mode}, on ${this.device.words}${host}`;
  }

  async dispose(): Promise<void> {
    if (this.disposed) return;
    await this.queue;
    this.disposed = true;
    await this.launcher.dispose();
  }

  launch(source: string, cells: number, args: readonly (Float32Array | number)[]): ReturnType<Launcher['launch']> {
    return this.launcher.launch(source, cells, args);
  }

  fault(message: string): void {
    this.pending ??= new ValueError(message);
  }

  runsOnHost(operation: string, kernel: string, reason: string): void {
    if (this.hosted.has(operation)) return;
    this.hosted.set(operation, reason);
    this.warn(`gpujs: ${operation} runs on the host (first in ${kernel}): ${reason}. This is said once.`);
  }

  /** Does something after all that was queued before it; what it throws rejects the next read. */
  private enqueue(task: () => Promise<unknown>): void {
    this.queue = this.queue.then(task).then(
      () => {},
      (error: unknown) => {
        this.pending ??= error instanceof Error ? error : new BackendError(String(error));
      },
    );
  }

  private bytes(from: Storage, byteOffset: number, byteLength: number): ArrayBuffer {
    this.throwPending();
    const { buffer } = this.own('read', from);
    checkRange('read', buffer, byteOffset, byteLength);
    return buffer.slice(byteOffset, byteOffset + byteLength);
  }

  private memoryFor(operation: string, byteLength: number): ArrayBuffer {
    try {
      return new ArrayBuffer(byteLength);
    } catch (cause) {
      throw new BackendError(
        `${operation}: there is no room for ${byteLength} bytes on the host; ${this.inUse} are in use.`,
        { cause },
      );
    }
  }

  private own(operation: string, storage: Storage): HostStorage {
    this.checkAlive(operation);
    if (!(storage instanceof HostStorage) || storage.owner !== this) {
      throw new BackendError(`${operation}: the storage is of another backend; move the tensor by to(backend).`);
    }
    if (storage.freed) throw new BackendError(`${operation}: the storage was freed.`);
    return storage;
  }

  private checkAlive(operation: string): void {
    if (this.disposed) throw new BackendError(`${operation}: the gpu.js backend was disposed.`);
  }

  private count(bytes: number): void {
    this.inUse += bytes;
    this.peak = Math.max(this.peak, this.inUse);
  }

  private throwPending(): void {
    const error = this.pending;
    this.pending = null;
    if (error) throw error;
  }
}

function checkRange(operation: string, buffer: ArrayBuffer, byteOffset: number, byteLength: number): void {
  if (byteOffset < 0 || byteOffset + byteLength > buffer.byteLength) {
    const end = byteOffset + byteLength;
    throw new BackendError(
      `${operation}: bytes ${byteOffset} to ${end} are outside a storage of ${buffer.byteLength} bytes.`,
    );
  }
}
