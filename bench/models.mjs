// The models of the training and inference workloads, as PyTorch's peer has them, on parameters of inputs.mjs.
import { scaledDotProductAttention } from '@dl/attention';
import { crossEntropy, embed, gelu } from '@dl/layers';
import { Adam, AdamW, SGD } from '@dl/optim';
import { lstm } from '@dl/rnn';
import { compile, iota, tensor, Variable } from '@dl/tensor';
import { resnet18 } from '@dl/vision';
import { initial, residualNetwork, sizeOf, uniform, whole } from './inputs.mjs';

export const random = (shape, seed, scale) => tensor(uniform(sizeOf(shape), seed, scale), shape);
export const labels = (shape, seed, max) => tensor(whole(sizeOf(shape), seed, max), shape);

export const parametersOf = (model, options) =>
  initial(model, options).map(({ shape, data }) => new Variable(tensor(data, shape), { requiresGrad: true }));

/** One training step, compiled unless `eager`; resolves to the loss. */
function training(parameters, optimizer, lossOf, [x, y], { eager = false } = {}) {
  const record = (a, b) => {
    const loss = lossOf(parameters, a, b);
    optimizer.minimize(loss);
    return loss;
  };
  const step = eager ? record : compile(record, { name: 'train' });
  return async () => {
    const loss = step(x, y);
    const value = await loss.item();
    loss.dispose();
    return value;
  };
}

const linear = (x, w, b) => x.matmul(w.transpose()).add(b);
export const slide = (padding) => ({
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
export const lenetStep = (options) => {
  const p = parametersOf('lenet');
  return training(p, new Adam(p, { lr: 1e-3 }), lenet, [random([64, 1, 28, 28], 1), labels([64], 2, 10)], options);
};

const mlp = (p, x, y) => crossEntropy(linear(linear(linear(x, p[0], p[1]).relu(), p[2], p[3]).relu(), p[4], p[5]), y);
export const mlpStep = () => {
  const p = parametersOf('mlp');
  return training(p, new SGD(p, { lr: 0.01, momentum: 0.9 }), mlp, [random([128, 784], 1), labels([128], 2, 10)]);
};

function lstmModel([embedding, weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, ...head], ids, y) {
  const weights = { weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 };
  const { output } = lstm(embed(ids.transpose(0, 1), embedding), weights); // [T, N, H]
  return crossEntropy(linear(output, ...head).flatten(0, 1), y.transpose(0, 1).flatten());
}
export const lstmStep = () => {
  const p = parametersOf('lstm');
  return training(p, new Adam(p, { lr: 1e-3 }), lstmModel, [labels([32, 64], 1, 65), labels([32, 64], 2, 65)]);
};

export const layerNorm = (x, g, b) => {
  const c = x.centred(-1);
  return c
    .mul(c.square().mean(-1, { keepDims: true }).add(1e-5).rsqrt())
    .mul(g)
    .add(b);
};

export const gptContext = 64;
const heads = (x) => x.reshape([x.shape[0], x.shape[1], 4, 32]).permute([0, 2, 1, 3]);
const scaled = (x, g) => {
  const c = x.centred(-1);
  return c.mul(c.square().mean(-1, { keepDims: true }).add(1e-5).rsqrt()).mul(g);
};

/** Attention of each head to what came before: q, k and v are [B, heads, T, features]. */
const causally = ([q, k, v]) => scaledDotProductAttention(q, k, v, { causal: true });

/** nanoGPT in its CPU configuration: logits of the next token after each of ids [B, T], which begin at a position. */
function gptFrom(p, ids, position, attend) {
  const [tokens, positions] = p;
  let x = embed(ids, tokens).add(positions.slice([position, 0], [ids.shape[1], 128]));
  for (let i = 2; i + 6 < p.length; i += 6) {
    const [ln1, qkv, proj, ln2, up, down] = p.slice(i, i + 6);
    const projected = scaled(x, ln1).matmul(qkv.transpose()).split(2, 128).map(heads);
    const attended = attend(projected, (i - 2) / 6)
      .permute([0, 2, 1, 3])
      .reshape(x.shape);
    x = x.add(attended.matmul(proj.transpose()));
    x = x.add(gelu(scaled(x, ln2).matmul(up.transpose())).matmul(down.transpose()));
  }
  return scaled(x, p.at(-1)).matmul(tokens.transpose());
}
export const gpt = (p, ids) => gptFrom(p, ids, 0, causally);

/** The same with the keys and values of earlier tokens in a cache. */
export const gptCached = (p, ids, cache) =>
  gptFrom(p, ids, cache.length, ([q, k, v], layer) => {
    const place = cache.at(layer);
    const all = place.layer.put({ k, v }, place.position);
    const [queries, keys] = [q.shape[2], all.k.shape[2]];
    const mask = iota([queries, keys], 1).le(iota([queries, keys], 0).add(place.position));
    return scaledDotProductAttention(q, all.k, all.v, { mask });
  });

export const gptStep = (options) => {
  const p = parametersOf('gpt');
  const groups = [
    { params: p.filter((v) => v.rank >= 2), weightDecay: 0.1 },
    { params: p.filter((v) => v.rank < 2), weightDecay: 0 },
  ];
  const loss = (q, x, y) => crossEntropy(gpt(q, x).flatten(0, 1), y.flatten());
  const optimizer = new AdamW(groups, { lr: 1e-3, betas: [0.9, 0.99] });
  return training(p, optimizer, loss, [labels([12, gptContext], 1, 65), labels([12, gptContext], 2, 65)], options);
};

/** ResNet-18, ready for inference. */
export function residual() {
  const model = resnet18();
  const state = residualNetwork(model.namedVariables().map(([key, { shape }]) => [key, shape]));
  const counters = model.namedBuffers().filter(([key]) => key.endsWith('num_batches_tracked'));
  model.loadStateDict({
    ...Object.fromEntries(state.map(([k, data, shape]) => [k, tensor(data, shape)])),
    ...Object.fromEntries(counters),
  });
  return model.eval();
}
