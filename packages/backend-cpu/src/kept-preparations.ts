/*
 * Preparations that outlive a run: panels and transformed filters of a storage that does not change, such as a weight that is
 * only read, are kept from the second run on that finds it as it was. What is kept belongs to the storage, and is
 * forgotten when that is written or freed.
 */
import type { CpuExecutable } from './executable';
import type { LinearMemory, Piece } from './memory';

/** Most bytes that are kept. */
const maxBytes = 1 << 28;

interface Entry {
  /** Null until the storage is seen again. */
  piece: Piece | null;
  /** Whether a run has left its bytes there. */
  ready: boolean;
}

/** What a storage carries for this. */
export interface KeepsPreparations {
  /** By key of the preparation. */
  prepared: Map<string, Entry> | null;
  /** The last run that writes it. */
  writtenBy: number;
}

const none: ReadonlySet<number> = new Set();

export class KeptPreparations {
  #bytes = 0;
  #run = 0;
  #filled: Entry[] = [];

  constructor(private readonly memory: LinearMemory) {}

  /** Before a storage is written or freed. */
  forget(storage: KeepsPreparations): void {
    if (storage.prepared === null) return;
    for (const { piece } of storage.prepared.values()) {
      if (piece === null) continue;
      this.#bytes -= piece.byteLength;
      this.memory.free(piece);
    }
    storage.prepared = null;
  }

  /**
   * Before a run: says where each preparation is found.
   *
   * @param sharedBase - where preparations are that are not kept
   * @returns the steps whose preparation need not be made
   */
  begin(executable: CpuExecutable, bindings: readonly KeepsPreparations[], sharedBase: number): ReadonlySet<number> {
    for (const index of executable.written) this.forget(bindings[index]!);
    if (executable.keepable.length === 0) return none;
    const run = ++this.#run;
    for (const index of executable.written) bindings[index]!.writtenBy = run;
    const skipped = new Set<number>();
    for (const { step, binding, key, bytes, offset, places } of executable.keepable) {
      const storage = bindings[binding]!;
      const entry = storage.writtenBy === run ? null : this.#entryOf(storage, key, bytes);
      const address = entry?.piece?.address ?? sharedBase + offset;
      const { words } = this.memory; // after what may have grown it
      for (const place of places) words[place] = address;
      if (entry?.ready) skipped.add(step);
    }
    return skipped.size > 0 ? skipped : none;
  }

  /** After a run. */
  end(): void {
    for (const entry of this.#filled) entry.ready = true;
    this.#filled.length = 0;
  }

  /** Of a storage that has been seen before, with memory for it; null where there is none, or it is being filled. */
  #entryOf(storage: KeepsPreparations, key: string, bytes: number): Entry | null {
    storage.prepared ??= new Map();
    const entry = storage.prepared.get(key);
    if (entry === undefined) {
      storage.prepared.set(key, { piece: null, ready: false });
      return null;
    }
    if (entry.ready) return entry;
    if (entry.piece !== null || this.#bytes + bytes > maxBytes) return null;
    try {
      entry.piece = this.memory.allocate(bytes);
    } catch {
      return null; // there is no room; what is not kept is made again
    }
    this.#bytes += entry.piece.byteLength;
    this.#filled.push(entry);
    return entry;
  }
}
