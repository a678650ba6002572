/**
 * Batches of a dataset, one after the other. This file decides which samples form which batch, in what order, and
 * when a batch is made; where it is kept is for `batch-storage.ts`.
 *
 * The order of an epoch is a pure function of (seed, epoch), so a position is three numbers and a run resumes in the
 * middle of an epoch with the very batch it would have had next. The next batches are made in idle turns of the event
 * loop, while the program waits for something else.
 */
import { type Tensor, type TypedArray, ValueError } from '@dl/tensor';
import { type BatchStorage, freshStorage, recycledStorage } from './batch-storage';
import type { Dataset } from './dataset';
import { RandomStream } from './random';
import { inLaterTurn, turn } from './turn';

/** What the loader needs of an `AbortSignal`. */
export interface StopSignal {
  readonly aborted: boolean;
  readonly reason?: unknown;
}

export interface DataLoaderOptions {
  /** Samples a batch. Default 1. */
  readonly batchSize?: number;
  /** Another random order each epoch. Default false. */
  readonly shuffle?: boolean;
  /** The random order is a function of this and the epoch. Default 0. */
  readonly seed?: number;
  /** Leaves out a last batch of fewer than `batchSize` samples. Default false. */
  readonly dropLast?: boolean;
  /** How many batches are made ahead, in idle turns of the event loop. Default 1. */
  readonly prefetch?: number;
  /**
   * True: a batch is valid until the next but one is asked for, and reading it later throws a `StaleTensorError`;
   * nothing is allocated per batch. False: a batch stays valid. Default true.
   */
  readonly recycle?: boolean;
  /** When aborted, the loop throws its reason before the next batch. */
  readonly signal?: StopSignal;
}

/** Where a loader is, and what that position depends on. Plain numbers: fit for JSON. */
export interface DataLoaderState {
  readonly epoch: number;
  /** Batches of this epoch that were handed out. */
  readonly batch: number;
  readonly seed: number;
  readonly shuffle: boolean;
  readonly batchSize: number;
  /** Samples in the dataset. */
  readonly samples: number;
}

/** The longest that a loop over a loader keeps the event loop from turning. */
const TURN_EVERY_MS = 20;

/**
 * Goes through a dataset in batches. Each loop over it is one epoch.
 *
 * A loop that is left early is over: the next one begins the next epoch. `stateDict()` after leaving still says where
 * it was, and `loadStateDict()` makes the next loop go on from there.
 *
 * @example
 * const loader = new DataLoader(train, { batchSize: 128, shuffle: true, seed: 1 });
 * for (let epoch = 0; epoch < 10; epoch++) {
 *   for await (const [x, y] of loader) step(x, y); // x: f32 [128, 1, 28, 28], y: i32 [128]
 * }
 */
export class DataLoader<B> implements AsyncIterable<B> {
  readonly dataset: Dataset<B>;
  readonly batchSize: number;
  /** The number of batches in an epoch. */
  readonly length: number;
  private readonly shuffle: boolean;
  private readonly prefetch: number;
  private readonly storage: BatchStorage;
  private readonly signal: StopSignal | undefined;
  private seed: number;
  private currentEpoch = 0;
  private batch = 0;
  /** Whether the next loop goes on at `batch` rather than with the next epoch. */
  private resuming = true;
  /** The number that the next batch has in the storage; it counts on over epochs. */
  private sequence = 0;
  private pass: Pass<B> | undefined;

  /** @throws ValueError for a batch size, prefetch or seed that is out of range */
  constructor(dataset: Dataset<B>, options: DataLoaderOptions = {}) {
    const { batchSize = 1, shuffle = false, seed = 0, dropLast = false, prefetch = 1, recycle = true } = options;
    requireInteger('batchSize', batchSize, 1);
    requireInteger('prefetch', prefetch, 0);
    requireInteger('seed', seed, 0);
    this.dataset = dataset;
    this.batchSize = batchSize;
    this.shuffle = shuffle;
    this.seed = seed;
    this.prefetch = prefetch;
    this.signal = options.signal;
    this.length = dropLast ? Math.floor(dataset.length / batchSize) : Math.ceil(dataset.length / batchSize);
    // A batch size beyond the dataset's length is common ("all of it") and must not cost storage.
    const rows = Math.max(Math.min(batchSize, dataset.length), 1);
    this.storage = recycle ? recycledStorage(dataset.fields, rows, prefetch) : freshStorage(dataset.fields);
  }

  /** The epoch that the current loop is in, or the next one will be, from 0 on. */
  get epoch(): number {
    return this.resuming || this.pass ? this.currentEpoch : this.currentEpoch + 1;
  }

  /** One epoch, or what is left of it after {@link loadStateDict}. */
  async *[Symbol.asyncIterator](): AsyncGenerator<B, void, void> {
    const pass = this.begin();
    try {
      let turnedAt = performance.now();
      while (this.batch < this.length) {
        if (performance.now() - turnedAt > TURN_EVERY_MS) {
          await turn();
          turnedAt = performance.now();
        }
        this.check(pass);
        this.storage.expire(this.sequence - 2);
        const batch = pass.take();
        this.batch++;
        this.sequence++;
        pass.schedule();
        yield batch;
        this.check(pass);
      }
      this.currentEpoch++;
      this.batch = 0;
      this.resuming = true;
    } finally {
      pass.stop();
      if (this.pass === pass) this.pass = undefined;
    }
  }

  private begin(): Pass<B> {
    this.pass?.stop();
    if (!this.resuming) {
      this.currentEpoch++;
      this.batch = 0;
    }
    this.resuming = false;
    const { dataset, batchSize, storage, prefetch, currentEpoch: epoch } = this;
    const order = this.shuffle ? new RandomStream(this.seed, epoch).permutation(dataset.length) : undefined;
    const place = { epoch, batch: this.batch, sequence: this.sequence, length: this.length };
    this.pass = new Pass({ dataset, batchSize, storage, prefetch, order }, place);
    return this.pass;
  }

  private check(pass: Pass<B>): void {
    if (this.signal?.aborted) {
      throw this.signal.reason ?? new ValueError('DataLoader: the loop was aborted by its signal');
    }
    if (this.pass !== pass) {
      throw new ValueError(
        'DataLoader: another loop over this loader began, or its position was loaded, while this one was under way; ' +
          'make a DataLoader for each loop that runs at the same time',
      );
    }
  }

  /** Where the loader is: the next batch it will hand out, and what its order depends on. */
  stateDict(): DataLoaderState {
    const { currentEpoch: epoch, batch, seed, shuffle, batchSize } = this;
    return { epoch, batch, seed, shuffle, batchSize, samples: this.dataset.length };
  }

  /**
   * Puts the loader where `stateDict` was taken: the next loop begins with the batch that came next, in the same order.
   * The seed is taken over; batch size, shuffling and the number of samples must be the same, for a position means
   * something else without them.
   *
   * @throws ValueError if one differs; it names both values
   */
  loadStateDict(state: DataLoaderState): void {
    const own = this.stateDict();
    for (const key of ['batchSize', 'samples', 'shuffle'] as const) {
      if (state[key] !== own[key]) {
        throw new ValueError(
          `DataLoader.loadStateDict: ${key} differs: the state has ${state[key]}, this loader has ${own[key]}`,
        );
      }
    }
    requireInteger('epoch', state.epoch, 0);
    requireInteger('seed', state.seed, 0);
    if (!Number.isInteger(state.batch) || state.batch < 0 || state.batch > this.length) {
      throw new ValueError(
        `DataLoader.loadStateDict: batch is an integer from 0 to ${this.length}, the batches of an epoch, not ${state.batch}`,
      );
    }
    this.pass?.stop();
    this.pass = undefined;
    this.currentEpoch = state.epoch;
    this.batch = state.batch;
    this.seed = state.seed;
    this.resuming = true;
  }
}

function requireInteger(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new ValueError(`DataLoader: ${name} is an integer of at least ${least}, not ${value}`);
  }
}

interface PassSource<B> {
  readonly dataset: Dataset<B>;
  readonly batchSize: number;
  readonly storage: BatchStorage;
  readonly prefetch: number;
  readonly order: Uint32Array | undefined;
}

interface Place {
  readonly epoch: number;
  /** The first batch, the number it has in the storage, and the batches of the epoch. */
  readonly batch: number;
  readonly sequence: number;
  readonly length: number;
}

/** One way through an epoch: makes its batches in order, some of them ahead of time. */
class Pass<B> {
  private readonly ready: B[] = [];
  /** Batches made so far, counted from the first of this pass. */
  private made = 0;
  private scheduled = false;
  private stopped = false;

  constructor(
    private readonly source: PassSource<B>,
    private readonly place: Place,
  ) {}

  /** The next batch. */
  take(): B {
    return this.ready.shift() ?? this.make();
  }

  /** Makes one batch in a later turn, and goes on until `prefetch` are ready. */
  schedule(): void {
    if (this.scheduled || !this.wantsMore()) return;
    this.scheduled = true;
    inLaterTurn(() => {
      this.scheduled = false;
      if (!this.wantsMore()) return;
      try {
        this.ready.push(this.make());
      } catch {
        // The batch is made again, and throws, when it is asked for: there the error has someone to go to.
        return;
      }
      this.schedule();
    });
  }

  stop(): void {
    this.stopped = true;
    this.ready.length = 0;
  }

  private wantsMore(): boolean {
    return (
      !this.stopped && this.ready.length < this.source.prefetch && this.place.batch + this.made < this.place.length
    );
  }

  private make(): B {
    const { dataset, batchSize, storage } = this.source;
    const first = (this.place.batch + this.made) * batchSize;
    const rows = Math.min(batchSize, dataset.length - first);
    const tensors: Tensor[] = storage.make(this.place.sequence + this.made, rows, (into) =>
      this.fill(into, first, rows),
    );
    this.made++;
    return dataset.assemble(tensors);
  }

  private fill(into: readonly TypedArray[], first: number, rows: number): void {
    const { dataset, order } = this.source;
    for (let position = 0; position < rows; position++) {
      const at = first + position;
      dataset.copy(order ? order[at]! : at, into, position, this.place.epoch);
    }
  }
}
