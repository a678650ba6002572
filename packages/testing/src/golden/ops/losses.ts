/** Losses of the reference vectors, by the functions of `@dl/layers`. */
import * as nn from '@dl/layers';
import type { GoldenCall, GoldenOps } from './call';
import { marginLossOps } from './margin-losses';

const reduction = (call: GoldenCall): { readonly reduction: nn.Reduction } => ({
  reduction: call.text('reduction') as nn.Reduction,
});

const weight = (call: GoldenCall) => {
  const given = call.optional('weight');
  return given ? { weight: given } : {};
};

const classOptions = (call: GoldenCall): nn.CrossEntropyOptions => ({
  ...reduction(call),
  ...weight(call),
  ignoreIndex: call.number('ignore_index'),
});

export const lossOps: GoldenOps = {
  mse_loss: (call) => nn.mse(call.input('input'), call.input('target'), reduction(call)),
  l1_loss: (call) => nn.l1(call.input('input'), call.input('target'), reduction(call)),
  smooth_l1_loss: (call) =>
    nn.smoothL1(call.input('input'), call.input('target'), { ...reduction(call), beta: call.number('beta') }),
  huber_loss: (call) =>
    nn.huber(call.input('input'), call.input('target'), { ...reduction(call), delta: call.number('delta') }),
  cross_entropy: (call) =>
    nn.crossEntropy(call.input('input'), call.input('target'), {
      ...classOptions(call),
      labelSmoothing: call.number('label_smoothing'),
    }),
  nll_loss: (call) => nn.nll(call.input('input'), call.input('target'), classOptions(call)),
  binary_cross_entropy: (call) =>
    nn.binaryCrossEntropy(call.input('input'), call.input('target'), { ...reduction(call), ...weight(call) }),
  binary_cross_entropy_with_logits: (call) => {
    const posWeight = call.optional('pos_weight');
    return nn.binaryCrossEntropyWithLogits(call.input('input'), call.input('target'), {
      ...reduction(call),
      ...weight(call),
      ...(posWeight ? { posWeight } : {}),
    });
  },
  kl_div: (call) =>
    nn.klDivergence(call.input('input'), call.input('target'), {
      logTarget: call.flag('log_target'),
      reduction: call.text('reduction') as nn.Reduction | 'batchmean',
    }),
  distillation_loss: (call) =>
    nn.distillation(call.input('student'), call.input('teacher'), call.input('target'), {
      temperature: call.number('temperature'),
      softWeight: call.number('alpha'),
    }),
  sigmoid_focal_loss: (call) =>
    nn.sigmoidFocal(call.input('input'), call.input('target'), {
      ...reduction(call),
      gamma: call.number('gamma'),
      alpha: call.has('alpha') ? call.number('alpha') : null,
    }),
  softmax_focal_loss: (call) => {
    const alpha = call.optional('alpha');
    const options = { ...reduction(call), gamma: call.number('gamma') };
    return nn.softmaxFocal(call.input('input'), call.input('target'), alpha ? { ...options, alpha } : options);
  },
  gaussian_nll_loss: (call) =>
    nn.gaussianNll(call.input('input'), call.input('target'), call.input('var'), {
      ...reduction(call),
      full: call.flag('full'),
      eps: call.number('eps'),
    }),
  poisson_nll_loss: (call) =>
    nn.poissonNll(call.input('input'), call.input('target'), {
      ...reduction(call),
      logInput: call.flag('log_input'),
      full: call.flag('full'),
      eps: call.number('eps'),
    }),
  ctc_loss: (call) =>
    nn.ctc(call.input('logits').logSoftmax(2), call.input('targets'), {
      ...reduction(call),
      inputLengths: call.input('input_lengths'),
      targetLengths: call.input('target_lengths'),
      blank: call.number('blank'),
      zeroInfinity: call.flag('zero_infinity'),
    }),
  ...marginLossOps,
};
