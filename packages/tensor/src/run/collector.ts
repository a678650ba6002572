/**
 * How memory comes back that nobody disposes of: once the garbage collector has found a value gone, a finaliser gives its
 * memory back. So that the collector feels the weight of memory that it cannot see, values carry host buffers of an eighth of it.
 */
import type { Holding } from './memory';

/** Registered without a token, which would cost every run more than a holding that was given away costs here. */
const finalizer = new FinalizationRegistry<Holding>((holding) => holding.giveBack());

/** How many bytes are stored before a value takes on their weight: one buffer for many small values. */
const ballastFrom = 1 << 17;
const ballastShare = 8;

/** Bytes stored whose weight no value carries yet. */
let unweighed = 0;

/** What holding a storage costs at least, host objects included. */
const leastWeight = 1024;

/** Bytes stored since the event loop last turned, when finalisers had their chance. */
let sinceTurn = 0;

/**
 * Gives the memory back when the collector finds the value gone.
 *
 * @returns what the value must carry
 */
export function giveBackAfter(value: object, holding: Holding, byteLength: number): ArrayBuffer | null {
  finalizer.register(value, holding);
  sinceTurn += Math.max(byteLength, leastWeight);
  unweighed += byteLength;
  if (unweighed < ballastFrom) return null;
  const ballast = new ArrayBuffer(Math.floor(unweighed / ballastShare));
  unweighed = 0;
  return ballast;
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
