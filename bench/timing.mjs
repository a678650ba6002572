// How a step is timed: warm-up, samples of about a millisecond or more, the median.

export const median = (a) => a.slice().sort((x, y) => x - y)[a.length >> 1];
/** How long samples are taken. At 0 nothing is timed: each step runs once. */
export const budgetMs = Number(process.env.BENCH_MS ?? 1500);

/** Median milliseconds of `step`, which resolves once the work is done. */
export async function time(step) {
  if (budgetMs === 0) return once(step);
  const begin = performance.now();
  let [runs, one] = [0, 0];
  while (runs < 2 || performance.now() - begin < 400) {
    const t = performance.now();
    await step();
    one = performance.now() - t;
    runs++;
  }
  const inner = Math.max(1, Math.min(1000, Math.floor(1 / one)));
  const samples = [];
  const sampling = performance.now();
  while (performance.now() - sampling < budgetMs || samples.length < 5) {
    const t = performance.now();
    for (let i = 0; i < inner; i++) await step();
    samples.push((performance.now() - t) / inner);
  }
  return { ms_per_iter: median(samples), min_ms: Math.min(...samples), iters: samples.length * inner };
}

async function once(step) {
  const begin = performance.now();
  await step();
  const ms_per_iter = performance.now() - begin;
  return { ms_per_iter, min_ms: ms_per_iter, iters: 1 };
}

/** Ten checked steps on one batch, then the time of a step. `step` resolves to the loss. */
export async function timeTraining(step) {
  const begin = performance.now();
  const losses = [await step()];
  const first_step_ms = performance.now() - begin;
  for (let i = 1; i < (budgetMs === 0 ? 2 : 10); i++) losses.push(await step());
  return {
    ...(await time(step)),
    first_step_ms,
    check: [losses[0], losses.at(-1)],
    trained: losses.at(-1) < losses[0],
  };
}

/**
 * Microseconds an operation, of 1,000 that depend on one another, once warm like every other step. `early_us_per_op` is what
 * the first operations of a process take, after 5,000 of them.
 */
export async function timeDispatch(run) {
  if (budgetMs === 0) return once(() => run(1000));
  const rounds = async (count) => {
    const samples = [];
    for (let i = 0; i < count; i++) {
      const t = performance.now();
      await run(1000);
      samples.push(performance.now() - t);
    }
    return median(samples);
  };
  await rounds(5);
  const early_us_per_op = await rounds(30);
  const begin = performance.now();
  while (performance.now() - begin < 400) await rounds(10);
  const us_per_op = await rounds(100);
  return { ms_per_iter: us_per_op, us_per_op, early_us_per_op, iters: 100 };
}

const mb = (bytes) => Math.round(bytes / 2 ** 20);

/** Resident memory over training steps, in MB. */
export async function residentMemory(step, steps) {
  const begin = performance.now();
  let rss_50 = 0;
  for (let i = 1; i <= steps; i++) {
    await step();
    if (i === 50) rss_50 = mb(process.memoryUsage.rss());
  }
  return {
    ms_per_iter: (performance.now() - begin) / steps,
    iters: steps,
    rss_50,
    rss_end: mb(process.memoryUsage.rss()),
    peak_mb: mb(process.resourceUsage().maxRSS * 1024),
  };
}
