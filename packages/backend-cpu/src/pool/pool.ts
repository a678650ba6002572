/*
 * The threads of a backend: workers over its memory, started once, that take part in whatever program runs. The caller
 * takes part too. A worker that ends is replaced; one that ends, or fails, with a chunk in its hands is an error of the
 * run, after which the memory is not to be trusted and the backend is lost.
 */
import { BackendError } from '@dl/tensor';
import type { LinearMemory, Piece } from '../memory';
import { activity, control, threadState } from './layout';
import { PublishedModules } from './published';
import { mayWait } from './threads';
import { outcome, Walker, type WalkerExports } from './walker';
import { type StartedWorker, startWorker } from './worker';

export interface PoolOptions {
  /** With the caller. */
  readonly threads: number;
  /** How often a thread looks again before it sleeps. */
  readonly spins: number;
  /** How long a chunk may take beyond what is expected of a phase, in milliseconds. */
  readonly patienceMs: number;
}

/** About 100 µs of looking again: what lies between two training steps, and between a thread's sleep and its next use. */
export const usualPool = { spins: 60_000, patienceMs: 30_000 } as const;

/** Between two runs, that a thread spends looking: less than the usual spins take. */
const closeMs = 0.05;
/** How long the caller waits before it looks whether threads are alive. */
const glanceMs = 250;
/** Spins of a caller that may not sleep between such looks. */
const glanceSpins = 1e8;
/** Replacements of a worker, on average, before something is taken to be wrong. */
const replacements = 3;

/** What must be ended when a pool is forgotten without `dispose`. */
interface Loose {
  readonly words: Int32Array;
  readonly workers: readonly (StartedWorker | null)[];
}

function stop({ words, workers }: Loose): Promise<unknown> {
  Atomics.store(words, control.stop / 4, 1);
  Atomics.notify(words, control.word / 4);
  return Promise.all(workers.map((w) => w?.terminate()));
}

const forgotten = new FinalizationRegistry<Loose>((loose) => void stop(loose));

export class Pool {
  readonly modules: PublishedModules;
  readonly #loose: { readonly words: Int32Array; readonly workers: (StartedWorker | null)[] };
  readonly #states: Piece;
  readonly #walkerBytes: Uint8Array<ArrayBuffer>;
  readonly #walker: WalkerExports;
  readonly #mayWait = mayWait() ? 1 : 0;
  #ends = 0;
  /** When the last run ended. */
  #endedAt = Number.NEGATIVE_INFINITY;
  #broken: BackendError | null = null;
  #disposed = false;

  constructor(
    private readonly memory: LinearMemory,
    private readonly options: PoolOptions,
    private readonly onBroken: (error: BackendError) => void,
  ) {
    const { initial, maximum } = memory.pages;
    this.modules = new PublishedModules(memory);
    const { spins } = options;
    this.#walkerBytes = new Walker({
      minPages: initial,
      maxPages: maximum,
      spins,
      patienceMs: glanceMs,
      patienceSpins: glanceSpins,
    }).bytes();
    const env = { memory: memory.memory, table: this.modules.table, load: () => {} };
    const instance = new WebAssembly.Instance(new WebAssembly.Module(this.#walkerBytes), { env });
    this.#walker = instance.exports as unknown as WalkerExports;
    this.modules.table.set(0, this.#walker.copy);
    this.#states = memory.allocate(options.threads * threadState.bytes);
    this.#loose = { words: memory.words, workers: new Array(options.threads).fill(null) };
    for (let id = 1; id < options.threads; id++) this.#start(id);
    forgotten.register(this, this.#loose, this);
  }

  get threads(): number {
    return this.options.threads;
  }

  /** Why nothing can run any more. */
  get broken(): BackendError | null {
    return this.#broken;
  }

  #stateOf(id: number): number {
    return this.#states.address + id * threadState.bytes;
  }

  #start(id: number): void {
    const { words } = this.memory;
    const state = this.#stateOf(id);
    words[(state + threadState.activity) >>> 2] = activity.starting;
    words[(state + threadState.loaded) >>> 2] = 0;
    const self = new WeakRef<Pool>(this); // a listener must not keep a pool that nobody uses
    const start = {
      memory: this.memory.memory,
      walker: this.#walkerBytes,
      id,
      state,
      tableSize: this.modules.table.length,
    };
    try {
      this.#loose.workers[id] = startWorker(start, (reason) => {
        const pool = self.deref();
        if (pool) pool.#ended(id, reason);
      });
    } catch (error) {
      this.#ended(id, error instanceof Error ? error.message : String(error));
    }
  }

  /** A worker has ended; nothing runs now, or this turn of the event loop would not. */
  #ended(id: number, reason: string): void {
    if (this.#disposed || this.#broken) return;
    this.#loose.workers[id] = null;
    const { words } = this.memory;
    const was = words[(this.#stateOf(id) + threadState.activity) >>> 2];
    if (was === activity.starting) {
      console.warn(`@dl/backend-cpu: thread ${id} could not be started (${reason}); the others go on without it.`);
      words[(this.#stateOf(id) + threadState.loaded) >>> 2] = 2 ** 30; // waits for nothing
      return;
    }
    if (was === activity.asleep) Atomics.sub(words, control.sleepers / 4, 1);
    if (++this.#ends > replacements * this.threads) this.#break(`thread ${id} ended again and again: ${reason}`);
    else this.#start(id);
  }

  /** How many chunks each worker has taken so far. */
  get taken(): number[] {
    const { words } = this.memory;
    return this.#loose.workers.slice(1).map((_, i) => words[(this.#stateOf(i + 1) + threadState.taken) >>> 2]!);
  }

  /** Ends a worker, as a fault would. */
  async kill(id: number): Promise<void> {
    await this.#loose.workers[id]?.terminate();
  }

  /** Runs the program that begins at an address. `expectedMs` is a rough time for it. */
  run(first: number, expectedMs: number): void {
    if (this.#broken) throw this.#broken;
    let before = '';
    let since = 0;
    this.memory.words[control.follows / 4] = performance.now() - this.#endedAt < closeMs ? 1 : 0;
    try {
      let result = this.#walker.run(first, this.#mayWait);
      while (result === outcome.slow) {
        const { words } = this.memory;
        const failed = Atomics.load(words, control.failed / 4);
        if (failed !== 0) throw this.#break(`a kernel failed in thread ${failed}`);
        const now = [control.word, control.word + 4, control.done].map((at) => Atomics.load(words, at / 4)).join();
        if (now !== before) since = performance.now();
        else if (performance.now() - since > this.options.patienceMs + 100 * expectedMs) {
          throw this.#break('a thread has ended, or does not answer');
        }
        before = now;
        result = this.#walker.run(0, this.#mayWait);
      }
      this.#endedAt = performance.now();
    } catch (error) {
      throw this.#broken ?? this.#break(`a kernel failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Gives back what every thread has seen. */
  sweep(): void {
    const { words } = this.memory;
    let loaded = this.modules.count;
    for (let id = 1; id < this.threads; id++) {
      loaded = Math.min(loaded, Atomics.load(words, (this.#stateOf(id) + threadState.loaded) >>> 2));
    }
    this.modules.sweep(loaded);
  }

  #break(reason: string): BackendError {
    this.#broken = new BackendError(
      `cpu: ${reason}. Values of this backend may be unfinished; start a new one with cpu().`,
    );
    void stop(this.#loose);
    this.onBroken(this.#broken);
    return this.#broken;
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    forgotten.unregister(this);
    await stop(this.#loose);
  }
}
