/**
 * What strict runs find out beyond wrong numbers: an element written twice in one kernel, elements that one point of the
 * index space writes while another reads them (a race once the work is split), and bindings used against their mode.
 */
import { BackendError, type Binding } from '@dl/tensor';
import type { Elements } from './memory';

const many = -1;

/** One binding of a running kernel. All accesses of the kernel go through it. */
export class BoundElements {
  /** For each element, the point that wrote or read it; 0 for none. Only where the kernel writes and checks are on. */
  private readonly writers: Int32Array | null = null;
  private readonly readers: Int32Array | null = null;
  /** For each element, one more than the chunk whose producer wrote it. */
  private readonly producedIn: Int32Array | null = null;

  constructor(
    readonly elements: Elements,
    private readonly mode: Binding['mode'],
    private readonly produced: boolean,
    strict: boolean,
  ) {
    if (!strict || mode === 'read') return;
    this.writers = new Int32Array(elements.size);
    this.readers = new Int32Array(elements.size);
    if (produced) this.producedIn = new Int32Array(elements.size);
  }

  /** Reads for the body at `point`, a number that differs between points of the space and is above 0. */
  read(index: number, point: number, chunk: number): number {
    if (this.mode === 'write' && !this.produced) throw new BackendError('reads a binding whose mode is write.');
    const value = this.elements.read(index);
    if (this.producedIn) {
      if (this.producedIn[index] !== chunk + 1) {
        throw new BackendError(
          `reads element ${index} of the producer's output, which another part of the range writes.`,
        );
      }
    }
    const { writers, readers } = this;
    if (writers && readers) {
      if (writers[index] === point) throw new BackendError(`reads element ${index} after it has written it.`);
      if (writers[index] !== 0) throw this.race(index);
      readers[index] = readers[index] === 0 || readers[index] === point ? point : many;
    }
    return value;
  }

  /** Writes for the body at `point`. */
  write(index: number, value: number, point: number): void {
    if (this.mode === 'read') throw new BackendError('writes a binding whose mode is read.');
    this.elements.write(index, value);
    const { writers, readers } = this;
    if (!writers || !readers) return;
    if (writers[index] !== 0) throw new BackendError(`writes element ${index} twice.`);
    if (readers[index] !== 0 && readers[index] !== point) throw this.race(index);
    writers[index] = point;
  }

  /** Reads for the producer, which may not read what it writes, except where `own` says that it is the same element. */
  readAsSource(index: number, own = false): number {
    if (this.produced && !own) throw new BackendError('the producer reads another element of its own output.');
    if (this.mode === 'write') throw new BackendError('reads a binding whose mode is write.');
    return this.elements.read(index);
  }

  /** Writes for the producer, once an element. */
  produce(index: number, value: number, chunk: number): void {
    if (this.mode === 'read') throw new BackendError('the producer writes a binding whose mode is read.');
    this.elements.write(index, value);
    if (!this.producedIn) return;
    if (this.producedIn[index] !== 0) throw new BackendError(`the producer writes element ${index} twice.`);
    this.producedIn[index] = chunk + 1;
  }

  private race(index: number): BackendError {
    return new BackendError(`one point of the space reads element ${index} and another writes it.`);
  }
}

/** Checks that no memory is bound twice in a kernel that writes it. */
export function checkOverlaps(bindings: readonly Binding[], elements: readonly Elements[]): void {
  for (let i = 0; i < elements.length; i++) {
    for (let j = 0; j < i; j++) {
      const [a, b] = [elements[i]!, elements[j]!];
      if (bindings[i]!.mode === 'read' && bindings[j]!.mode === 'read') continue;
      if (a.memory !== b.memory || a.size === 0 || b.size === 0) continue;
      const aEnd = a.byteOffset + a.array.byteLength;
      const bEnd = b.byteOffset + b.array.byteLength;
      if (a.byteOffset < bEnd && b.byteOffset < aEnd) {
        throw new BackendError(`bindings ${j} and ${i} share memory and one of them is written.`);
      }
    }
  }
}
