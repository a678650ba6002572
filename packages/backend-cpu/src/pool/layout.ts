/*
 * Where the pool keeps what threads share, and what its records look like. All of it are i32 words in the backend's
 * memory, so that the walker (walker.ts), which every thread runs, needs nothing else.
 *
 * A program is a chain of phases. The steps of a phase do not depend on each other; between phases there is a barrier. The
 * work of a phase is a number of chunks. `wordAddress` holds the running phase and how many of its chunks nobody has
 * claimed yet: counting down, the claim of a chunk needs to know nothing else, so that a thread that was asleep for a
 * whole run cannot claim by a number that it read in another.
 */

/** Control words, each group in a line of the cache of its own, below the constants of kernels. */
export const control = {
  /** i64: address of the running phase above, chunks that nobody has claimed below; 0 while nothing runs. */
  word: 128,
  /** Chunks of the running phase that are finished. */
  done: 192,
  /** How many threads wait to be woken. */
  sleepers: 256,
  /** Whether the caller is one of them. */
  callerSleeps: 260,
  /** Modules that have been published (published.ts); a thread that has loaded fewer loads them before it works. */
  published: 320,
  /** The first of the list of modules, or 0. */
  firstModule: 324,
  /** Not 0: threads end. */
  stop: 328,
  /** Scratch memory of thread t begins at base + t · stride. */
  scratchBase: 332,
  scratchStride: 336,
  /** The number of a thread in which a kernel failed, which is a fault of ours; 0 is none. */
  failed: 340,
  /** Not 0 where a run follows another so closely that a thread, once woken, does not sleep between them. */
  follows: 344,
} as const;

/**
 * Words of a thread, in a line of the cache of its own: what it is doing, how many modules it has loaded, and how many
 * chunks it has taken.
 */
export const threadState = { bytes: 64, activity: 0, loaded: 4, taken: 8 } as const;
export const activity = { awake: 0, asleep: 1, starting: 2 } as const;

/** Words of a phase. */
export const phase = {
  bytes: 32,
  /** How many chunks; 0 in a phase that the caller runs alone. */
  chunks: 0,
  /** The phase after it, or 0. */
  next: 4,
  /** 1 where threads that sleep should be woken for it, whatever came before. */
  wakes: 8,
  firstStep: 12,
  /** The end of its steps. */
  endStep: 16,
} as const;

/** How many functions a step has at most, called one after another for each chunk. */
export const functionsOfStep = 3;

/** Words of a step. */
export const step = {
  bytes: 48,
  /** Chunks of the phase that come before those of this step. */
  firstChunk: 0,
  /** Places in the table of functions; −1 where there are fewer. */
  functions: 4,
  block: 16,
  range: 20,
  /** Steps of the range that a chunk takes. */
  chunk: 24,
} as const;

/** A module in the list of those published: header, then its bytes. */
export const moduleRecord = { bytes: 16, length: 0, firstPlace: 4, next: 8, payload: 12 } as const;

/** The place of the function that copies (walker.ts), and the first that kernels may take. */
export const copyPlace = 0;
export const firstPlace = 1;

/** A copy is a step over units of this many bytes. Its block: where to, where from, how many bytes, and the unit. */
export const copyUnit = 4096;
export const copyBlock = { bytes: 16, to: 0, from: 4, length: 8, unit: 12 } as const;
