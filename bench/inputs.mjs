// The inputs that every library is measured on: a counter-based hash, parameters in PyTorch's layout, and the timing
// loops. A peer that fills its tensors from the same formulas must report the same `check` values.

/** 24 random bits of a counter. */
function hash(i, seed) {
  let x = Math.imul((i + 1 + Math.imul(seed, 0x9e3779b1)) | 0, 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 8;
}

/** n numbers, uniform in [−scale, scale). */
export const uniform = (n, seed, scale = 1) =>
  Float32Array.from({ length: n }, (_, i) => (hash(i, seed) / 2 ** 23 - 1) * scale);

/** n whole numbers below max. */
export const whole = (n, seed, max) => Int32Array.from({ length: n }, (_, i) => hash(i, seed) % max);

export const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);

const fan = (n) => 1 / Math.sqrt(n);

/** Layer norm, queries with keys and values, their projection; layer norm and the two layers of the feed-forward network. */
const gptBlock = [
  [[128], 0],
  [[384, 128], 0.035],
  [[128, 128], 0.0125],
  [[128], 0],
  [[512, 128], 0.035],
  [[128, 512], 0.0125],
];

/** Parameter shapes and scales of the models, in order; scale 0 means ones. */
const models = {
  lenet: [
    [[6, 1, 5, 5], fan(25)],
    [[6], fan(25)],
    [[16, 6, 5, 5], fan(150)],
    [[16], fan(150)],
    [[120, 400], fan(400)],
    [[120], fan(400)],
    [[84, 120], fan(120)],
    [[84], fan(120)],
    [[10, 84], fan(84)],
    [[10], fan(84)],
  ],
  mlp: [
    [[256, 784], fan(784)],
    [[256], fan(784)],
    [[128, 256], fan(256)],
    [[128], fan(256)],
    [[10, 128], fan(128)],
    [[10], fan(128)],
  ],
  lstm: [
    [[65, 128], 1],
    [[1024, 128], fan(256)],
    [[1024, 256], fan(256)],
    [[1024], fan(256)],
    [[1024], fan(256)],
    [[65, 256], fan(256)],
    [[65], fan(256)],
  ],
  gpt: [[[65, 128], 0.035], [[64, 128], 0.035], ...Array(4).fill(gptBlock).flat(), [[128], 0]],
};

export const initial = (model) =>
  models[model].map(([shape, scale], i) => ({
    shape,
    data: scale ? uniform(sizeOf(shape), 100 + i, scale) : new Float32Array(sizeOf(shape)).fill(1),
  }));

/** First, last and mean absolute element. */
export const check = (a) => [a[0], a[a.length - 1], a.reduce((s, v) => s + Math.abs(v), 0) / a.length];

const median = (a) => a.slice().sort((x, y) => x - y)[a.length >> 1];
const budgetMs = Number(process.env.BENCH_MS ?? 1500);

/** Median milliseconds of `step`, which resolves once the work is done. */
export async function time(step) {
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

/** Ten checked steps on one batch, then the time of a step. `step` resolves to the loss. */
export async function timeTraining(step) {
  const begin = performance.now();
  const losses = [await step()];
  const first_step_ms = performance.now() - begin;
  for (let i = 1; i < 10; i++) losses.push(await step());
  return { ...(await time(step)), first_step_ms, check: [losses[0], losses[9]], trained: losses[9] < losses[0] };
}

/** Microseconds an operation, of 1,000 that depend on one another. */
export async function timeDispatch(run) {
  for (let i = 0; i < 5; i++) await run(1000);
  const samples = [];
  for (let i = 0; i < 30; i++) {
    const t = performance.now();
    await run(1000);
    samples.push(performance.now() - t);
  }
  return { ms_per_iter: median(samples), us_per_op: median(samples), iters: 30 };
}

/** Resident memory over 500 training steps, in MB. */
export async function residentMemory(step, steps = 500) {
  const mb = (bytes) => Math.round(bytes / 2 ** 20);
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
