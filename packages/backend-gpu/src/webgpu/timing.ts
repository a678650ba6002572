/* Times of passes by timestamp queries, one before each and one after; several may belong to one step. */
import type { Timing } from '@dl/tensor';
import { usage } from './usage';

/** The most queries of a set. */
const maxQueries = 4096;

export class Stopwatch {
  readonly #queries: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  readonly #staging: GPUBuffer;
  readonly #bytes: number;

  constructor(
    device: GPUDevice,
    /** The step of each pass. */
    private readonly steps: readonly number[],
  ) {
    const count = Math.min(maxQueries, Math.max(2, steps.length * 2));
    this.#bytes = count * 8;
    this.#queries = device.createQuerySet({ type: 'timestamp', count });
    this.#resolved = device.createBuffer({ size: this.#bytes, usage: usage.queryResolve | usage.copySource });
    this.#staging = device.createBuffer({ size: this.#bytes, usage: usage.mapRead | usage.copyTarget });
  }

  /** How a pass is begun; those beyond the limit are not timed. */
  pass(index: number): GPUComputePassDescriptor {
    if (2 * index + 1 >= this.#bytes / 8) return {};
    return {
      timestampWrites: {
        querySet: this.#queries,
        beginningOfPassWriteIndex: 2 * index,
        endOfPassWriteIndex: 2 * index + 1,
      },
    };
  }

  resolve(encoder: GPUCommandEncoder): void {
    encoder.resolveQuerySet(this.#queries, 0, this.#bytes / 8, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#staging, 0, this.#bytes);
  }

  /** Time of each step. */
  async times(names: readonly string[]): Promise<Timing[]> {
    await this.#staging.mapAsync(1);
    const stamps = new BigUint64Array(this.#staging.getMappedRange().slice(0));
    const ms = new Float64Array(names.length);
    this.steps.forEach((step, i) => {
      const [begin, end] = [stamps[2 * i], stamps[2 * i + 1]];
      if (begin !== undefined && end !== undefined && end > begin) ms[step]! += Number(end - begin) / 1e6;
    });
    this.#staging.unmap();
    for (const buffer of [this.#queries, this.#resolved, this.#staging]) buffer.destroy();
    return names.map((name, i) => ({ name, ms: ms[i]! }));
  }
}
