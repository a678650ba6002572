/*
 * The CPU backend: storages in one WebAssembly memory, schedules as lists of calls into compiled modules. Runs are
 * executed at once, in order; a fault of data is kept until the next read or `synchronize`. Schedules with steps that are
 * worth it are run by all threads (pool/), which are started when there has been enough such work; others as a loop here.
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
import { type BlasChoice, chooseBlas } from './blas/library';
import { runSgemm, sgemmOf } from './blas/sgemm';
import { CpuExecutable, KernelCache, type KernelFunction } from './executable';
import { type KeepsPreparations, KeptPreparations } from './kept-preparations';
import type { MicroKernel } from './kernels/gemm/gemm';
import { chooseMicroKernel } from './kernels/gemm/micro-kernel';
import { type Calls, rendersKernel, usualCallWork } from './kernels/render';
import { paramsOffset, statusAddress } from './kernels/target';
import { constantsBase, constantsBytes, LinearMemory, Piece } from './memory';
import { control } from './pool/layout';
import { Pool, type PoolOptions, usualPool } from './pool/pool';
import { type Sharing, usualSharing } from './pool/program';
import { type Aliases, SharedSchedule, shareableWork } from './pool/shared-schedule';
import { availableCores, checkThreads, unshareable, warnOneThread } from './pool/threads';
import { Constants } from './wasm/constants';
import { detectFeatures, type WasmFeatures } from './wasm/features';

/** How the backend is set up. */
export interface CpuOptions {
  /** Most memory that tensors may take, in bytes; 4 GiB by default, which is also the limit of WebAssembly. */
  readonly maxBytes?: number | undefined;
  /** Threads that compute; by default one for each core. Results do not depend on it. */
  readonly threads?: number | undefined;
  /**
   * Whether large products in f32 are computed by the system's OpenBLAS, in Node, Bun and Deno: `'auto'` where it and koffi
   * are installed, true always. Faster where the processor has wide vectors; its order of summation depends on the machine.
   * Default false. `describe()` says what is used.
   */
  readonly blas?: boolean | 'auto' | undefined;
}

/** A run under way. */
interface Run {
  readonly executable: CpuExecutable;
  readonly bindings: readonly CpuStorage[];
  /** Steps whose preparation is there. */
  readonly skipped: ReadonlySet<number>;
  /** The schedule as threads run it; null where this thread does. */
  readonly threads: SharedSchedule | null;
}

/** Besides what users choose, what tests do. */
export interface InternalOptions extends CpuOptions {
  /** Element operations of one call; a small number splits every kernel as far as it can be. */
  readonly callWork?: number;
  readonly micro?: MicroKernel;
  readonly features?: WasmFeatures;
  /** Whether there may be more threads than cores. */
  readonly oversubscribe?: boolean;
  readonly sharing?: Partial<Omit<Sharing, 'threads'>>;
  readonly pool?: Partial<Omit<PoolOptions, 'threads'>>;
  /** Shared work, in element operations, after which threads are started. */
  readonly startAfter?: number;
}

/** About 2 ms of one thread: starting workers takes some 20 ms of another. */
const usualStartAfter = 4_000_000;

/** A storage is its piece of memory: eager runs of small operations make one each, which live until the collector finds them. */
class CpuStorage extends Piece implements Storage, KeepsPreparations {
  freed = false;
  prepared: KeepsPreparations['prepared'] = null;
  writtenBy = 0;
  /** The last run that it was looked at for, and as which binding. */
  run = 0;
  binding = 0;

  constructor(
    readonly owner: CpuBackend,
    byteLength: number,
  ) {
    super(byteLength);
  }
}

export class CpuBackend implements Backend {
  readonly name = 'cpu';
  readonly capabilities: Capabilities = {
    dtypes: ['f32', 'f64', 'f16', 'i32', 'u32', 'u8', 'bool'],
    maxBindings: 64,
    maxOperations: 256,
    syncReads: true,
  };
  readonly lost: Promise<BackendError>;
  readonly #memory: LinearMemory;
  readonly #cache: KernelCache;
  readonly #kept: KeptPreparations;
  readonly #executables = new Set<CpuExecutable>();
  readonly #sharing: Omit<Sharing, 'threads'>;
  readonly #startAfter: number;
  #reportLost: (error: BackendError) => void = () => {};
  #pool: Pool | null = null;
  /** Work that could have been shared, until the pool is started. */
  #shareable = 0;
  #runs = 0;
  #arena: Piece | null = null;
  #scratch: Piece | null = null;
  #shared: Piece | null = null;
  /** Bytes of scratch memory that each thread has. */
  #scratchEach = 0;
  #disposed = false;

  constructor(
    private readonly features: WasmFeatures,
    private readonly threads: number,
    private readonly options: InternalOptions,
    private readonly native: BlasChoice,
  ) {
    this.lost = new Promise((resolve) => (this.#reportLost = resolve));
    this.#memory = new LinearMemory({ maxBytes: options.maxBytes ?? 2 ** 32, shared: threads > 1 });
    this.#kept = new KeptPreparations(this.#memory);
    this.#sharing = { ...usualSharing, ...options.sharing };
    this.#startAfter = options.startAfter ?? usualStartAfter;
    const { callWork = usualCallWork, micro = chooseMicroKernel(features) } = options;
    const constants = new Constants(constantsBase, constantsBytes);
    this.#cache = new KernelCache(this.#memory, constants, features, { callWork, micro });
  }

  supports(kernel: Kernel): true | string {
    return rendersKernel(kernel);
  }

  allocate(byteLength: number): Storage {
    this.#checkAlive('allocate');
    return this.#memory.reserve(new CpuStorage(this, byteLength));
  }

  free(storage: Storage): void {
    if (this.#disposed || this.#pool?.broken) return;
    const own = this.#own('free', storage);
    own.freed = true;
    this.#kept.forget(own);
    this.#memory.free(own);
  }

  write(to: Storage, byteOffset: number, data: ArrayBufferView): void {
    const own = this.#own('write', to);
    checkBytes('write', own, byteOffset, data.byteLength);
    this.#kept.forget(own);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.#memory.bytes.set(bytes, own.address + byteOffset);
  }

  async read(from: Storage, byteOffset: number, byteLength: number): Promise<ArrayBuffer> {
    return this.readSync(from, byteOffset, byteLength);
  }

  readSync(from: Storage, byteOffset: number, byteLength: number): ArrayBuffer {
    this.#throwFault();
    const own = this.#own('read', from);
    checkBytes('read', own, byteOffset, byteLength);
    const start = own.address + byteOffset;
    const copy = new Uint8Array(byteLength);
    copy.set(this.#memory.bytes.subarray(start, start + byteLength));
    return copy.buffer;
  }

  prepare(schedule: Schedule): Executable {
    this.#checkAlive('prepare');
    const forget = (e: CpuExecutable) => this.#executables.delete(e);
    const nativeOf = this.native.blas ? sgemmOf : () => null;
    const executable = new CpuExecutable(schedule, this.#memory, this.#cache, forget, nativeOf);
    if (this.threads > 1) executable.shareable = shareableWork(executable.steps, this.#sharing.leastStep);
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
    checkRun(CpuExecutable, executable, bindings, scalars);
    this.#checkOwn(bindings);
    const threaded = this.#startsThreads(executable);
    this.#reserve(executable, threaded ? this.threads : 1);
    const shared = this.#shared?.address ?? 0;
    executable.bind(bindings, scalars, this.#arena?.address ?? 0, shared);
    const skipped = this.#kept.begin(executable, bindings, shared);
    const threads = threaded ? this.#sharedOf(executable, bindings, skipped) : null;
    const run = { executable, bindings, skipped, threads };
    if (timings) timings(executable.steps.map(({ name }, i) => this.#timed(name, run, i)));
    else if (threads !== null && !executable.hasNative) threads.run();
    else for (let i = 0; i < executable.steps.length; i++) this.#step(run, i);
    this.#kept.end();
  }

  #timed(name: string, run: Run, index: number): Timing {
    const start = performance.now();
    this.#step(run, index);
    return { name, ms: performance.now() - start };
  }

  #step(run: Run, index: number): void {
    const { executable, skipped, threads } = run;
    if (executable.hasNative && this.#runsNative(executable, index)) return;
    if (threads !== null) {
      threads.runStep(index);
      return;
    }
    const step = executable.steps[index]!;
    if (step.kind === 'copy') {
      const from = this.#address(run, step.from);
      this.#memory.bytes.copyWithin(this.#address(run, step.to), from, from + step.byteLength);
      return;
    }
    const scratch = this.#scratch?.address ?? 0;
    if (step.prepare && !skipped.has(index)) callAll(step.prepare, step.block, scratch);
    callAll(step.kernel, step.block, scratch);
  }

  #address({ executable, bindings }: Run, slot: number): number {
    const { kind, index, offset } = executable.schedule.slots[slot]!;
    return kind === 'bound' ? bindings[index]!.address : (this.#arena?.address ?? 0) + offset;
  }

  /** Computes the product of a step that is a native library's. Answers whether that is all of the step. */
  #runsNative(executable: CpuExecutable, index: number): boolean {
    const step = executable.steps[index]!;
    if (step.kind === 'copy' || step.native === null) return false;
    const { kernel } = executable.schedule.steps[index] as { kernel: Kernel };
    const parameters = (step.block + paramsOffset(kernel.bindings.length)) / 8;
    const { words, numbers, memory } = this.#memory;
    const blas = this.native.blas!;
    runSgemm(blas, blas.baseOf(memory), step.native, {
      binding: (i) => words[step.block / 4 + i]! >>> 0,
      parameter: (i) => Math.trunc(numbers[parameters + i]!),
    });
    return step.kernel.functions.length === 0;
  }

  /** Whether an executable is run by all threads, which are started when there has been enough such work. */
  #startsThreads({ shareable }: CpuExecutable): boolean {
    if (shareable === 0) return false;
    if (this.#pool !== null) return true;
    this.#shareable += shareable;
    if (this.#shareable < this.#startAfter) return false;
    this.#pool = new Pool(
      this.#memory,
      { ...usualPool, ...this.options.pool, threads: this.threads },
      this.#reportLost,
    );
    return true;
  }

  /** The schedule as threads run it. */
  #sharedOf(executable: CpuExecutable, bindings: readonly CpuStorage[], skipped: ReadonlySet<number>): SharedSchedule {
    const aliases = this.#aliasesOf(bindings);
    const key = skipped.size === 0 ? (aliases?.join() ?? '') : `${aliases?.join() ?? ''} ${[...skipped].join()}`;
    let shared = executable.programs.get(key);
    if (shared === undefined) {
      shared = new SharedSchedule(
        this.#memory,
        this.#pool!,
        executable,
        this.#sharing,
        aliases ?? bindings.map((_, i) => i),
        skipped,
      );
      executable.programs.set(key, shared);
    }
    return shared;
  }

  /** Which bindings are one storage; null where none are. */
  #aliasesOf(bindings: readonly CpuStorage[]): Aliases | null {
    const run = ++this.#runs;
    let same = false;
    for (let i = 0; i < bindings.length; i++) {
      const storage = bindings[i]!;
      if (storage.run === run) same = true;
      else storage.binding = i;
      storage.run = run;
    }
    return same ? bindings.map((storage) => storage.binding) : null;
  }

  /** Makes the arena, the scratch memory of `threads` threads and that of preparations, which all executables share, large enough. */
  #reserve(executable: CpuExecutable, threads: number): void {
    const { arenaBytes } = executable.schedule;
    if (arenaBytes > (this.#arena?.byteLength ?? 0)) {
      if (this.#arena) this.#memory.free(this.#arena);
      this.#arena = null;
      this.#arena = this.#memory.allocate(arenaBytes);
    }
    if (executable.sharedBytes > (this.#shared?.byteLength ?? 0)) {
      if (this.#shared) this.#memory.free(this.#shared);
      this.#shared = null;
      this.#shared = this.#memory.allocate(executable.sharedBytes);
    }
    const each = Math.max(this.#scratchEach, Math.ceil(executable.scratchBytes / 64) * 64);
    if (each === this.#scratchEach && each * threads <= (this.#scratch?.byteLength ?? 0)) return;
    if (this.#scratch) this.#memory.free(this.#scratch);
    this.#scratch = null;
    this.#scratch = this.#memory.allocate(each * threads);
    this.#scratchEach = each;
    const words = this.#memory.words;
    words[control.scratchBase / 4] = this.#scratch.address;
    words[control.scratchStride / 4] = each;
  }

  async synchronize(): Promise<void> {
    this.#throwFault();
  }

  /** The threads, once they are started. */
  get pool(): Pool | null {
    return this.#pool;
  }

  memory(): { inUse: number; peak: number } {
    return { inUse: this.#memory.inUse, peak: this.#memory.peak };
  }

  describe(): string {
    const { relaxedSimd } = this.features;
    const { blas, reason } = this.native;
    const products = blas ? `; large products by ${blas.name}` : reason === null ? '' : `; no OpenBLAS, for ${reason}`;
    return `WebAssembly SIMD128${relaxedSimd ? ' with fused multiply-add' : ''}, ${this.threads} thread${this.threads > 1 ? 's' : ''}${products}`;
  }

  async dispose(): Promise<void> {
    for (const executable of [...this.#executables]) executable.dispose();
    this.#disposed = true;
    await this.#pool?.dispose();
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

  #checkOwn(storages: readonly Storage[]): asserts storages is readonly CpuStorage[] {
    for (const storage of storages) this.#own('run', storage);
  }

  #checkAlive(operation: string): void {
    if (this.#disposed) throw new BackendError(`${operation}: the backend was disposed.`);
    if (this.#pool?.broken) throw this.#pool.broken;
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
 * @param options - `maxBytes` (default 4 GiB) limits the memory of all tensors, `threads` (default: one a core) how many
 * cores compute, `blas` (default false) whether OpenBLAS computes large products
 * @throws BackendError where WebAssembly has no SIMD, and with `blas: true` where there is no OpenBLAS
 * @throws ValueError if `threads` is not a whole number from 1 to the number of cores
 * @example
 * setBackend(await cpu());
 */
export const cpu = ({ maxBytes, threads, blas }: CpuOptions = {}): Promise<Backend> =>
  createCpu({ maxBytes, threads, blas });

/** As `cpu`, with what tests choose. */
export async function createCpu(options: InternalOptions = {}): Promise<CpuBackend> {
  const features = options.features ?? (await detectFeatures());
  if (!features.simd) throw new BackendError('cpu: this engine has no WebAssembly SIMD. Use a newer one.');
  const threads = threadsOf(features, options);
  return new CpuBackend(features, threads, options, await chooseBlas(options.blas, threads));
}

function threadsOf(features: WasmFeatures, { threads, oversubscribe = false }: InternalOptions): number {
  const cores = availableCores();
  if (threads !== undefined) checkThreads(threads, oversubscribe ? Number.POSITIVE_INFINITY : cores);
  const wanted = threads ?? cores;
  const reason = wanted > 1 ? unshareable(features) : null;
  if (reason === null) return wanted;
  warnOneThread(reason, cores);
  return 1;
}
