// The table of workloads: how each runs. What each cannot do without is in work.mjs.
import { CachedDecoding, DecodingCache, generate, WindowDecoding } from '@dl/attention';
import { noGrad, valueAndGrad } from '@dl/autograd';
import { batchNorm, crossEntropy, embed, maxPool } from '@dl/layers';
import { compile, getBackend, profile, tensor } from '@dl/tensor';
import { coldstart } from './coldstart.mjs';
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
import { timeOverhead } from './overhead.mjs';
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

/** 1,000 operations in one call of one compiled function, each on what the one before it left. */
const dispatchCompiled = (next, shape) => async () => {
  const [a, b] = [random(shape, 1, 0.1), random(shape, 2, 0.1)];
  const chain = compile(
    (x, y) => {
      let z = x;
      for (let i = 0; i < 1000; i++) z = next(z, y);
      return z;
    },
    { name: 'chain' },
  );
  for (let i = 0; i < 2; i++) await chain(a, b).data(); // recorded, and compared
  const { kernels } = await profile(() => chain(a, b).data());
  return { ...(await timeDispatch(() => chain(a, b).data())), kernels: kernels.length };
};

const many = 4 << 20;
const image = [16, 64, 56, 56];
const matmul = (a, b) => () => forward((x, y) => x.matmul(y), [random(a, 1), random(b, 2)]);
const gemm = (n) => matmul([n, n], [n, n]);

/** By the names that peers' programs use too; no target names those after `gpt_rss`. */
export const workloads = {
  gemm_128: gemm(128),
  gemm_256: gemm(256),
  gemm_512: gemm(512),
  gemm_1024: gemm(1024),
  tanh_fma: () =>
    forward(
      (a, b, c) => a.mul(b).add(c).tanh(),
      [1, 2, 3].map((s) => random([many], s)),
    ),
  relu_add: () =>
    forward(
      (a, b) => a.add(b).relu(),
      [1, 2].map((s) => random([many], s)),
    ),
  sum_16m: () => forward((a) => a.sum(), [tensor(uniform(4 * many, 1).map((v) => v + 1))]),
  softmax: () => forward((x) => x.softmax(-1), [random([4096, 1024], 1, 4)]),
  layer_norm: () => forward(layerNorm, [random([4096, 1024], 1, 4), random([1024], 2), random([1024], 3)]),
  conv2d: () => forward((x, w) => x.convolution(w, slide(1)), [random(image, 1), random([64, 64, 3, 3], 2)]),
  depthwise: () =>
    forward((x, w) => x.convolution(w, { ...slide(1), groups: 64 }), [random(image, 1), random([64, 1, 3, 3], 2)]),
  lenet_train: () => timeTraining(lenetStep()),
  mlp_train: () => timeTraining(mlpStep()),
  lstm_train: () => timeTraining(lstmStep()),
  gpt_train: () => timeTraining(gptStep()),
  resnet18: () => {
    const model = residual();
    return forward((x) => noGrad(() => model.forward(x)), [random([1, 3, 224, 224], 1)]);
  },
  gpt_generate: generateInWindow,
  gpt_generate_cached: generateFromCache,
  dispatch: dispatch(() => (x, y) => x.add(y).realize()),
  dispatch_jit: dispatch(() => compile((x, y) => x.add(y), { name: 'add' })),
  /** Products, which stay 1,000 kernels. */
  dispatch_compiled: dispatchCompiled((x, y) => x.matmul(y), [4, 4]),
  /** Sums, of which few kernels are made. */
  dispatch_fused: dispatchCompiled((x, y) => x.add(y), [16]),
  lenet_eager: () => timeOverhead(lenetStep({ eager: true })),
  gpt_eager: () => timeOverhead(gptStep({ eager: true })),
  coldstart,
  lenet_rss: () => residentMemory(lenetStep(), 500),
  lstm_rss: () => residentMemory(lstmStep(), 100),
  gpt_rss: () => residentMemory(gptStep(), 100),

  // Products of few rows, and many small ones.
  matvec_512: matmul([512, 512], [512]),
  vecmat_512: matmul([1, 512], [512, 512]),
  vecmat_2048: matmul([1, 2048], [2048, 2048]),
  rows_8: matmul([8, 2048], [2048, 2048]),
  gemm_16: matmul([256, 16, 16], [256, 16, 16]),

  // Loops over rows.
  max_pool: () => forward((x) => maxPool(x, 2, 2), [random(image, 1)]),
  max_pool_3s2: () => forward((x) => maxPool(x, 3, 2, { stride: 2, padding: 1 }), [random(image, 1)]),
  max_pool_grad: () => backward((x) => maxPool(x, 2, 2), random(image, 1), random([16, 64, 28, 28], 2)),
  batch_norm: () =>
    forward(
      (x, weight, bias) => batchNorm(x, { weight, bias, training: true }).output,
      [random(image, 1), random([64], 2), random([64], 3)],
    ),
  batch_norm_grad: () => backward((x) => batchNorm(x, { training: true }).output, random(image, 1), random(image, 2)),
  cross_entropy: () =>
    forward(
      (x, y) => valueAndGrad((a) => crossEntropy(a, y))(x).gradient,
      [random([4096, 1024], 1, 4), labels([4096], 2, 1024)],
    ),
  embedding_grad: () =>
    forward(
      (table, ids, g) => valueAndGrad((t) => embed(ids, t).mul(g).sum())(table).gradient,
      [random([1000, 256], 1), labels([8192], 2, 1000), random([8192, 256], 3)],
    ),
  transpose: () => forward((x) => x.transpose(0, 1), [random([2048, 2048], 1)]),
  nchw_to_nhwc: () => forward((x) => x.permute([0, 2, 3, 1]), [random(image, 1)]),
  sort: () => forward((x) => x.sort(-1).values, [random([1 << 20], 1)]),
  sort_rows: () => forward((x) => x.sort(-1).values, [random([1024, 1024], 1)]),
  cumsum: () => forward((x) => x.cumsum(-1), [random([4096, 1024], 1)]),
  cumsum_columns: () => forward((x) => x.cumsum(0), [random([4096, 1024], 1)]),
};
