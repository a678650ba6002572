/** Losses of the reference vectors, by the functions of `@dl/layers`. */
import {
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
  type CrossEntropyOptions,
  crossEntropy,
  huber,
  l1,
  mse,
  nll,
  type Reduction,
  smoothL1,
} from '@dl/layers';
import { type GoldenCall, type GoldenOps, unserved } from './call';

const reduction = (call: GoldenCall): { readonly reduction: Reduction } => ({
  reduction: call.text('reduction') as Reduction,
});

const weight = (call: GoldenCall) => {
  const given = call.optional('weight');
  return given ? { weight: given } : {};
};

const classOptions = (call: GoldenCall): CrossEntropyOptions => ({
  ...reduction(call),
  ...weight(call),
  ignoreIndex: call.number('ignore_index'),
});

const notYet = unserved('no function yet');

export const lossOps: GoldenOps = {
  mse_loss: (call) => mse(call.input('input'), call.input('target'), reduction(call)),
  l1_loss: (call) => l1(call.input('input'), call.input('target'), reduction(call)),
  smooth_l1_loss: (call) =>
    smoothL1(call.input('input'), call.input('target'), { ...reduction(call), beta: call.number('beta') }),
  huber_loss: (call) =>
    huber(call.input('input'), call.input('target'), { ...reduction(call), delta: call.number('delta') }),
  cross_entropy: (call) =>
    crossEntropy(call.input('input'), call.input('target'), {
      ...classOptions(call),
      labelSmoothing: call.number('label_smoothing'),
    }),
  nll_loss: (call) => nll(call.input('input'), call.input('target'), classOptions(call)),
  binary_cross_entropy: (call) =>
    binaryCrossEntropy(call.input('input'), call.input('target'), { ...reduction(call), ...weight(call) }),
  binary_cross_entropy_with_logits: (call) => {
    const posWeight = call.optional('pos_weight');
    return binaryCrossEntropyWithLogits(call.input('input'), call.input('target'), {
      ...reduction(call),
      ...weight(call),
      ...(posWeight ? { posWeight } : {}),
    });
  },
  kl_div: notYet,
  multi_margin_loss: notYet,
  hinge_embedding_loss: notYet,
  soft_margin_loss: notYet,
  margin_ranking_loss: notYet,
  multilabel_soft_margin_loss: notYet,
  multilabel_margin_loss: notYet,
  sigmoid_focal_loss: notYet,
  softmax_focal_loss: notYet,
  triplet_margin_loss: notYet,
  cosine_embedding_loss: notYet,
  cosine_similarity: notYet,
  pairwise_distance: notYet,
  ctc_loss: notYet,
  gaussian_nll_loss: notYet,
  poisson_nll_loss: notYet,
  distillation_loss: notYet,
};
