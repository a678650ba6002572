/**
 * Stored values: a piece of a backend's memory, or host data on its way there. Who holds the value holds the memory;
 * `dispose` returns it at once, the garbage collector later (`collector.ts`).
 */
import type { Backend, Storage } from '../backend';
import type { DType, TypedArray } from '../dtype';
import { BackendError, StaleTensorError } from '../errors';
import type { Stored } from '../graph/node';
import { giveBackAfter } from './collector';
import { type Holding, obtain } from './memory';

export class Value implements Stored {
  #holding: Holding | null = null;
  /** Whether the memory is another owner's, who gives it back. */
  #borrowed = false;
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

  /** Takes over a holding. */
  hold(holding: Holding): this {
    this.#holding = holding;
    this.#borrowed = false;
    this.ballast = giveBackAfter(this, holding, this.byteLength);
    return this;
  }

  /** Lies in memory of another owner. */
  borrow(holding: Holding): this {
    this.#holding = holding;
    this.#borrowed = true;
    return this;
  }

  get backend(): Backend | null {
    return this.#holding?.backend ?? null;
  }

  /** The storage on `backend`, uploading host data first. */
  on(backend: Backend): Storage {
    return this.holdingOn(backend).storage;
  }

  /** The same with who holds it. */
  holdingOn(backend: Backend): Holding {
    this.checkFresh();
    if (this.#holding === null) this.#upload(backend);
    const holding = this.#holding!;
    if (holding.backend !== backend) {
      throw new BackendError(
        `A tensor stored on ${holding.backend.name} meets the backend ${backend.name}. Move it with to(backend), or read it with data() first.`,
      );
    }
    return holding;
  }

  #upload(backend: Backend): void {
    if (this.host === null)
      throw new BackendError('A tensor that was disposed is used again. Keep it until its last use, or clone() it.');
    this.#fill(obtain(backend, this.byteLength, { name: 'data', shape: [this.host.length], dtype: this.dtype }));
  }

  #fill(holding: Holding): void {
    holding.backend.write(holding.storage, 0, this.host!);
    this.hold(holding);
    this.host = null;
  }

  checkFresh(): void {
    if (this.stale !== null) throw new StaleTensorError(this.stale);
  }

  /** Uploads host data into memory that is at hand, when it fits; otherwise gives that back. */
  recycle(holding: Holding): void {
    if (this.host === null || holding.storage.byteLength < this.byteLength) holding.giveBack();
    else this.#fill(holding);
  }

  /** Gives the memory away; the value is empty afterwards. */
  release(): Holding | null {
    const holding = this.#empty();
    return holding === null || this.#borrowed ? holding : holding.handOver();
  }

  /** Returns the memory if it is the value's own, which is empty afterwards. */
  dispose(): void {
    const holding = this.#empty();
    if (!this.#borrowed) holding?.giveBack();
  }

  #empty(): Holding | null {
    const holding = this.#holding;
    this.#holding = null;
    this.host = null;
    this.ballast = null;
    return holding;
  }
}
