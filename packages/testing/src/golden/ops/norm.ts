/** Normalisations of the reference vectors, by the functions of `@dl/layers`. */
import * as nn from '@dl/layers';
import type { GoldenCall, GoldenOps, Outputs } from './call';

/** Weight, bias and running statistics, where the case has them. */
const channelOptions = (call: GoldenCall) => ({
  weight: call.optional('weight') ?? null,
  bias: call.optional('bias') ?? null,
  runningMean: call.optional('running_mean') ?? null,
  runningVar: call.optional('running_var') ?? null,
  momentum: call.number('momentum'),
  eps: call.number('eps'),
});

/** The output, with running statistics where they moved. */
function withStatistics({ output, runningMean, runningVar }: nn.BatchNormResult, moved: boolean): Outputs {
  if (!moved || !runningMean || !runningVar) return output;
  return { out: output, running_mean: runningMean, running_var: runningVar };
}

function batchNorm(call: GoldenCall): Outputs {
  const training = call.flag('training');
  return withStatistics(nn.batchNorm(call.x, { ...channelOptions(call), training }), training);
}

function instanceNorm(call: GoldenCall): Outputs {
  const useInputStats = call.raw('use_input_stats') !== false;
  return withStatistics(nn.instanceNorm(call.x, { ...channelOptions(call), useInputStats }), useInputStats);
}

const factors = (call: GoldenCall) => ({
  weight: call.optional('weight') ?? null,
  bias: call.optional('bias') ?? null,
  eps: call.number('eps'),
});

export const normOps: GoldenOps = {
  batch_norm: batchNorm,
  instance_norm: instanceNorm,
  layer_norm: (call) => nn.layerNorm(call.x, call.numbers('normalized_shape'), factors(call)),
  rms_norm: (call) => nn.rmsNorm(call.x, call.numbers('normalized_shape'), factors(call)),
  group_norm: (call) => nn.groupNorm(call.x, call.number('num_groups'), factors(call)),
  normalize: (call) => nn.normalize(call.x, call.number('dim'), { p: call.number('p'), eps: call.number('eps') }),
  weight_norm: (call) => nn.weightNorm(call.input('v'), call.input('g'), call.number('dim')),
};
