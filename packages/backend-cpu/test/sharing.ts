/* A backend that shares whatever can be cut, from the first run on, with as many threads as asked for. */
import { createCpu, type InternalOptions } from '../src/backend';

export const sharing = (threads: number, options: InternalOptions = {}) =>
  createCpu({
    threads,
    oversubscribe: true,
    startAfter: 0,
    sharing: { leastStep: 1, leastChunk: 1, leastWake: 1 },
    ...options,
  });

/** Waits until every worker has taken a chunk since the counts `before`, running work meanwhile. */
export async function untilTaken(pool: { readonly taken: number[] }, run: () => unknown): Promise<void> {
  const before = pool.taken;
  const end = performance.now() + 20_000;
  while (pool.taken.some((n, i) => n === before[i])) {
    if (performance.now() > end) throw new Error(`workers took ${pool.taken} chunks, ${before} before`);
    await run();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
