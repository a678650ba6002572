/*
 * The functions that threads call, by their place in a table. Tables cannot be shared, compiled modules can: a module is
 * published as bytes in shared memory, in a list, and each thread compiles the same bytes (an engine keeps the code of
 * equal bytes once for a process) and puts the exports into its own table. So a thread needs no messages, which would not
 * arrive while the main thread is busy. Modules that no program uses any more give their places to later ones.
 */
import type { LinearMemory, Piece } from '../memory';
import { control, firstPlace, moduleRecord } from './layout';

/** A compiled module, of which threads make instances of their own. */
export interface CompiledModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Its exports, in order. */
  readonly functions: readonly unknown[];
}

interface Entry {
  readonly module: CompiledModule;
  readonly number: number;
  readonly firstPlace: number;
  readonly header: number;
  payload: Piece | null;
  users: number;
}

interface Gap {
  place: number;
  count: number;
}

/** How many places a table grows by at least. */
const growth = 256;

export class PublishedModules {
  readonly table = new WebAssembly.Table({ element: 'anyfunc', initial: growth });
  readonly #entries = new Map<CompiledModule, Entry>();
  readonly #released: Entry[] = [];
  readonly #gaps: Gap[] = [];
  readonly #headers: Piece[] = [];
  #nextPlace = firstPlace;
  #count = 0;
  #last = 0;

  constructor(private readonly memory: LinearMemory) {}

  /** How many modules have been published so far. */
  get count(): number {
    return this.#count;
  }

  /** Publishes a module, if it is not; it stays as long as it is used. */
  use(module: CompiledModule): void {
    const entry = this.#entries.get(module) ?? this.#publish(module);
    entry.users++;
  }

  /** The place of an export of a module in use; the first where none is named. */
  placeOf(module: CompiledModule, of: unknown = module.functions[0]): number {
    return this.#entries.get(module)!.firstPlace + module.functions.indexOf(of);
  }

  release(module: CompiledModule): void {
    const entry = this.#entries.get(module)!;
    if (--entry.users > 0) return;
    this.#entries.delete(module);
    this.#released.push(entry);
    this.#gaps.push({ place: entry.firstPlace, count: module.functions.length });
    module.functions.forEach((_, i) => this.table.set(entry.firstPlace + i, null));
  }

  /** Frees the bytes of modules that are not used, once every thread has loaded the first `loaded` ones. */
  sweep(loaded: number): void {
    for (let i = this.#released.length - 1; i >= 0; i--) {
      const entry = this.#released[i]!;
      if (entry.number >= loaded) continue;
      this.memory.words[(entry.header + moduleRecord.length) >>> 2] = 0;
      this.memory.free(entry.payload!);
      entry.payload = null;
      this.#released.splice(i, 1);
    }
  }

  #publish(module: CompiledModule): Entry {
    const count = module.functions.length;
    const place = this.#takePlaces(count);
    module.functions.forEach((f, i) => this.table.set(place + i, f));
    const payload = this.memory.allocate(module.bytes.byteLength);
    const header = this.memory.allocate(moduleRecord.bytes);
    this.#headers.push(header);
    this.memory.bytes.set(module.bytes, payload.address);
    const { words } = this.memory;
    const at = header.address >>> 2;
    words[at + moduleRecord.length / 4] = module.bytes.byteLength;
    words[at + moduleRecord.firstPlace / 4] = place;
    words[at + moduleRecord.next / 4] = 0;
    words[at + moduleRecord.payload / 4] = payload.address;
    words[(this.#last === 0 ? control.firstModule : this.#last + moduleRecord.next) >>> 2] = header.address;
    this.#last = header.address;
    const entry: Entry = { module, number: this.#count, firstPlace: place, header: header.address, payload, users: 0 };
    Atomics.store(words, control.published >>> 2, ++this.#count);
    this.#entries.set(module, entry);
    return entry;
  }

  #takePlaces(count: number): number {
    const gap = this.#gaps.find((g) => g.count >= count);
    if (gap) {
      const { place } = gap;
      gap.place += count;
      gap.count -= count;
      if (gap.count === 0) this.#gaps.splice(this.#gaps.indexOf(gap), 1);
      return place;
    }
    const place = this.#nextPlace;
    this.#nextPlace += count;
    const missing = this.#nextPlace - this.table.length;
    if (missing > 0) this.table.grow(Math.max(missing, growth));
    return place;
  }
}
