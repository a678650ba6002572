/** Pooling into sizes, resampling and rearrangements of the reference vectors, by the functions of `@dl/layers`. */
import * as nn from '@dl/layers';
import type { GoldenCall, GoldenOp, GoldenOps } from './call';

const lpPooling =
  (rank: number): GoldenOp =>
  (call) =>
    nn.lpPool(call.x, call.numbers('kernel_size'), rank, {
      p: call.number('norm_type'),
      stride: call.numbers('stride'),
      ceilMode: call.flag('ceil_mode'),
    });

const adaptive =
  (pool: typeof nn.adaptiveAvgPool, rank: number): GoldenOp =>
  (call) =>
    pool(call.x, call.numbers('output_size'), rank);

const resample: GoldenOp = (call: GoldenCall) =>
  nn.interpolate(call.x, {
    mode: call.text('mode') as nn.InterpolationMode,
    alignCorners: call.flag('align_corners'),
    ...(call.has('size') ? { size: call.numbers('size') } : { scaleFactor: call.number('scale_factor') }),
  });

export const resamplingOps: GoldenOps = {
  max_unpool2d: (call) =>
    nn.maxUnpool(call.x, call.input('indices'), call.numbers('kernel_size'), 2, {
      stride: call.numbers('stride'),
      padding: call.numbers('padding'),
      outputSize: call.numbers('output_size'),
    }),
  lp_pool1d: lpPooling(1),
  lp_pool2d: lpPooling(2),
  adaptive_avg_pool1d: adaptive(nn.adaptiveAvgPool, 1),
  adaptive_avg_pool2d: adaptive(nn.adaptiveAvgPool, 2),
  adaptive_avg_pool3d: adaptive(nn.adaptiveAvgPool, 3),
  adaptive_max_pool1d: adaptive(nn.adaptiveMaxPool, 1),
  adaptive_max_pool2d: adaptive(nn.adaptiveMaxPool, 2),
  adaptive_max_pool3d: adaptive(nn.adaptiveMaxPool, 3),
  interpolate: resample,
  local_response_norm: (call) =>
    nn.localResponseNorm(call.x, call.number('size'), {
      alpha: call.number('alpha'),
      beta: call.number('beta'),
      k: call.number('k'),
    }),
  pixel_shuffle: (call) => nn.pixelShuffle(call.x, call.number('upscale_factor')),
  pixel_unshuffle: (call) => nn.pixelUnshuffle(call.x, call.number('downscale_factor')),
  channel_shuffle: (call) => nn.channelShuffle(call.x, call.number('groups')),
};
