/**
 * Who holds memory. Every storage is had and returned here, so that an allocation that fails can say what fills the
 * backend. Holds no tensor alive: only its name and shape.
 */
import type { Backend, Storage } from '../backend';
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

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(2)} MB`;
const describe = ({ name, shape, dtype }: Purpose): string => `${name} ${dtype} ${showShape(shape)}`;

function noRoom(backend: Backend, byteLength: number, purpose: Purpose, cause: unknown): string {
  const largest = [...holders]
    .filter(([, holder]) => holder.backend === backend)
    .sort(([a], [b]) => b.byteLength - a.byteLength);
  const list = largest.slice(0, named).map(([s, holder]) => `${describe(holder)} (${megabytes(s.byteLength)})`);
  const reason = cause instanceof Error ? cause.message : String(cause);
  return `${describe(purpose)} needs ${megabytes(byteLength)} on ${backend.name}, where ${megabytes(backend.memory().inUse)} are in use: ${reason} The largest holders are: ${list.join('; ') || 'none'}. Dispose of what is not needed, or use smaller batches.`;
}
