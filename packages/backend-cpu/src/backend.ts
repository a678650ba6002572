/*
 * The CPU backend: storages in one WebAssembly memory, schedules as lists of calls into compiled modules. Runs are
 * executed at once, in order; a fault of data is kept until the next read or `synchronize`.
 */
import {
  type Backend,
  BackendError,
  type Capabilities,
  type Executable,
  type Kernel,
  type Schedule,
  type Storage,
  type Timing,
  ValueError,
} from '@dl/tensor';
import { CpuExecutable, KernelCache, type KernelFunction, type PreparedStep } from './executable';
import type { MicroKernel } from './kernels/gemm/gemm';
import { chooseMicroKernel } from './kernels/gemm/micro-kernel';
import { type Calls, rendersKernel, usualCallWork } from './kernels/render';
import { statusAddress } from './kernels/target';
import { constantsBase, constantsBytes, LinearMemory, type Piece } from './memory';
import { Constants } from './wasm/constants';
import { detectFeatures, type WasmFeatures } from './wasm/features';

/** How the backend is set up. */
export interface CpuOptions {
  /** Most memory that tensors may take, in bytes; 4 GiB by default, which is also the limit of WebAssembly. */
  readonly maxBytes?: number;
  /** Whether the memory is one that threads can share. Default false. */
  readonly shared?: boolean;
}

/** Besides what users choose, what tests do. */
export interface InternalOptions extends CpuOptions {
  /** Element operations of one call; a small number splits every kernel as far as it can be. */
  readonly callWork?: number;
  readonly micro?: MicroKernel;
  readonly features?: WasmFeatures;
}

class CpuStorage implements Storage {
  freed = false;

  constructor(
    readonly owner: CpuBackend,
    readonly piece: Piece,
  ) {}

  get byteLength(): number {
    return this.piece.byteLength;
  }
}

class CpuBackend implements Backend {
  readonly name = 'cpu';
  readonly capabilities: Capabilities = {
    dtypes: ['f32', 'f64', 'f16', 'i32', 'u32', 'u8', 'bool'],
    maxBindings: 64,
    maxOperations: 256,
    syncReads: true,
  };
  readonly lost = new Promise<BackendError>(() => {});
  readonly #memory: LinearMemory;
  readonly #cache: KernelCache;
  readonly #executables = new Set<CpuExecutable>();
  #arena: Piece | null = null;
  #scratch: Piece | null = null;
  #shared: Piece | null = null;
  #disposed = false;

  constructor(
    private readonly features: WasmFeatures,
    options: InternalOptions,
  ) {
    this.#memory = new LinearMemory({ maxBytes: options.maxBytes ?? 2 ** 32, shared: options.shared ?? false });
    const { callWork = usualCallWork, micro = chooseMicroKernel(features) } = options;
    const constants = new Constants(constantsBase, constantsBytes);
    this.#cache = new KernelCache(this.#memory, constants, features, { callWork, micro });
  }

  supports(kernel: Kernel): true | string {
    return rendersKernel(kernel);
  }

  allocate(byteLength: number): Storage {
    this.#checkAlive('allocate');
    return new CpuStorage(this, this.#memory.allocate(byteLength));
  }

  free(storage: Storage): void {
    if (this.#disposed) return;
    const own = this.#own('free', storage);
    own.freed = true;
    this.#memory.free(own.piece);
  }

  write(to: Storage, byteOffset: number, data: ArrayBufferView): void {
    const own = this.#own('write', to);
    checkBytes('write', own, byteOffset, data.byteLength);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.#memory.bytes.set(bytes, own.piece.address + byteOffset);
  }

  async read(from: Storage, byteOffset: number, byteLength: number): Promise<ArrayBuffer> {
    return this.readSync(from, byteOffset, byteLength);
  }

  readSync(from: Storage, byteOffset: number, byteLength: number): ArrayBuffer {
    this.#throwFault();
    const own = this.#own('read', from);
    checkBytes('read', own, byteOffset, byteLength);
    const start = own.piece.address + byteOffset;
    const copy = new Uint8Array(byteLength);
    copy.set(this.#memory.bytes.subarray(start, start + byteLength));
    return copy.buffer;
  }

  prepare(schedule: Schedule): Executable {
    this.#checkAlive('prepare');
    const executable = new CpuExecutable(schedule, this.#memory, this.#cache, (e) => this.#executables.delete(e));
    this.#executables.add(executable);
    return executable;
  }

  run(
    executable: Executable,
    bindings: readonly Storage[],
    scalars: Float64Array,
    timings?: (steps: readonly Timing[]) => void,
  ): void {
    this.#checkAlive('run');
    if (!(executable instanceof CpuExecutable)) throw new BackendError('run: the executable is of another backend.');
    if (executable.disposed) throw new BackendError('run: the executable was disposed.');
    const { schedule } = executable;
    if (bindings.length !== schedule.bound || scalars.length < schedule.scalars) {
      throw new BackendError(
        `run: takes ${schedule.bound} storages and ${schedule.scalars} numbers, but got ${bindings.length} and ${scalars.length}.`,
      );
    }
    this.#reserve(executable);
    this.#fillBlocks(executable, bindings, scalars);
    const times: Timing[] | null = timings ? [] : null;
    for (const step of executable.steps) {
      const start = times ? performance.now() : 0;
      this.#step(executable, step, bindings);
      times?.push({ name: step.name, ms: performance.now() - start });
    }
    if (times) timings?.(times);
  }

  /** Makes the arena, the scratch memory and that of preparations, which all executables share, large enough. */
  #reserve(executable: CpuExecutable): void {
    const { arenaBytes } = executable.schedule;
    if (arenaBytes > 0 && (this.#arena?.byteLength ?? 0) < arenaBytes) {
      if (this.#arena) this.#memory.free(this.#arena);
      this.#arena = null;
      this.#arena = this.#memory.allocate(arenaBytes);
    }
    if ((this.#scratch?.byteLength ?? 0) < executable.scratchBytes) {
      if (this.#scratch) this.#memory.free(this.#scratch);
      this.#scratch = null;
      this.#scratch = this.#memory.allocate(executable.scratchBytes);
    }
    if ((this.#shared?.byteLength ?? 0) < executable.sharedBytes) {
      if (this.#shared) this.#memory.free(this.#shared);
      this.#shared = null;
      this.#shared = this.#memory.allocate(executable.sharedBytes);
    }
  }

  #fillBlocks(executable: CpuExecutable, bindings: readonly Storage[], scalars: Float64Array): void {
    const { storages, arena, shared, scalars: numbers } = executable.writes;
    for (let i = 0; i < bindings.length; i++) {
      const own = this.#own('run', bindings[i]!);
      if (own.byteLength < executable.boundBytes[i]!) {
        throw new BackendError(
          `run: storage ${i} has ${own.byteLength} bytes, but the schedule needs ${executable.boundBytes[i]}.`,
        );
      }
    }
    const words = this.#memory.words;
    for (const [index, word] of storages) words[word] = (bindings[index] as CpuStorage).piece.address;
    const places = this.#memory.numbers;
    for (const [index, place] of numbers) places[place] = scalars[index]!;
    const base = this.#arena?.address ?? 0;
    if (executable.arenaAddress !== base) for (const [offset, word] of arena) words[word] = base + offset;
    executable.arenaAddress = base;
    const sharedBase = this.#shared?.address ?? 0;
    if (executable.sharedAddress !== sharedBase) for (const [offset, word] of shared) words[word] = sharedBase + offset;
    executable.sharedAddress = sharedBase;
  }

  #step(executable: CpuExecutable, step: PreparedStep, bindings: readonly Storage[]): void {
    if (step.kind === 'copy') {
      const from = this.#address(executable, step.from, bindings);
      const to = this.#address(executable, step.to, bindings);
      this.#memory.bytes.copyWithin(to, from, from + step.byteLength);
      return;
    }
    const scratch = this.#scratch?.address ?? 0;
    if (step.prepare) callAll(step.prepare, step.block, scratch);
    callAll(step.kernel, step.block, scratch);
  }

  #address(executable: CpuExecutable, slot: number, bindings: readonly Storage[]): number {
    const { kind, index, offset } = executable.schedule.slots[slot]!;
    return kind === 'bound' ? (bindings[index] as CpuStorage).piece.address : (this.#arena?.address ?? 0) + offset;
  }

  async synchronize(): Promise<void> {
    this.#throwFault();
  }

  memory(): { inUse: number; peak: number } {
    return { inUse: this.#memory.inUse, peak: this.#memory.peak };
  }

  describe(): string {
    const { relaxedSimd } = this.features;
    return `WebAssembly SIMD128${relaxedSimd ? ' with fused multiply-add' : ''}, 1 thread`;
  }

  async dispose(): Promise<void> {
    for (const executable of [...this.#executables]) executable.dispose();
    this.#disposed = true;
  }

  #throwFault(): void {
    this.#checkAlive('read');
    const words = this.#memory.words;
    const at = statusAddress / 4;
    const block = words[at]!;
    if (block === 0) return;
    words[at] = 0;
    for (const executable of this.#executables) {
      const name = executable.nameOf(block >>> 0);
      if (name === undefined) continue;
      throw new ValueError(`${name}: index ${words[at + 1]} is outside 0 to ${words[at + 2]! - 1}.`);
    }
    throw new ValueError(`index ${words[at + 1]} is outside 0 to ${words[at + 2]! - 1}.`);
  }

  #own(operation: string, storage: Storage): CpuStorage {
    this.#checkAlive(operation);
    if (!(storage instanceof CpuStorage) || storage.owner !== this) {
      throw new BackendError(`${operation}: the storage is of another backend. Use to(backend).`);
    }
    if (storage.freed) throw new BackendError(`${operation}: the storage was freed.`);
    return storage;
  }

  #checkAlive(operation: string): void {
    if (this.#disposed) throw new BackendError(`${operation}: the backend was disposed.`);
  }
}

/** Calls the functions of every part of a range. */
function callAll({ functions, range, chunk }: Calls<KernelFunction>, block: number, scratch: number): void {
  for (let begin = 0; begin < range; begin += chunk) {
    const end = Math.min(range, begin + chunk);
    for (const run of functions) run(begin, end, block, scratch);
  }
}

function checkBytes(operation: string, storage: CpuStorage, byteOffset: number, byteLength: number): void {
  if (byteOffset >= 0 && byteOffset + byteLength <= storage.byteLength) return;
  throw new BackendError(
    `${operation}: bytes ${byteOffset} to ${byteOffset + byteLength} are outside a storage of ${storage.byteLength}.`,
  );
}

/**
 * The CPU backend.
 *
 * @param options - `maxBytes` (default 4 GiB) limits the memory of all tensors; `shared` makes it one for threads
 * @throws BackendError where WebAssembly has no SIMD
 * @example
 * setBackend(await cpu());
 */
export const cpu = (options: CpuOptions = {}): Promise<Backend> => createCpu(options);

/** As `cpu`, with what tests choose. */
export async function createCpu(options: InternalOptions = {}): Promise<Backend> {
  const features = options.features ?? (await detectFeatures());
  if (!features.simd) throw new BackendError('cpu: this engine has no WebAssembly SIMD. Use a newer one.');
  return new CpuBackend(features, options);
}
