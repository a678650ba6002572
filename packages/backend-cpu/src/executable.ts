/*
 * A schedule ready to run: kernels found in the cache or compiled, all new ones in one module, and a block of memory
 * with the addresses and numbers of every step. A run writes what changed into the blocks and calls functions; it
 * allocates nothing.
 */
import { boundBytesOf, byteWidth, type Kernel, type OwnExecutable, type Schedule, type Slot } from '@dl/tensor';
import type { Sgemm } from './blas/sgemm';
import { type Calls, type RenderedKernel, renderKernel } from './kernels/render';
import { paramsOffset, sharedOffset, type Target } from './kernels/target';
import { constantsBase, type LinearMemory, type Piece } from './memory';
import { copyBlock, copyUnit } from './pool/layout';
import type { CompiledModule } from './pool/published';
import type { SharedSchedule } from './pool/shared-schedule';
import { sharePreparations } from './preparations';
import { ModuleBuilder } from './wasm/assembler';
import type { Constants } from './wasm/constants';
import type { WasmFeatures } from './wasm/features';

export type KernelFunction = (begin: number, end: number, block: number, scratch: number) => void;

/** A compiled kernel, shared by all schedules that have one of the same structure. */
export interface CompiledKernel extends RenderedKernel<KernelFunction> {
  readonly module: CompiledModule;
}

/** The keys of kernels. Those that the scheduler made one share the objects of their code, which are written once. */
function keysOf(kernels: readonly Kernel[]): string[] {
  const known = new Map<Kernel['body'], { readonly kernel: Kernel; readonly key: string }>();
  return kernels.map((kernel) => {
    const { body, producer, rows, reduced } = kernel;
    const same = known.get(body);
    if (same?.kernel.producer === producer && same.kernel.rows === rows && same.kernel.reduced === reduced)
      return same.key;
    const key = kernelKey(kernel);
    known.set(body, { kernel, key });
    return key;
  });
}

/** The structure of a kernel: whatever its code depends on. */
export function kernelKey(kernel: Kernel): string {
  const { bindings, params, producer, rows, reduced, body, range } = kernel;
  return JSON.stringify([
    bindings.map((b) => [b.mode, b.dtype]),
    params.map((p) => (p.kind === 'element' ? p : 0)),
    producer,
    rows,
    reduced,
    body,
    range,
  ]);
}

/** The remainder with the sign of the divisor. */
function floorMod(x: number, y: number): number {
  const rest = x % y;
  return rest !== 0 && rest < 0 !== y < 0 ? rest + y : rest;
}

/** Compiles kernels, each structure once. Holds the most recently used. */
export class KernelCache {
  readonly #kernels = new Map<string, CompiledKernel>();

  constructor(
    private readonly memory: LinearMemory,
    private readonly constants: Constants,
    private readonly features: WasmFeatures,
    private readonly tuning: Pick<Target, 'micro' | 'callWork'>,
    private readonly limit = 4096,
  ) {}

  get size(): number {
    return this.#kernels.size;
  }

  /** The compiled forms of kernels, in order. */
  compile(kernels: readonly Kernel[]): CompiledKernel[] {
    const keys = keysOf(kernels);
    const missing = new Map<string, Kernel>();
    keys.forEach((key, i) => {
      const known = this.#kernels.get(key);
      if (!known) missing.set(key, kernels[i]!);
      else {
        this.#kernels.delete(key);
        this.#kernels.set(key, known);
      }
    });
    const compiled = new Map(missing.size > 0 ? this.#compileModule([...missing]) : []);
    const result = keys.map((key) => compiled.get(key) ?? this.#kernels.get(key)!);
    for (const [key, kernel] of compiled) this.#kernels.set(key, kernel);
    while (this.#kernels.size > this.limit) this.#kernels.delete(this.#kernels.keys().next().value!);
    return result;
  }

  #compileModule(kernels: readonly (readonly [string, Kernel])[]): [string, CompiledKernel][] {
    const { initial, maximum } = this.memory.pages;
    const { shared } = this.memory.options;
    const module = new ModuleBuilder();
    module.importMemory({ minPages: initial, maxPages: maximum, shared });
    const mod = module.importFunction('env', 'mod', { params: ['f64', 'f64'], results: ['f64'] });
    const sin = module.importFunction('env', 'sin', { params: ['f64'], results: ['f64'] });
    const cos = module.importFunction('env', 'cos', { params: ['f64'], results: ['f64'] });
    const target: Target = { features: this.features, constants: this.constants, ...this.tuning, mod, sin, cos };
    const rendered = kernels.map(([, kernel], i) => renderKernel(module, target, kernel, `k${i}`));
    const bytes = shared ? module.bytes().slice() : module.bytes(); // kept, for threads
    this.memory.bytes.set(this.constants.bytes(), constantsBase);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      env: { memory: this.memory.memory, mod: floorMod, sin: Math.sin, cos: Math.cos },
    });
    const own: CompiledModule = { bytes, functions: Object.values(instance.exports) };
    return kernels.map(([key], i) => {
      const { prepare, ...rest } = rendered[i]!;
      const linked = <T extends Calls<string>>(calls: T) => ({
        ...calls,
        functions: calls.functions.map((name) => instance.exports[name] as KernelFunction),
      });
      return [key, { ...linked(rest), prepare: prepare && linked(prepare), module: own }];
    });
  }
}

/** One step, as the run loop sees it. */
interface KernelStep {
  readonly kind: 'kernel';
  readonly name: string;
  readonly kernel: CompiledKernel;
  /** Its product, where a native library computes that; the kernel is then what follows it. */
  readonly native: Sgemm | null;
  /** What must be called before it, if no earlier step has left the same. */
  readonly prepare: Calls<KernelFunction> | null;
  /** Where in shared memory that is. */
  readonly preparedAt: number;
  /** Address of its block. */
  readonly block: number;
}

interface CopyStep {
  readonly kind: 'copy';
  readonly name: string;
  readonly block: number;
  readonly from: number;
  readonly to: number;
  readonly byteLength: number;
}

export type PreparedStep = KernelStep | CopyStep;

const byteLengthOf = (slot: Slot): number => slot.size * byteWidth(slot.dtype);

/** Words of blocks that hold an address of the arena, or of shared memory. */
interface Offset {
  readonly offset: number;
  readonly word: number;
}

/** A place of blocks that holds a number of the run. */
interface ScalarPlace {
  readonly scalar: number;
  /** In numbers of 8 bytes. */
  readonly place: number;
}

/** Words of blocks that hold the address of one bound storage. */
interface BoundPlaces {
  /** What they hold. */
  address: number;
  readonly words: number[];
}

/** A preparation of a bound storage that a later run may find as this one left it. */
export interface Keepable {
  readonly step: number;
  /** Number of the storage. */
  readonly binding: number;
  readonly key: string;
  readonly bytes: number;
  /** In shared memory, where it is not kept. */
  readonly offset: number;
  /** Words of blocks that hold its address. */
  readonly places: readonly number[];
}

/** Numbers of the bound storages that a schedule writes. */
function writtenOf({ steps, slots }: Schedule): number[] {
  const written = steps.flatMap((step) =>
    step.kind === 'copy' ? [step.to] : step.kernel.bindings.filter((b) => b.mode !== 'read').map((b) => b.slot),
  );
  return [...new Set(written.flatMap((slot) => (slots[slot]!.kind === 'bound' ? [slots[slot]!.index] : [])))];
}

/** A prepared schedule. */
export class CpuExecutable implements OwnExecutable {
  readonly steps: readonly PreparedStep[];
  readonly scratchBytes: number;
  readonly boundBytes: readonly number[];
  /** What a run writes into blocks: of each bound storage, of the arena, of shared memory, and of numbers. */
  readonly #bound: readonly BoundPlaces[];
  readonly #arena: Offset[] = [];
  readonly #shared: Offset[] = [];
  readonly #scalars: ScalarPlace[] = [];
  /** Of what preparations leave. */
  readonly sharedBytes: number;
  readonly keepable: readonly Keepable[];
  /** Numbers of the bound storages that a run writes. */
  readonly written: readonly number[];
  /** Where the arena, and the shared memory, were when their addresses were last written. */
  #arenaAddress = -1;
  #sharedAddress = -1;
  /** Rough work of the steps that are worth sharing; 0 where all are run by one thread. */
  shareable = 0;
  /** Whether some products are computed by a native library, so that the main thread goes from step to step. */
  readonly hasNative: boolean;
  /** As threads run it, for each way in which bound storages were one or preparations were kept; made when first wanted. */
  readonly programs = new Map<string, SharedSchedule>();
  disposed = false;
  readonly #blocks: Piece;

  constructor(
    readonly schedule: Schedule,
    private readonly memory: LinearMemory,
    cache: KernelCache,
    private readonly onDispose: (executable: CpuExecutable) => void,
    nativeOf: (kernel: Kernel) => Sgemm | null,
  ) {
    const kernels = schedule.steps.flatMap((step) => (step.kind === 'kernel' ? [step.kernel] : []));
    const native = kernels.map(nativeOf);
    this.hasNative = native.some((call) => call !== null);
    const compiled = cache.compile(kernels.map((kernel, i) => (native[i] ? { ...kernel, producer: null } : kernel)));
    const copies = schedule.steps.length - kernels.length;
    this.#blocks = memory.allocate(compiled.reduce((sum, k) => sum + k.blockBytes, copies * copyBlock.bytes));
    this.#bound = Array.from({ length: schedule.bound }, () => ({ address: -1, words: [] }));
    const prepared = sharePreparations(schedule, compiled);
    const keepable: (Keepable & { places: number[] })[] = [];
    const keepers = new Map<number, Keepable & { places: number[] }>();
    let block = this.#blocks.address;
    let next = 0;
    const addressAt = (slot: number, word: number): void => {
      const { kind, index, offset } = schedule.slots[slot]!;
      if (kind === 'bound') this.#bound[index]!.words.push(word);
      else this.#arena.push({ offset, word });
    };
    this.steps = schedule.steps.map((step, at): PreparedStep => {
      if (step.kind === 'copy') {
        addressAt(step.to, (block + copyBlock.to) / 4);
        addressAt(step.from, (block + copyBlock.from) / 4);
        block += copyBlock.bytes;
        return this.#copyStep(step.from, step.to, block - copyBlock.bytes);
      }
      const { kernel } = step;
      const { again, first, offset: sharedAt } = prepared.places[next]!;
      const number = next;
      const call = native[next]!;
      const code = compiled[next++]!;
      const own: KernelStep = {
        kind: 'kernel',
        name: kernel.name,
        kernel: code,
        native: call,
        prepare: again ? null : code.prepare,
        preparedAt: sharedAt,
        block,
      };
      if (code.prepare) {
        const place = (block + sharedOffset(kernel)) / 4;
        const { key, sharedBytes: bytes } = code.prepare;
        const slot = schedule.slots[kernel.bindings[code.prepare.binding]!.slot]!;
        if (again) keepers.get(first)?.places.push(place);
        else if (key !== null && slot.kind === 'bound') {
          const keeper = { step: at, binding: slot.index, key, bytes, offset: sharedAt, places: [place] };
          keepers.set(number, keeper);
          keepable.push(keeper);
        }
        if (!keepers.has(first)) this.#shared.push({ offset: sharedAt, word: place });
      }
      kernel.bindings.forEach(({ slot }, i) => addressAt(slot, block / 4 + i));
      kernel.params.forEach((param, i) => {
        const place = (block + paramsOffset(kernel.bindings.length)) / 8 + i;
        if (param.kind === 'scalar') this.#scalars.push({ scalar: param.index, place });
        else if (param.kind === 'constant') memory.numbers[place] = param.value;
      });
      block += own.kernel.blockBytes;
      return own;
    });
    this.sharedBytes = prepared.bytes;
    this.keepable = keepable;
    this.written = writtenOf(schedule);
    this.scratchBytes = Math.max(0, ...compiled.map((k) => k.scratchBytes));
    this.boundBytes = boundBytesOf(schedule);
  }

  /** Writes into blocks what has changed since the last run: addresses, and the numbers of this one. */
  bind(storages: readonly Piece[], scalars: Float64Array, arena: number, shared: number): void {
    const { words, numbers } = this.memory;
    for (let i = 0; i < storages.length; i++) {
      const { address } = storages[i]!;
      const places = this.#bound[i]!;
      if (places.address === address) continue;
      places.address = address;
      for (const word of places.words) words[word] = address;
    }
    for (const { scalar, place } of this.#scalars) numbers[place] = scalars[scalar]!;
    if (this.#arenaAddress !== arena) for (const { offset, word } of this.#arena) words[word] = arena + offset;
    this.#arenaAddress = arena;
    if (this.#sharedAddress !== shared) for (const { offset, word } of this.#shared) words[word] = shared + offset;
    this.#sharedAddress = shared;
  }

  #copyStep(from: number, to: number, block: number): CopyStep {
    const byteLength = byteLengthOf(this.schedule.slots[from]!);
    this.memory.words[(block + copyBlock.length) / 4] = byteLength;
    this.memory.words[(block + copyBlock.unit) / 4] = copyUnit;
    return { kind: 'copy', name: 'copy', block, from, to, byteLength };
  }

  /** The name of the kernel whose block is at an address. */
  nameOf(block: number): string | undefined {
    return this.steps.find((step) => step.kind === 'kernel' && step.block === block)?.name;
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    for (const program of this.programs.values()) program.dispose();
    this.memory.free(this.#blocks);
    this.onDispose(this);
  }
}
