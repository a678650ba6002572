// The inputs that every library is measured on: a counter-based hash, and parameters in PyTorch's layout. A peer that fills
// its tensors from the same formulas must report the same `check` values.

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

/** First values. More `positions` than the GPT has begin with its own. */
export const initial = (model, { positions } = {}) =>
  models[model].map(([given, scale], i) => {
    const shape = positions && i === 1 ? [positions, ...given.slice(1)] : given;
    const data = scale ? uniform(sizeOf(shape), 100 + i, scale) : new Float32Array(sizeOf(shape)).fill(1);
    return { shape, data };
  });

/** What a number in [−1, 1) becomes as an entry of a batch norm. */
const ofBatchNorm = {
  weight: (v) => 1 + 0.1 * v,
  bias: (v) => 0.1 * v,
  running_mean: (v) => 0.1 * v,
  running_var: (v) => 1 + 0.5 * Math.abs(v),
};

/** The state of a residual network, in the order of its keys: [key, values, shape], without the batch norms' counters. */
export function residualNetwork(entries) {
  let seed = 1000;
  return entries
    .filter(([key]) => !key.endsWith('num_batches_tracked'))
    .map(([key, shape]) => {
      const fanIn = sizeOf(shape.slice(1));
      const scale = key.startsWith('fc') ? fan(512) : shape.length === 4 ? Math.sqrt(6 / fanIn) : 1;
      const values = uniform(sizeOf(shape), seed++, scale);
      const map = shape.length === 1 && !key.startsWith('fc') ? ofBatchNorm[key.split('.').at(-1)] : (v) => v;
      return [key, values.map(map), shape];
    });
}

/** First, last and mean absolute element. */
export const check = (a) => [a[0], a[a.length - 1], a.reduce((s, v) => s + Math.abs(v), 0) / a.length];
