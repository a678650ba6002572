/*
 * The WebGPU backend: storages in device buffers, schedules as dispatches in one submit a run. Everything that touches the device is
 * queued in the order of the calls; what goes wrong there is told by the next read.
 */
import {
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
import type { GpuBackend } from '../first-available';
import { type Tile, tuningFor } from '../wgsl/contraction/plan';
import { rendersKernel, type Traits } from '../wgsl/render';
import { type GpuDevice, requestDevice } from './adapter';
import { Arena } from './arena';
import { type BoundDispatch, GpuExecutable, type Shared } from './executable';
import { Pipelines } from './pipelines';
import { type Piece, Pool } from './pool';
import { productSchedule, shortest } from './product-timer';
import { type Fault, faultBytes, Reader } from './reader';
import { Timeline } from './timeline';
import { Stopwatch } from './timing';
import { type TimeProduct, type TuningStore, tuningOf } from './tuning';
import { tuningStore } from './tuning-store';
import { Uploads } from './uploads';

/** How the backend is set up. */
export interface WebGpuOptions {
  /** Which GPU, where there are two. Default: the browser's choice. */
  readonly powerPreference?: 'low-power' | 'high-performance';
  /** Most memory that tensors may take, in bytes. Default: as much as the device gives. */
  readonly maxBytes?: number;
  /**
   * Whether ways of computing large products are timed on this adapter at its first start, and the fastest kept for all later ones. It
   * changes no result. A software adapter is left as it is. Default: false, the ways known to suit its vendor.
   */
  readonly tune?: boolean;
}

/** Besides what users choose, what tests do. */
export interface InternalOptions extends WebGpuOptions {
  readonly traits?: Partial<Traits>;
}

/** What a backend has done so far, for tests. */
export interface Counters {
  readonly submits: number;
  readonly mostInFlight: number;
  readonly pipelines: number;
  readonly buffers: number;
  readonly bindGroups: number;
}

class GpuStorage implements Storage {
  freed = false;

  constructor(
    readonly owner: WebGpuBackend,
    readonly piece: Piece,
    readonly byteLength: number,
  ) {}
}

export class WebGpuBackend implements GpuBackend {
  readonly name = 'webgpu';
  readonly capabilities: Capabilities;
  readonly isFallback: boolean;
  readonly lost: Promise<BackendError>;
  readonly device: GPUDevice;
  readonly #info: GPUAdapterInfo;
  readonly #pool: Pool;
  readonly #timeline: Timeline;
  readonly #pipelines: Pipelines;
  readonly #reader: Reader;
  readonly #uploads = new Uploads();
  #shared: Shared;
  readonly #executables = new Set<GpuExecutable>();
  readonly #faultNames = new Map<number, string>();
  readonly #timings = new Set<Promise<void>>();
  #pending: Error | null = null;
  #lostError: BackendError | null = null;
  #disposed = false;

  constructor(
    { device, info, isFallback, lanes }: GpuDevice,
    { maxBytes = Number.POSITIVE_INFINITY, traits }: InternalOptions,
  ) {
    this.device = device;
    this.#info = info;
    this.isFallback = isFallback;
    this.capabilities = {
      dtypes: ['f32', 'f16', 'i32', 'u32', 'u8', 'bool'],
      // One is for faults.
      maxBindings: device.limits.maxStorageBuffersPerShaderStage - 1,
      maxOperations: 128,
      syncReads: false,
    };
    this.#timeline = new Timeline(
      () => device.queue.onSubmittedWorkDone(),
      (error) => this.#keep(error),
    );
    this.#pool = new Pool(device, maxBytes, ({ buffer }) => this.#destroyLater(buffer));
    this.#pipelines = new Pipelines(device);
    const fault = this.#pool.take(faultBytes);
    this.#reader = new Reader(device, fault);
    let faultIds = 0;
    this.#shared = {
      device,
      pipelines: this.#pipelines,
      arena: new Arena(this.#pool),
      fault,
      traits: { tuning: tuningFor(info.vendor, isFallback), barriersAreDear: isFallback, lanes, ...traits },
      nameFault: (name) => {
        this.#faultNames.set(++faultIds, name);
        return faultIds;
      },
      counters: { bindGroups: 0 },
    };
    this.lost = device.lost.then((reason) => this.#lose(reason));
    device.onuncapturederror = ({ error }) => this.#keep(this.#deviceError(error));
  }

  get counters(): Counters {
    return {
      submits: this.#timeline.submits,
      mostInFlight: this.#timeline.mostInFlight,
      pipelines: this.#pipelines.created,
      buffers: this.#pool.created,
      bindGroups: this.#shared.counters.bindGroups,
    };
  }

  supports(kernel: Kernel): true | string {
    return rendersKernel(kernel);
  }

  allocate(byteLength: number): Storage {
    this.#checkAlive('allocate');
    return new GpuStorage(this, this.#pool.take(byteLength), byteLength);
  }

  free(storage: Storage): void {
    if (this.#disposed || this.#lostError) return;
    const own = this.#own('free', storage);
    own.freed = true;
    this.#pool.give(own.piece);
  }

  write(to: Storage, byteOffset: number, data: ArrayBufferView): void {
    const own = this.#own('write', to);
    checkBytes('write', own, byteOffset, data.byteLength);
    const end = byteOffset + data.byteLength;
    if (byteOffset % 4 !== 0 || (end % 4 !== 0 && end !== own.byteLength)) {
      throw new BackendError(`write: bytes ${byteOffset} to ${end} do not begin and end at a multiple of 4.`);
    }
    if (data.byteLength === 0) return;
    const { buffer } = own.piece;
    if (this.#timeline.isIdle && isWhole(data)) {
      this.device.queue.writeBuffer(buffer, byteOffset, data);
      return;
    }
    // The caller may change the data before it is its turn, and the device takes whole words.
    const staged = this.#uploads.copy(data);
    this.#do(() => {
      this.device.queue.writeBuffer(buffer, byteOffset, staged.bytes, 0, staged.byteLength);
      this.#uploads.give(staged);
      return false;
    });
  }

  async read(from: Storage, byteOffset: number, byteLength: number): Promise<ArrayBuffer> {
    const own = this.#own('read', from);
    checkBytes('read', own, byteOffset, byteLength);
    return this.#read(own.piece.buffer, byteOffset, byteLength);
  }

  async #read(from: GPUBuffer | null, byteOffset: number, byteLength: number): Promise<ArrayBuffer> {
    const { bytes, fault } = await new Promise<Awaited<ReturnType<Reader['submit']>>>((resolve, reject) => {
      this.#do(() => {
        if (this.#lostError) {
          reject(this.#lostError);
          return false;
        }
        this.#reader.submit(from, byteOffset, byteLength).then(resolve, (cause) => this.#explain(cause).then(reject));
        return true;
      });
    });
    const pending = this.#pending;
    this.#pending = null;
    if (pending) throw pending;
    if (fault) throw this.#faultError(fault);
    return bytes;
  }

  /** Why a read failed: mostly because the device is gone, which it says only later. */
  async #explain(cause: unknown): Promise<Error> {
    const later = new Promise((resolve) => (globalThis as unknown as Timers).setTimeout(resolve, 200));
    await Promise.race([this.lost, later]);
    return this.#lostError ?? new BackendError(`webgpu: a read failed: ${String(cause)}`, { cause });
  }

  #faultError({ kernel, index, limit }: Fault): ValueError {
    const name = this.#faultNames.get(kernel) ?? 'a kernel';
    return new ValueError(`${name}: index ${index} is outside 0 to ${limit - 1}.`);
  }

  prepare(schedule: Schedule): Executable {
    this.#checkAlive('prepare');
    const executable = new GpuExecutable(schedule, this.#shared, (buffer) => {
      this.#executables.delete(executable);
      this.#destroyLater(buffer);
    });
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
    checkRun(GpuExecutable, executable, bindings, scalars);
    const bound = bindings.map((storage) => this.#own('run', storage).piece);
    executable.reserve();
    const pieces = executable.pieces(bound);
    const numbers = executable.numbers(scalars);
    this.#timeline.add({
      ready: executable.ready,
      go: () => {
        if (this.#lostError) return false;
        if (numbers) executable.writeNumbers(numbers);
        const dispatches = executable.bind(pieces);
        if (timings) this.#submitTimed(dispatches, executable.stepNames, timings);
        else if (dispatches.length === 0) return false;
        else this.#submit(dispatches);
        return true;
      },
    });
  }

  #submit(dispatches: readonly BoundDispatch[]): void {
    const encoder = this.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const dispatch of dispatches) encode(pass, dispatch);
    pass.end();
    this.device.queue.submit([encoder.finish()]);
  }

  #submitTimed(
    dispatches: readonly BoundDispatch[],
    names: readonly string[],
    timings: (steps: readonly Timing[]) => void,
  ): void {
    if (!this.device.features.has('timestamp-query')) {
      const start = performance.now();
      this.#submit(dispatches);
      const done = (): void => timings([{ name: 'all steps (no timestamp queries)', ms: performance.now() - start }]);
      this.#await(this.device.queue.onSubmittedWorkDone().then(done));
      return;
    }
    const encoder = this.device.createCommandEncoder();
    const steps = dispatches.map(({ step }) => step);
    const watch = new Stopwatch(this.device, steps);
    dispatches.forEach((dispatch, i) => {
      const pass = encoder.beginComputePass(watch.pass(i));
      encode(pass, dispatch);
      pass.end();
    });
    watch.resolve(encoder);
    this.device.queue.submit([encoder.finish()]);
    this.#await(watch.times(names).then(timings));
  }

  /**
   * The tuning of this adapter, kept or measured, for all that is prepared from now on.
   *
   * @param time - default: measures
   */
  async tune(store: TuningStore, time: TimeProduct = (size, tile) => this.timeProduct(size, tile)): Promise<void> {
    const { vendor, architecture, device, description } = this.#info;
    const adapter = [vendor, architecture, device, description].filter((word) => word !== '').join(' ');
    const tuning = await tuningOf(adapter, store, time);
    this.#shared = { ...this.#shared, traits: { ...this.#shared.traits, tuning } };
  }

  /** Milliseconds that a product of two square matrices takes in one way. */
  async timeProduct(size: number, tile: Tile | 'direct'): Promise<number> {
    const traits = { ...this.#shared.traits, tuning: [{ from: 0, tile }] };
    const executable = new GpuExecutable(productSchedule(size), { ...this.#shared, traits }, (buffer) =>
      this.#destroyLater(buffer),
    );
    const storages = executable.boundBytes.map((bytes) => this.allocate(bytes));
    try {
      await executable.ready;
      const dispatches = executable.bind(executable.pieces(storages.map((s) => this.#own('tune', s).piece)));
      return await shortest(size, (runs) => this.#timePass(new Array<BoundDispatch>(runs).fill(dispatches[0]!)));
    } finally {
      for (const storage of storages) this.free(storage);
      executable.dispose();
    }
  }

  /** Milliseconds of one pass, when its turn has come. */
  async #timePass(dispatches: readonly BoundDispatch[]): Promise<number> {
    const watch = this.device.features.has('timestamp-query') ? new Stopwatch(this.device, [0]) : null;
    const start = await new Promise<number>((resolve) =>
      this.#do(() => {
        const encoder = this.device.createCommandEncoder();
        const pass = encoder.beginComputePass(watch?.pass(0));
        for (const dispatch of dispatches) encode(pass, dispatch);
        pass.end();
        watch?.resolve(encoder);
        resolve(performance.now());
        this.device.queue.submit([encoder.finish()]);
        return true;
      }),
    );
    if (watch) return (await watch.times(['pass']))[0]!.ms;
    await this.device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  }

  #await(timing: Promise<void>): void {
    const settled = timing.catch((error) => this.#keep(error)).then(() => void this.#timings.delete(settled));
    this.#timings.add(settled);
  }

  async synchronize(): Promise<void> {
    this.#checkAlive('synchronize');
    await this.#read(null, 0, 0);
    await Promise.all(this.#timings);
  }

  memory(): { inUse: number; peak: number } {
    return { inUse: this.#pool.inUse, peak: this.#pool.peak };
  }

  describe(): string {
    const { vendor, architecture, device, description } = this.#info;
    const words = [vendor, architecture, device, description].filter((word) => word !== '');
    const limits = `${this.device.limits.maxStorageBuffersPerShaderStage} buffers a kernel`;
    return `WebGPU on ${[...new Set(words)].join(' ') || 'an unnamed adapter'}${this.isFallback ? ' (software)' : ''}, ${limits}`;
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    for (const executable of [...this.#executables]) executable.dispose();
    this.#disposed = true;
    this.device.destroy();
  }

  #do(go: () => boolean): void {
    this.#timeline.add({ ready: null, go });
  }

  #destroyLater(buffer: GPUBuffer): void {
    if (this.#disposed || this.#lostError) return;
    this.#do(() => {
      buffer.destroy();
      return false;
    });
  }

  /** Keeps the first error for the next read. */
  #keep(error: unknown): void {
    if (this.#disposed || this.#lostError) return;
    this.#pending ??= error instanceof Error ? error : new BackendError(String(error));
  }

  /** What the device found wrong after the call: mostly that it has less memory than was asked for. */
  #deviceError(error: GPUError): BackendError {
    if (!/OutOfMemory/.test(error.constructor.name)) {
      return new BackendError(`webgpu: the device reports: ${error.message}`);
    }
    const { inUse } = this.#pool;
    return new BackendError(
      `webgpu: the device is out of memory, with ${inUse} bytes of tensors in use: ${error.message} Dispose of what is not needed, use smaller batches, or set maxBytes, so that it is told before.`,
    );
  }

  #lose({ reason, message }: GPUDeviceLostInfo): BackendError {
    const why = message || (reason === 'destroyed' ? 'it was destroyed' : 'the driver gives no reason');
    this.#lostError = new BackendError(
      `webgpu: the device was lost: ${why}. The values on it are gone. Start another with setBackend(await webgpu()), make the model anew and load its state from a checkpoint.`,
    );
    this.#timeline.clear();
    return this.#lostError;
  }

  #own(operation: string, storage: Storage): GpuStorage {
    this.#checkAlive(operation);
    if (!(storage instanceof GpuStorage) || storage.owner !== this) {
      throw new BackendError(`${operation}: the storage is of another backend. Use to(backend).`);
    }
    if (storage.freed) throw new BackendError(`${operation}: the storage was freed.`);
    return storage;
  }

  #checkAlive(operation: string): void {
    if (this.#disposed) throw new BackendError(`${operation}: the backend was disposed.`);
    if (this.#lostError) throw this.#lostError;
  }
}

interface Timers {
  setTimeout(callback: (value: unknown) => void, ms: number): unknown;
}

function encode(pass: GPUComputePassEncoder, { pipeline, group, x, y }: BoundDispatch): void {
  pass.setPipeline(pipeline.ready!);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(x, y);
}

/** Whether data is whole words of memory that no other thread may change. */
const isWhole = (data: ArrayBufferView): data is ArrayBufferView<ArrayBuffer> =>
  data.byteLength % 4 === 0 && data.buffer instanceof ArrayBuffer;

function checkBytes(operation: string, storage: Storage, byteOffset: number, byteLength: number): void {
  if (byteOffset >= 0 && byteOffset + byteLength <= storage.byteLength) return;
  throw new BackendError(
    `${operation}: bytes ${byteOffset} to ${byteOffset + byteLength} are outside a storage of ${storage.byteLength}.`,
  );
}

/** As `webgpu`, with what tests look at. */
export async function createWebGpu(options: InternalOptions = {}): Promise<WebGpuBackend> {
  const backend = new WebGpuBackend(await requestDevice(options.powerPreference), options);
  if (!options.tune || backend.isFallback) return backend;
  try {
    await backend.tune(await tuningStore());
    return backend;
  } catch (error) {
    await backend.dispose();
    throw error;
  }
}

/**
 * The WebGPU backend: `navigator.gpu` in browsers and Deno, the package `webgpu` in Node.
 *
 * @param options - `powerPreference` chooses between GPUs; `maxBytes` limits the memory of all tensors; `tune` times products on this GPU
 * @throws BackendError that says how to get a GPU on this runtime, where there is none
 * @example
 * setBackend(await webgpu());
 */
export const webgpu = (options: WebGpuOptions = {}): Promise<GpuBackend> => createWebGpu(options);
