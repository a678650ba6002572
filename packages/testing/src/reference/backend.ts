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
  byteWidth,
  type Capabilities,
  type Executable,
  type Kernel,
  type Schedule,
  type Slot,
  type Step,
  type Storage,
  type Timing,
  ValueError,
} from '@dl/tensor';
import { compileKernel, type KernelRunner } from './kernel';
import { Elements, ReferenceMemory, wholeStorage } from './memory';

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
  dtypes: ['f32', 'f64', 'i32', 'u32', 'u8', 'bool'],
  maxBindings: 64,
  maxOperations: 256,
  syncReads: true,
};

/** One step, ready to run on the elements of all slots. */
interface PreparedStep {
  readonly name: string;
  run(slots: readonly Elements[], scalars: Float64Array, fault: (message: string) => void): void;
}

class ReferenceExecutable implements Executable {
  readonly steps: readonly PreparedStep[];
  readonly arena: ReferenceMemory;
  readonly slotKeys: readonly number[];
  private readonly used: ReadonlySet<number>;
  disposed = false;

  constructor(
    readonly schedule: Schedule,
    strict: boolean,
    private readonly onDispose: () => void,
  ) {
    this.steps = schedule.steps.map((step) => prepareStep(schedule, step, strict));
    this.arena = new ReferenceMemory(schedule.arenaBytes, strict);
    this.slotKeys = slotKeys(schedule.slots);
    this.used = usedSlots(schedule);
    if (strict) checkSlots(schedule);
  }

  dispose(): void {
    if (!this.disposed) this.onDispose();
    this.disposed = true;
  }

  /** The elements of each slot for one run; slots that no step uses have none. */
  slots(bindings: readonly ReferenceMemory[]): Elements[] {
    return this.schedule.slots.map((slot, i) => {
      if (!this.used.has(i)) return new Elements(this.arena, 0, slot.dtype, 0, this.slotKeys[i]!);
      if (slot.kind === 'arena') return new Elements(this.arena, slot.offset, slot.dtype, slot.size, this.slotKeys[i]!);
      return new Elements(bindings[slot.index]!, 0, slot.dtype, slot.size, wholeStorage);
    });
  }
}

/** Numbers for the slots of an arena: two that are the same piece of it (a bit cast, say) share one. */
function slotKeys(slots: readonly Slot[]): number[] {
  const keys = new Map<string, number>();
  return slots.map((slot, i) => {
    const place = `${slot.offset}:${slot.size * byteWidth(slot.dtype)}`;
    const key = keys.get(place) ?? i + 1;
    keys.set(place, key);
    return key;
  });
}

/** The slots that some step uses. */
const usedSlots = ({ steps }: Schedule): Set<number> =>
  new Set(
    steps.flatMap((step) => (step.kind === 'copy' ? [step.from, step.to] : step.kernel.bindings.map((b) => b.slot))),
  );

function checkSlots(schedule: Schedule): void {
  const { slots, bound, arenaBytes } = schedule;
  const used = usedSlots(schedule);
  slots.forEach((slot, i) => {
    if (!used.has(i)) return;
    if (slot.kind === 'bound') {
      if (slot.index < 0 || slot.index >= bound)
        throw new BackendError(`slot ${i} is storage ${slot.index} of ${bound}.`);
      return;
    }
    const end = slot.offset + slot.size * byteWidth(slot.dtype);
    if (slot.offset % 64 !== 0)
      throw new BackendError(`slot ${i} starts at ${slot.offset}, which is not a multiple of 64.`);
    if (end > arenaBytes) throw new BackendError(`slot ${i} ends at ${end}, past the arena of ${arenaBytes} bytes.`);
  });
}

const byteLengthOf = (slot: Slot): number => slot.size * byteWidth(slot.dtype);

function copyStep(schedule: Schedule, from: number, to: number): PreparedStep {
  const [source, target] = [schedule.slots[from]!, schedule.slots[to]!];
  if (byteLengthOf(source) !== byteLengthOf(target)) {
    throw new BackendError(
      `copy: slot ${from} has ${byteLengthOf(source)} bytes, slot ${to} has ${byteLengthOf(target)}.`,
    );
  }
  const run = (slots: readonly Elements[]): void => {
    for (let i = 0; i < source.size; i++) slots[from]!.read(i);
    const bytes = new Uint8Array(slots[from]!.memory.buffer, slots[from]!.byteOffset, byteLengthOf(source)).slice();
    const { memory, byteOffset, slotKey } = slots[to]!;
    new Uint8Array(memory.buffer).set(bytes, byteOffset);
    memory.owner?.fill(slotKey, byteOffset, byteOffset + bytes.length);
  };
  return { name: 'copy', run };
}

function kernelStep(schedule: Schedule, kernel: Kernel, strict: boolean): PreparedStep {
  const runner: KernelRunner = named(kernel.name, () => {
    for (const binding of kernel.bindings) {
      const slot = schedule.slots[binding.slot];
      if (!slot) throw new BackendError(`slot ${binding.slot} does not exist.`);
      if (slot.dtype !== binding.dtype)
        throw new BackendError(`slot ${binding.slot} is ${slot.dtype}, its binding ${binding.dtype}.`);
    }
    return compileKernel(kernel, strict);
  });
  const run: PreparedStep['run'] = (slots, scalars, fault) => {
    const elements = kernel.bindings.map((binding) => slots[binding.slot]!);
    named(kernel.name, () => runner(elements, scalars, fault));
  };
  return { name: kernel.name, run };
}

function prepareStep(schedule: Schedule, step: Step, strict: boolean): PreparedStep {
  switch (step.kind) {
    case 'kernel':
      return kernelStep(schedule, step.kernel, strict);
    case 'copy':
      return copyStep(schedule, step.from, step.to);
    default:
      return step satisfies never;
  }
}

/** Runs `body`, and puts the kernel's name before the message of what it throws. */
function named<T>(name: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw new BackendError(`${name}: ${(error as Error).message}`, { cause: error });
  }
}

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
    if (!(executable instanceof ReferenceExecutable))
      throw new BackendError('run: the executable is of another backend.');
    if (executable.disposed) throw new BackendError('run: the executable was disposed.');
    const { schedule, arena, steps } = executable;
    if (bindings.length !== schedule.bound || scalars.length < schedule.scalars) {
      throw new BackendError(
        `run: takes ${schedule.bound} storages and ${schedule.scalars} numbers, but got ${bindings.length} and ${scalars.length}.`,
      );
    }
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
