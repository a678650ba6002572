/**
 * Stored values: a piece of a backend's memory, or host data on its way there. Who holds the value holds the memory;
 * `dispose` returns it at once, the garbage collector's finaliser later. So that the collector feels the weight of memory
 * that it cannot see, a value carries a host buffer of an eighth of its size.
 */
import type { Backend, Storage } from '../backend';
import type { DType, TypedArray } from '../dtype';
import { BackendError, StaleTensorError } from '../errors';
import type { Stored } from '../graph/node';
import { giveBack, obtain } from './memory';

interface Held {
  readonly backend: Backend;
  /** Null once it was given away. */
  storage: Storage | null;
}

/** Registered without a token, which would cost every run more than what is given away costs here. */
const finalizer = new FinalizationRegistry<Held>(({ backend, storage }) => {
  if (storage !== null) giveBack(backend, storage);
});

/** How many bytes are stored before a value takes on their weight: one buffer for many small values. */
const ballastFrom = 1 << 17;
const ballastShare = 8;

/** Bytes stored since the event loop last turned, when finalisers had their chance. */
let sinceTurn = 0;

/** Bytes stored whose weight no value carries yet. */
let unweighed = 0;

function ballastFor(byteLength: number): ArrayBuffer | null {
  unweighed += byteLength;
  if (unweighed < ballastFrom) return null;
  const ballast = new ArrayBuffer(Math.floor(unweighed / ballastShare));
  unweighed = 0;
  return ballast;
}

export class Value implements Stored {
  #held: Held | null = null;
  /** Data from the host that no backend has yet. */
  host: TypedArray | null = null;
  /** Set once the memory holds something newer: whose, and what to do. */
  stale: string | null = null;
  ballast: ArrayBuffer | null = null;
  mark = 0;
  slot = 0;

  constructor(
    readonly dtype: DType,
    readonly byteLength: number,
  ) {}

  /** A value of data on the host, which must not change afterwards. */
  static ofHost(dtype: DType, host: TypedArray): Value {
    const value = new Value(dtype, host.byteLength);
    value.host = host;
    return value;
  }

  get backend(): Backend | null {
    return this.#held?.backend ?? null;
  }

  /** Takes over a storage. `shared` storages are freed by another owner. */
  hold(backend: Backend, storage: Storage, shared = false): this {
    const held: Held = { backend, storage };
    this.#held = held;
    if (!shared) {
      finalizer.register(this, held);
      sinceTurn += this.byteLength;
      this.ballast = ballastFor(this.byteLength);
    }
    return this;
  }

  /** The storage on `backend`, uploading host data first. */
  on(backend: Backend): Storage {
    this.checkFresh();
    if (this.#held === null) this.#upload(backend);
    const held = this.#held!;
    if (held.backend !== backend) {
      throw new BackendError(
        `A tensor stored on ${held.backend.name} meets the backend ${backend.name}. Move it with to(backend), or read it with data() first.`,
      );
    }
    return held.storage!;
  }

  #upload(backend: Backend): void {
    if (this.host === null)
      throw new BackendError('A tensor that was disposed is used again. Keep it until its last use, or clone() it.');
    const storage = obtain(backend, this.byteLength, { name: 'data', shape: [this.host.length], dtype: this.dtype });
    backend.write(storage, 0, this.host);
    this.hold(backend, storage);
    this.host = null;
  }

  checkFresh(): void {
    if (this.stale !== null) throw new StaleTensorError(this.stale);
  }

  /** Uploads host data into a storage that is at hand, when it fits; otherwise frees it. */
  recycle(backend: Backend, storage: Storage): void {
    if (this.host === null || storage.byteLength < this.byteLength) {
      giveBack(backend, storage);
      return;
    }
    backend.write(storage, 0, this.host);
    this.hold(backend, storage);
    this.host = null;
  }

  /** Gives the storage away; the value is empty afterwards. */
  release(): Storage | null {
    const held = this.#held;
    this.#held = null;
    this.host = null;
    this.ballast = null;
    if (held === null) return null;
    const { storage } = held;
    held.storage = null;
    return storage;
  }

  dispose(): void {
    const backend = this.#held?.backend;
    const storage = this.release();
    if (backend && storage) giveBack(backend, storage);
  }
}

/** How much may be stored before a read takes a turn of the event loop. */
const turnAfter = 64 << 20;

/** Lets finalisers run when enough waits for them: they never run between microtasks. */
export async function turnIfNeeded(): Promise<void> {
  if (sinceTurn < turnAfter) return;
  sinceTurn = 0;
  await nextTurn();
}

const scheduling = globalThis as unknown as {
  setImmediate?: (callback: () => void) => void;
  setTimeout: (callback: () => void, ms: number) => void;
};

const nextTurn = (): Promise<void> =>
  new Promise((resolve) =>
    scheduling.setImmediate ? scheduling.setImmediate(resolve) : scheduling.setTimeout(resolve, 0),
  );
