/** What a loop leaves behind, for tests that memory stays flat. Needs `node --expose-gc`, and a backend that counts. */
import { getBackend } from '@dl/tensor';

/** Megabytes stored once the collector and its finalisers have run: what it has not found yet is no leak. */
async function heldMegabytes(): Promise<number> {
  if (globalThis.gc === undefined) throw new Error('heldInHalves needs node --expose-gc.');
  for (let i = 0; i < 3; i++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 5)); // finalisers run between turns of the event loop
  }
  return getBackend().memory().inUse / 2 ** 20;
}

/**
 * Runs a loop, and looks at what is stored after every twentieth step, or forty times in a long one.
 *
 * @returns the most megabytes of the first half of the steps, and of the second
 */
export async function heldInHalves(steps: number, step: () => Promise<unknown>): Promise<[number, number]> {
  const most: [number, number] = [0, 0];
  const every = Math.max(20, Math.floor(steps / 40));
  for (let i = 1; i <= steps; i++) {
    await step();
    const half = i <= steps / 2 ? 0 : 1;
    if (i % every === 0) most[half] = Math.max(most[half], await heldMegabytes());
  }
  return most;
}
