// Our side of the benchmarks: `node ours.mjs [--threads=N] WORKLOAD…` prints one JSON line a workload. Runs the built
// packages, as a user does.
import { generate, scaledDotProductAttention, WindowDecoding } from '@dl/attention';
import { noGrad } from '@dl/autograd';
import { cpu } from '@dl/backend-cpu';
import { crossEntropy, embed, gelu } from '@dl/layers';
import { Adam, AdamW, SGD } from '@dl/optim';
import { lstm } from '@dl/rnn';
import { compile, getBackend, ones, setBackend, tensor, Variable } from '@dl/tensor';
import { check, initial, residentMemory, sizeOf, time, timeDispatch, timeTraining, uniform, whole } from './inputs.mjs';

const flags = Object.fromEntries(
  process.argv
    .slice(2)
    .filter((a) => a.startsWith('--'))
    .map((a) => a.slice(2).split('=')),
);
const names = process.argv.slice(2).filter((a) => !a.startsWith('--'));
const threads = Number(flags.threads ?? 1);
setBackend(await cpu({ threads }));

const random = (shape, seed, scale) => tensor(uniform(sizeOf(shape), seed, scale), shape);
const labels = (shape, seed, max) => tensor(whole(sizeOf(shape), seed, max), shape);
const done = () => getBackend().synchronize();

/** A compiled function on fixed inputs. */
async function forward(fn, inputs) {
  const compiled = compile(fn, { name: 'workload' });
  const begin = performance.now();
  const first = check(await noGrad(() => compiled(...inputs)).data());
  const first_call_ms = performance.now() - begin;
  const step = async () => {
    const out = compiled(...inputs);
    await done();
    out.dispose();
  };
  return { ...(await time(step)), first_call_ms, check: first };
}

const parametersOf = (model) =>
  initial(model).map(({ shape, data }) => new Variable(tensor(data, shape), { requiresGrad: true }));

/** One compiled training step; resolves to the loss. */
function training(parameters, optimizer, lossOf, x, y) {
  const step = compile(
    (a, b) => {
      const loss = lossOf(parameters, a, b);
      optimizer.minimize(loss);
      return loss;
    },
    { name: 'train' },
  );
  return async () => {
    const loss = step(x, y);
    const value = await loss.item();
    loss.dispose();
    return value;
  };
}

const linear = (x, w, b) => x.matmul(w.transpose()).add(b);
const slide = (padding) => ({
  stride: [1, 1],
  padding: [
    [padding, padding],
    [padding, padding],
  ],
  lhsDilation: [1, 1],
  rhsDilation: [1, 1],
  groups: 1,
});
const convolved = (x, w, b, padding) => x.convolution(w, slide(padding)).add(b.reshape([-1, 1, 1]));
const halved = (x) =>
  x.windowMax({
    size: [2, 2],
    stride: [2, 2],
    dilation: [1, 1],
    padding: [
      [0, 0],
      [0, 0],
    ],
  });

function lenet(p, x, y) {
  let h = halved(convolved(x, p[0], p[1], 2).relu());
  h = halved(convolved(h, p[2], p[3], 0).relu()).reshape([64, 400]);
  h = linear(linear(h, p[4], p[5]).relu(), p[6], p[7]).relu();
  return crossEntropy(linear(h, p[8], p[9]), y);
}
const lenetStep = () => {
  const p = parametersOf('lenet');
  return training(p, new Adam(p, { lr: 1e-3 }), lenet, random([64, 1, 28, 28], 1), labels([64], 2, 10));
};

const mlp = (p, x, y) => crossEntropy(linear(linear(linear(x, p[0], p[1]).relu(), p[2], p[3]).relu(), p[4], p[5]), y);
const mlpStep = () => {
  const p = parametersOf('mlp');
  return training(p, new SGD(p, { lr: 0.01, momentum: 0.9 }), mlp, random([128, 784], 1), labels([128], 2, 10));
};

function lstmModel([embedding, weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, ...head], ids, y) {
  const weights = { weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 };
  const { output } = lstm(embed(ids.transpose(0, 1), embedding), weights); // [T, N, H]
  return crossEntropy(linear(output, ...head).flatten(0, 1), y.transpose(0, 1).flatten());
}
const lstmStep = () => {
  const p = parametersOf('lstm');
  return training(p, new Adam(p, { lr: 1e-3 }), lstmModel, labels([32, 64], 1, 65), labels([32, 64], 2, 65));
};

const layerNorm = (x, g, b) => {
  const c = x.centred(-1);
  return c
    .mul(c.square().mean(-1, { keepDims: true }).add(1e-5).rsqrt())
    .mul(g)
    .add(b);
};

const gptContext = 64;
const heads = (x) => x.reshape([x.shape[0], x.shape[1], 4, 32]).permute([0, 2, 1, 3]);
const scaled = (x, g) => {
  const c = x.centred(-1);
  return c.mul(c.square().mean(-1, { keepDims: true }).add(1e-5).rsqrt()).mul(g);
};

/** nanoGPT in its CPU configuration: logits of the next token after each of ids [B, T]. */
function gpt(p, ids) {
  const [tokens, positions] = p;
  let x = embed(ids, tokens).add(positions.narrow(0, 0, ids.shape[1]));
  for (let i = 2; i + 6 < p.length; i += 6) {
    const [ln1, qkv, proj, ln2, up, down] = p.slice(i, i + 6);
    const [q, k, v] = scaled(x, ln1).matmul(qkv.transpose()).split(2, 128).map(heads);
    const attended = scaledDotProductAttention(q, k, v, { causal: true }).permute([0, 2, 1, 3]).reshape(x.shape);
    x = x.add(attended.matmul(proj.transpose()));
    x = x.add(gelu(scaled(x, ln2).matmul(up.transpose())).matmul(down.transpose()));
  }
  return scaled(x, p.at(-1)).matmul(tokens.transpose());
}
const gptStep = () => {
  const p = parametersOf('gpt');
  const groups = [
    { params: p.filter((v) => v.rank >= 2), weightDecay: 0.1 },
    { params: p.filter((v) => v.rank < 2), weightDecay: 0 },
  ];
  const loss = (q, x, y) => crossEntropy(gpt(q, x).flatten(0, 1), y.flatten());
  const optimizer = new AdamW(groups, { lr: 1e-3, betas: [0.9, 0.99] });
  return training(p, optimizer, loss, labels([12, gptContext], 1, 65), labels([12, gptContext], 2, 65));
};

/** 200 tokens, greedily, without a cache: the last 64 tokens are computed anew each time. */
async function generation() {
  const p = parametersOf('gpt');
  const decoding = new WindowDecoding({ forward: (ids) => gpt(p, ids) }, { context: gptContext });
  const run = async () => {
    const tokens = [0];
    for await (const id of generate(decoding, [0], { maxTokens: 200, temperature: 0 })) tokens.push(id);
    return tokens;
  };
  const tokens = await run();
  const hash = tokens.reduce((h, v, i) => (h + v * (i + 1)) % 65521, 0);
  return { ...(await time(run)), check: [hash, ...tokens.slice(-3)] };
}

const many = 4 << 20;
const gemm = (n) => async () => {
  const r = await forward((a, b) => a.matmul(b), [random([n, n], 1), random([n, n], 2)]);
  return { ...r, gflops: (2 * n ** 3) / r.ms_per_iter / 1e6 };
};

const workloads = {
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
  sum_16m: () => forward((a) => a.sum(), [tensor(uniform(16 << 20, 1).map((v) => v + 1))]),
  softmax: () => forward((x) => x.softmax(-1), [random([4096, 1024], 1, 4)]),
  layer_norm: () => forward(layerNorm, [random([4096, 1024], 1, 4), random([1024], 2), random([1024], 3)]),
  conv2d: () => forward((x, w) => x.convolution(w, slide(1)), [random([16, 64, 56, 56], 1), random([64, 64, 3, 3], 2)]),
  depthwise: () =>
    forward(
      (x, w) => x.convolution(w, { ...slide(1), groups: 64 }),
      [random([16, 64, 56, 56], 1), random([64, 1, 3, 3], 2)],
    ),
  lenet_train: () => timeTraining(lenetStep()),
  mlp_train: () => timeTraining(mlpStep()),
  lstm_train: () => timeTraining(lstmStep()),
  gpt_train: () => timeTraining(gptStep()),
  gpt_generate: generation,
  lenet_rss: () => residentMemory(lenetStep()),
  dispatch: () => {
    const [a, one] = [random([16], 1), random([16], 2)];
    return timeDispatch(async (n) => {
      let x = a;
      for (let i = 0; i < n; i++) x = x.add(one).realize();
      await x.data();
    });
  },
  dispatch_jit: () => {
    const [a, one] = [random([16], 1), random([16], 2)];
    const add = compile((x, y) => x.add(y), { name: 'add' });
    return timeDispatch(async (n) => {
      let x = a;
      for (let i = 0; i < n; i++) x = add(x, one);
      await x.data();
    });
  },
  coldstart: async () => {
    const v = await ones([256, 256])
      .matmul(ones([256, 256]))
      .sum()
      .item();
    return { ms_per_iter: performance.now(), iters: 1, check: [v] };
  },
};

for (const workload of names.length > 0 ? names : Object.keys(workloads)) {
  let result;
  try {
    if (!workloads[workload]) throw new Error('not offered yet');
    result = await workloads[workload]();
  } catch (error) {
    result = {
      finding: String(error?.message ?? error)
        .split('\n')[0]
        .slice(0, 300),
    };
  }
  console.log(
    JSON.stringify({ workload, peer: `ours-${threads}t`, runtime: `node ${process.versions.node}`, ...result }),
  );
}
process.exit(0);
