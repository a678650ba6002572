// The table of workloads: what each runs, and what it cannot do without (floating-point operations, or bytes that memory
// must move), from which its rate and the share of the ceiling follow.
import { CachedDecoding, DecodingCache, generate, WindowDecoding } from '@dl/attention';
import { noGrad, valueAndGrad } from '@dl/autograd';
import { batchNorm, crossEntropy, embed, maxPool } from '@dl/layers';
import { compile, getBackend, ones, tensor } from '@dl/tensor';
import { check, uniform } from './inputs.mjs';
import {
  gpt,
  gptCached,
  gptContext,
  gptStep,
  labels,
  layerNorm,
  lenetStep,
  lstmStep,
  mlpStep,
  parametersOf,
  random,
  residual,
  slide,
} from './models.mjs';
import { residentMemory, time, timeDispatch, timeTraining } from './timing.mjs';

const done = () => getBackend().synchronize();

/** A compiled function on fixed inputs, none of which requires gradients. */
async function forward(fn, inputs) {
  const compiled = compile(fn, { name: 'workload' });
  const begin = performance.now();
  const first = check(await compiled(...inputs).data());
  const first_call_ms = performance.now() - begin;
  const step = async () => {
    const out = compiled(...inputs);
    await done();
    out.dispose();
  };
  return { ...(await time(step)), first_call_ms, check: first };
}

/** The gradient of Σ fn(x) · weights with respect to x: fn and its gradient in one compiled function. */
const backward = (fn, x, weights) =>
  forward((a, w) => valueAndGrad((b) => fn(b).mul(w).sum())(a).gradient, [x, weights]);

const generated = (decoding) => async () => {
  const tokens = [0];
  for await (const id of generate(decoding, [0], { maxTokens: 200, temperature: 0 })) tokens.push(id);
  return tokens;
};

/** The first 200 tokens of a fresh process, what is compiled for them included; `warm_ms` is what they take afterwards. */
async function generation(run) {
  const begin = performance.now();
  const tokens = await run();
  const ms_per_iter = performance.now() - begin;
  const hash = tokens.reduce((h, v, i) => (h + v * (i + 1)) % 65521, 0);
  const { ms_per_iter: warm_ms } = await time(run);
  return { ms_per_iter, iters: 1, warm_ms, check: [hash, ...tokens.slice(-3)] };
}

/** The last 64 tokens are computed anew for each. */
function generateInWindow() {
  const p = parametersOf('gpt');
  return generation(generated(new WindowDecoding({ forward: (ids) => gpt(p, ids) }, { context: gptContext })));
}

/** A model with 201 positions, of which the first 64 are those of the other; so are its first 64 tokens. */
function generateFromCache() {
  const p = parametersOf('gpt', { positions: 201 });
  const cache = new DecodingCache(4, { rows: 1, numHeads: 4, capacity: 201, headDim: 32 });
  return generation(generated(new CachedDecoding({ forward: (ids, c) => gptCached(p, ids, c) }, cache)));
}

const dispatch = (of) => () => {
  const [a, one] = [random([16], 1), random([16], 2)];
  const next = of();
  return timeDispatch(async (n) => {
    let x = a;
    for (let i = 0; i < n; i++) x = next(x, one);
    await x.data();
  });
};

const f32 = 4;
const many = 4 << 20;
const image = [16, 64, 56, 56];
const imageSize = 16 * 64 * 56 * 56;
const gemm = (n) => ({
  flops: 2 * n ** 3,
  run: () => forward((a, b) => a.matmul(b), [random([n, n], 1), random([n, n], 2)]),
});

/** What issue trackers and PERFORMANCE tables call by these names; a peer's program uses the same. */
export const workloads = {
  gemm_128: gemm(128),
  gemm_256: gemm(256),
  gemm_512: gemm(512),
  gemm_1024: gemm(1024),
  tanh_fma: {
    elements: many,
    run: () =>
      forward(
        (a, b, c) => a.mul(b).add(c).tanh(),
        [1, 2, 3].map((s) => random([many], s)),
      ),
  },
  relu_add: {
    bytes: 3 * many * f32,
    run: () =>
      forward(
        (a, b) => a.add(b).relu(),
        [1, 2].map((s) => random([many], s)),
      ),
  },
  sum_16m: {
    bytes: 4 * many * f32,
    run: () => forward((a) => a.sum(), [tensor(uniform(4 * many, 1).map((v) => v + 1))]),
  },
  softmax: { bytes: 2 * many * f32, run: () => forward((x) => x.softmax(-1), [random([4096, 1024], 1, 4)]) },
  layer_norm: {
    bytes: 2 * many * f32,
    run: () => forward(layerNorm, [random([4096, 1024], 1, 4), random([1024], 2), random([1024], 3)]),
  },
  conv2d: {
    flops: 2 * imageSize * 64 * 9,
    run: () => forward((x, w) => x.convolution(w, slide(1)), [random(image, 1), random([64, 64, 3, 3], 2)]),
  },
  depthwise: {
    bytes: 2 * imageSize * f32,
    run: () =>
      forward((x, w) => x.convolution(w, { ...slide(1), groups: 64 }), [random(image, 1), random([64, 1, 3, 3], 2)]),
  },
  lenet_train: { flops: 145e6, run: () => timeTraining(lenetStep()) },
  mlp_train: { flops: 129e6, run: () => timeTraining(mlpStep()) },
  lstm_train: { flops: 5.03e9, run: () => timeTraining(lstmStep()) },
  gpt_train: { flops: 3.96e9, run: () => timeTraining(gptStep()) },
  resnet18: {
    flops: 3.63e9,
    run: () => {
      const model = residual();
      return forward((x) => noGrad(() => model.forward(x)), [random([1, 3, 224, 224], 1)]);
    },
  },
  gpt_generate: { run: generateInWindow },
  gpt_generate_cached: { run: generateFromCache },
  dispatch: { run: dispatch(() => (x, y) => x.add(y).realize()) },
  dispatch_jit: { run: dispatch(() => compile((x, y) => x.add(y), { name: 'add' })) },
  coldstart: {
    run: async () => {
      const v = await ones([256, 256])
        .matmul(ones([256, 256]))
        .sum()
        .item();
      return { ms_per_iter: performance.now(), iters: 1, check: [v] };
    },
  },
  lenet_rss: { run: () => residentMemory(lenetStep(), 500) },
  lstm_rss: { run: () => residentMemory(lstmStep(), 100) },
  gpt_rss: { run: () => residentMemory(gptStep(), 100) },

  // Loops over rows, apart from the table of targets.
  max_pool: {
    bytes: 1.25 * imageSize * f32,
    run: () => forward((x) => maxPool(x, 2, 2), [random(image, 1)]),
  },
  max_pool_3s2: {
    bytes: 1.25 * imageSize * f32,
    run: () => forward((x) => maxPool(x, 3, 2, { stride: 2, padding: 1 }), [random(image, 1)]),
  },
  max_pool_grad: {
    bytes: 2.5 * imageSize * f32,
    run: () => backward((x) => maxPool(x, 2, 2), random(image, 1), random([16, 64, 28, 28], 2)),
  },
  batch_norm: {
    bytes: 3 * imageSize * f32,
    run: () =>
      forward(
        (x, weight, bias) => batchNorm(x, { weight, bias, training: true }).output,
        [random(image, 1), random([64], 2), random([64], 3)],
      ),
  },
  batch_norm_grad: {
    bytes: 5 * imageSize * f32,
    run: () => backward((x) => batchNorm(x, { training: true }).output, random(image, 1), random(image, 2)),
  },
  cross_entropy: {
    bytes: 2 * many * f32,
    run: () =>
      forward(
        (x, y) => valueAndGrad((a) => crossEntropy(a, y))(x).gradient,
        [random([4096, 1024], 1, 4), labels([4096], 2, 1024)],
      ),
  },
  embedding_grad: {
    bytes: (8192 + 2 * 1000) * 256 * f32,
    run: () =>
      forward(
        (table, ids, g) => valueAndGrad((t) => embed(ids, t).mul(g).sum())(table).gradient,
        [random([1000, 256], 1), labels([8192], 2, 1000), random([8192, 256], 3)],
      ),
  },
  transpose: {
    bytes: 2 * many * f32,
    run: () => forward((x) => x.transpose(0, 1), [random([2048, 2048], 1)]),
  },
  nchw_to_nhwc: {
    bytes: 2 * imageSize * f32,
    run: () => forward((x) => x.permute([0, 2, 3, 1]), [random(image, 1)]),
  },
  sort: { elements: 1 << 20, run: () => forward((x) => x.sort(-1).values, [random([1 << 20], 1)]) },
  sort_rows: { elements: 1 << 20, run: () => forward((x) => x.sort(-1).values, [random([1024, 1024], 1)]) },
  cumsum: { bytes: 2 * many * f32, run: () => forward((x) => x.cumsum(-1), [random([4096, 1024], 1)]) },
  cumsum_columns: { bytes: 2 * many * f32, run: () => forward((x) => x.cumsum(0), [random([4096, 1024], 1)]) },
};
