/**
 * Host storage that is filled again and again, such as a loader's batches. Each filling is a version: its tensor is valid
 * until the next one is taken, and reading it later throws. Memory on the backend is reused from version to version.
 */
import { fromHost } from './creation';
import { type DType, type HostArrays, type TypedArray, zerosArray } from './dtype';
import { ShapeError } from './errors';
import type { Holding } from './run/memory';
import type { Value } from './run/value';
import { type Shape, showShape, sizeOf } from './shape';
import type { Tensor } from './tensor';

export class HostBuffer<D extends DType = DType> {
  /** What to fill before asking for a tensor. */
  readonly array: HostArrays[D];
  #last: Value | null = null;
  #spare: Holding | null = null;

  /**
   * @param remedy - what the error of a stale tensor advises
   */
  constructor(
    readonly shape: Shape,
    readonly dtype: D,
    readonly remedy = 'Keep it with clone()',
  ) {
    this.array = zerosArray(dtype, sizeOf(shape));
  }

  /**
   * A tensor of the present contents; the one before becomes stale.
   *
   * @param count - how many entries of the first axis are filled; default all
   */
  tensor(count = this.shape[0] ?? 1): Tensor {
    if (count > (this.shape[0] ?? 1))
      throw new ShapeError(`HostBuffer: ${count} entries are asked for, but the shape is ${showShape(this.shape)}.`);
    const shape = this.shape.length === 0 ? [] : [count, ...this.shape.slice(1)];
    const spare = this.#retire(this.#remedy());
    const filled = this.array.subarray(0, sizeOf(shape)) as TypedArray;
    const reusable = spare !== null && spare.storage.byteLength >= filled.byteLength;
    const made = fromHost(reusable ? filled : (filled.slice() as TypedArray), shape, this.dtype);
    const value = made.node.stored as Value;
    if (spare) value.recycle(spare);
    this.#last = value;
    return made;
  }

  /** Makes the last tensor stale now, saying why; its memory is kept for the next one. */
  invalidate(reason = this.#remedy()): void {
    this.#spare = this.#retire(reason);
    this.#last = null;
  }

  #remedy(): string {
    return `the buffer was filled again. ${this.remedy}`;
  }

  /** Makes the previous tensor stale, and takes its memory. */
  #retire(reason: string): Holding | null {
    const last = this.#last;
    if (last === null) return this.#spare;
    last.stale = `A tensor of a recycled buffer is stale: ${reason}.`;
    this.#spare = null;
    return last.release();
  }
}
