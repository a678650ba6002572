/** Convolutions and pooling of the reference vectors, by the functions of `@dl/layers`. */
import {
  affineGrid,
  avgPool,
  convolve,
  convolveTransposed,
  gridSample,
  type GridSampleOptions,
  maxPool,
  maxPoolIndices,
  type Padding,
  type PaddingMode,
} from '@dl/layers';
import type { Tensor } from '@dl/tensor';
import type { GoldenCall, GoldenOp, GoldenOps, Outputs } from './call';
import { resamplingOps } from './resampling';

function convolution(call: GoldenCall): Tensor {
  const padding = call.raw('padding');
  return convolve(call.x, call.input('weight'), call.optional('bias') ?? null, {
    stride: call.numbers('stride'),
    padding: (typeof padding === 'string' ? padding : call.numbers('padding')) as Padding,
    paddingMode: call.has('padding_mode') ? (call.text('padding_mode') as PaddingMode) : 'zeros',
    dilation: call.numbers('dilation'),
    groups: call.number('groups'),
  });
}

const transposed: GoldenOp = (call) =>
  convolveTransposed(call.x, call.input('weight'), call.optional('bias') ?? null, {
    stride: call.numbers('stride'),
    padding: call.numbers('padding'),
    outputPadding: call.numbers('output_padding'),
    dilation: call.numbers('dilation'),
    groups: call.number('groups'),
  });

export const convolutionOps: GoldenOps = {
  conv1d: convolution,
  conv2d: convolution,
  conv3d: convolution,
  conv_transpose1d: transposed,
  conv_transpose2d: transposed,
  conv_transpose3d: transposed,
};

const pooling = (call: GoldenCall) => ({
  stride: call.numbers('stride'),
  padding: call.numbers('padding'),
  ceilMode: call.flag('ceil_mode'),
});

const maxPooling =
  (rank: number): GoldenOp =>
  (call): Outputs => {
    const options = { ...pooling(call), dilation: call.numbers('dilation') };
    const size = call.numbers('kernel_size');
    if (!call.flag('return_indices')) return maxPool(call.x, size, rank, options);
    const { values, indices } = maxPoolIndices(call.x, size, rank, options);
    return { out: values, indices };
  };

const averagePooling =
  (rank: number): GoldenOp =>
  (call) =>
    avgPool(call.x, call.numbers('kernel_size'), rank, {
      ...pooling(call),
      countIncludePad: call.flag('count_include_pad'),
      ...(call.has('divisor_override') ? { divisor: call.number('divisor_override') } : {}),
    });

export const poolingOps: GoldenOps = {
  max_pool1d: maxPooling(1),
  max_pool2d: maxPooling(2),
  max_pool3d: maxPooling(3),
  avg_pool1d: averagePooling(1),
  avg_pool2d: averagePooling(2),
  avg_pool3d: averagePooling(3),
  ...resamplingOps,
  grid_sample: (call) =>
    gridSample(call.x, call.input('grid'), {
      mode: call.text('mode') as GridSampleOptions['mode'] & string,
      paddingMode: call.text('padding_mode') as GridSampleOptions['paddingMode'] & string,
      alignCorners: call.flag('align_corners'),
    }),
  affine_grid: (call) =>
    affineGrid(call.input('theta'), call.numbers('size') as [number, number, number, number], {
      alignCorners: call.flag('align_corners'),
    }),
};
