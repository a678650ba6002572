/**
 * Who holds memory. Every storage is had and returned here, so that an allocation that fails can say what fills the
 * backend. A holding keeps no tensor alive: only its name and shape.
 */
import type { Backend, Storage } from '../backend';
import type { DType } from '../dtype';
import { BackendError } from '../errors';
import { type Shape, showShape } from '../shape';
import type { Prepared } from './executables';
import { currentObserver } from './observe';

/** What a storage is for. */
export interface Purpose {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
}

/** All that is held, in no order: each knows its place. */
const holdings: Holding[] = [];

/** A storage and what it is for. Whoever has this has the memory, until it is given back or handed over. */
export class Holding implements Purpose {
  #storage: Storage | null;
  #place: number;

  constructor(
    readonly backend: Backend,
    storage: Storage,
    readonly name: string,
    readonly shape: Shape,
    readonly dtype: DType,
  ) {
    this.#storage = storage;
    this.#place = holdings.push(this) - 1;
  }

  get storage(): Storage {
    if (this.#storage === null) throw new Error(`internal: the memory of ${this.name} was given back.`);
    return this.#storage;
  }

  /** The same memory for another owner. This holding is empty afterwards: whoever has it can no longer give it back. */
  handOver(): Holding {
    const { backend, storage, name, shape, dtype } = this;
    this.#leave();
    return new Holding(backend, storage, name, shape, dtype);
  }

  /** Returns the memory to the backend, unless it is no longer here. */
  giveBack(): void {
    if (this.#storage === null) return;
    const { storage } = this;
    this.#leave();
    this.backend.free(storage);
  }

  #leave(): void {
    const last = holdings.pop()!;
    if (last !== this) {
      holdings[this.#place] = last;
      last.#place = this.#place;
    }
    this.#storage = null;
  }
}

/** How many holders an error names. */
const named = 5;

/** @throws BackendError that lists the largest holders, when there is no room */
export function obtain(backend: Backend, byteLength: number, purpose: Purpose): Holding {
  try {
    const { name, shape, dtype } = purpose; // the purpose may be what would keep the storage alive
    return new Holding(backend, backend.allocate(byteLength), name, shape, dtype);
  } catch (cause) {
    throw new BackendError(noRoom(backend, byteLength, purpose, cause), { cause });
  }
}

/** What a run takes. */
export interface Run {
  readonly bindings: readonly Storage[];
  readonly scalars: Float64Array;
  /** What of the bindings was had for it; given back if it cannot run. */
  readonly fresh: readonly Holding[];
}

/** @throws BackendError that lists the largest holders, when there is no room for what the run needs beside its bindings */
export function runOn(backend: Backend, { schedule, executable }: Prepared, { bindings, scalars, fresh }: Run): void {
  const observer = currentObserver();
  observer?.ran(schedule);
  try {
    backend.run(executable, bindings, scalars, observer?.timed);
  } catch (cause) {
    for (const holding of fresh) holding.giveBack();
    if (!(cause instanceof BackendError) || !cause.message.startsWith('allocate:')) throw cause;
    throw new BackendError(`${cause.message} The largest holders are: ${largestHolders(backend)}.`, { cause });
  }
}

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(2)} MB`;
const describe = ({ name, shape, dtype }: Purpose): string => `${name} ${dtype} ${showShape(shape)}`;

function largestHolders(backend: Backend): string {
  const largest = holdings
    .filter((holding) => holding.backend === backend)
    .sort((a, b) => b.storage.byteLength - a.storage.byteLength);
  const list = largest.slice(0, named).map((h) => `${describe(h)} (${megabytes(h.storage.byteLength)})`);
  return list.join('; ') || 'none';
}

function noRoom(backend: Backend, byteLength: number, purpose: Purpose, cause: unknown): string {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return `${describe(purpose)} needs ${megabytes(byteLength)} on ${backend.name}, where ${megabytes(backend.memory().inUse)} are in use: ${reason} The largest holders are: ${largestHolders(backend)}. Dispose of what is not needed, or use smaller batches.`;
}
