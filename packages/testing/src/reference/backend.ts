/**
 * The reference backend: schedules run by a plain interpreter, slowly and with every check that we could think of. It decides
 * what a kernel means; a backend is right when it gives the same numbers.
 *
 * What is wrong with a schedule (an access out of bounds, an element written twice, a read of what was never written) is
 * thrown by `prepare` or `run`. What is wrong with data (an index out of range) rejects the next read, as on any backend.
 */
import {
  type Backend,
  BackendError,
  type Capabilities,
  checkRun,
  type Executable,
  type Kernel,
  type Schedule,
  type Storage,
  type Timing,
  ValueError,
} from '@dl/tensor';
import { ReferenceExecutable } from './executable';
import { ReferenceMemory, wholeStorage } from './memory';

export interface ReferenceOptions {
  /** Whether schedules are checked as they run; see `README.md`. Default true. */
  readonly strict?: boolean;
  /** Limits to announce instead of the usual ones. */
  readonly capabilities?: Partial<Capabilities>;
}

/** A backend that also counts, for tests of how often something runs. */
export interface ReferenceBackend extends Backend {
  /** Names of the kernels that ran, in order, since the last call of `forgetRuns`. */
  readonly ran: readonly string[];
  forgetRuns(): void;
}

const defaults: Capabilities = {
  dtypes: ['f32', 'f64', 'f16', 'i32', 'u32', 'u8', 'bool'],
  maxBindings: 64,
  maxOperations: 256,
  syncReads: true,
};

class Reference implements ReferenceBackend {
  readonly name = 'reference';
  readonly capabilities: Capabilities;
  readonly lost = new Promise<BackendError>(() => {});
  ran: string[] = [];
  private readonly strict: boolean;
  private pending: ValueError | null = null;
  private inUse = 0;
  private peak = 0;
  private disposed = false;

  constructor(options: ReferenceOptions) {
    this.strict = options.strict ?? true;
    this.capabilities = { ...defaults, ...options.capabilities };
  }

  supports(kernel: Kernel): true | string {
    const missing = kernel.bindings.find((b) => !this.capabilities.dtypes.includes(b.dtype));
    return missing ? `there is no ${missing.dtype}` : true;
  }

  allocate(byteLength: number): Storage {
    this.checkAlive('allocate');
    this.count(byteLength);
    return new ReferenceMemory(byteLength, this.strict);
  }

  free(storage: Storage): void {
    if (this.disposed) return;
    const memory = this.own('free', storage);
    if (memory.freed) throw new BackendError('free: the storage was freed before.');
    memory.freed = true;
    this.count(-memory.byteLength);
  }

  write(to: Storage, byteOffset: number, data: ArrayBufferView): void {
    const memory = this.own('write', to);
    memory.check('write', byteOffset, data.byteLength);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    new Uint8Array(memory.buffer).set(bytes, byteOffset);
    memory.owner?.fill(wholeStorage, byteOffset, byteOffset + bytes.length);
  }

  async read(from: Storage, byteOffset: number, byteLength: number): Promise<ArrayBuffer> {
    return this.readSync(from, byteOffset, byteLength);
  }

  readSync(from: Storage, byteOffset: number, byteLength: number): ArrayBuffer {
    this.throwPending();
    const memory = this.own('read', from);
    memory.check('read', byteOffset, byteLength);
    if (memory.owner?.subarray(byteOffset, byteOffset + byteLength).includes(0)) {
      throw new BackendError('read: part of the storage was never written.');
    }
    return memory.buffer.slice(byteOffset, byteOffset + byteLength);
  }

  prepare(schedule: Schedule): Executable {
    this.checkAlive('prepare');
    const executable = new ReferenceExecutable(schedule, this.strict, () => this.count(-schedule.arenaBytes));
    this.count(schedule.arenaBytes);
    if (this.strict) this.checkLimits(schedule);
    return executable;
  }

  run(
    executable: Executable,
    bindings: readonly Storage[],
    scalars: Float64Array,
    timings?: (steps: readonly Timing[]) => void,
  ): void {
    this.checkAlive('run');
    checkRun(ReferenceExecutable, executable, bindings, scalars);
    const { arena, steps } = executable;
    arena.forget();
    const slots = executable.slots(bindings.map((storage) => this.own('run', storage)));
    const times = steps.map((step): Timing => {
      const start = performance.now();
      step.run(slots, scalars, (message) => this.keepFault(`${step.name}: ${message}.`));
      this.ran.push(step.name);
      return { name: step.name, ms: performance.now() - start };
    });
    timings?.(times);
  }

  async synchronize(): Promise<void> {
    this.throwPending();
  }

  memory(): { inUse: number; peak: number } {
    return { inUse: this.inUse, peak: this.peak };
  }

  describe(): string {
    return `reference interpreter${this.strict ? ', strict' : ''}`;
  }

  async dispose(): Promise<void> {
    this.disposed = true;
  }

  forgetRuns(): void {
    this.ran = [];
  }

  private checkLimits({ steps }: Schedule): void {
    const { maxBindings } = this.capabilities;
    for (const step of steps) {
      if (step.kind === 'kernel' && step.kernel.bindings.length > maxBindings) {
        throw new BackendError(
          `${step.kernel.name}: ${step.kernel.bindings.length} bindings, but at most ${maxBindings} are allowed.`,
        );
      }
    }
  }

  private own(operation: string, storage: Storage): ReferenceMemory {
    this.checkAlive(operation);
    if (!(storage instanceof ReferenceMemory))
      throw new BackendError(`${operation}: the storage is of another backend.`);
    return storage;
  }

  private checkAlive(operation: string): void {
    if (this.disposed) throw new BackendError(`${operation}: the backend was disposed.`);
  }

  private count(bytes: number): void {
    this.inUse += bytes;
    this.peak = Math.max(this.peak, this.inUse);
  }

  private keepFault(message: string): void {
    this.pending ??= new ValueError(message);
  }

  private throwPending(): void {
    const fault = this.pending;
    this.pending = null;
    if (fault) throw fault;
  }
}

/**
 * A backend that interprets kernels in JavaScript: f32 results are rounded at each instruction, sums and contractions are
 * made in f64 and rounded once.
 *
 * @param options - `strict` (default true) checks every schedule and access; `capabilities` narrows what is announced
 */
export const referenceBackend = (options: ReferenceOptions = {}): ReferenceBackend => new Reference(options);
