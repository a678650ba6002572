/**
 * Who holds memory. Every storage is had and returned here, so that an allocation that fails can say what fills the
 * backend. Holds no tensor alive: only its name and shape.
 */
import type { Backend, Executable, Storage, Timing } from '../backend';
import type { DType } from '../dtype';
import { BackendError } from '../errors';
import { type Shape, showShape } from '../shape';

/** What a storage is for. */
export interface Purpose {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
}

interface Holder extends Purpose {
  readonly backend: Backend;
}

const holders = new Map<Storage, Holder>();

/** How many holders an error names. */
const named = 5;

/** @throws BackendError that lists the largest holders, when there is no room */
export function obtain(backend: Backend, byteLength: number, purpose: Purpose): Storage {
  let storage: Storage;
  try {
    storage = backend.allocate(byteLength);
  } catch (cause) {
    throw new BackendError(noRoom(backend, byteLength, purpose, cause), { cause });
  }
  const { name, shape, dtype } = purpose; // the purpose may be what would keep the storage alive
  holders.set(storage, { backend, name, shape, dtype });
  return storage;
}

export function giveBack(backend: Backend, storage: Storage): void {
  holders.delete(storage);
  backend.free(storage);
}

/** What a run takes. */
export interface Run {
  readonly executable: Executable;
  readonly bindings: readonly Storage[];
  readonly scalars: Float64Array;
  /** Of the bindings, those had for it; given back if it cannot run. */
  readonly fresh: readonly Storage[];
  readonly timings: ((steps: readonly Timing[]) => void) | undefined;
}

/** @throws BackendError that lists the largest holders, when there is no room for what the run needs beside its bindings */
export function runOn(backend: Backend, { executable, bindings, scalars, fresh, timings }: Run): void {
  try {
    backend.run(executable, bindings, scalars, timings);
  } catch (cause) {
    for (const storage of fresh) giveBack(backend, storage);
    if (!(cause instanceof BackendError) || !cause.message.startsWith('allocate:')) throw cause;
    throw new BackendError(`${cause.message} The largest holders are: ${largestHolders(backend)}.`, { cause });
  }
}

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(2)} MB`;
const describe = ({ name, shape, dtype }: Purpose): string => `${name} ${dtype} ${showShape(shape)}`;

function largestHolders(backend: Backend): string {
  const largest = [...holders]
    .filter(([, holder]) => holder.backend === backend)
    .sort(([a], [b]) => b.byteLength - a.byteLength);
  const list = largest.slice(0, named).map(([s, holder]) => `${describe(holder)} (${megabytes(s.byteLength)})`);
  return list.join('; ') || 'none';
}

function noRoom(backend: Backend, byteLength: number, purpose: Purpose, cause: unknown): string {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return `${describe(purpose)} needs ${megabytes(byteLength)} on ${backend.name}, where ${megabytes(backend.memory().inUse)} are in use: ${reason} The largest holders are: ${largestHolders(backend)}. Dispose of what is not needed, or use smaller batches.`;
}
