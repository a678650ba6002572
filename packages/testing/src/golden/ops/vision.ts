/** Boxes, regions, filters and transforms of the reference vectors, by @dl/vision. */
import * as vision from '@dl/vision';
import { type GoldenCall, type GoldenOps, unserved } from './call';

const pairOf = (call: GoldenCall, name: string) => call.numbers(name) as unknown as readonly [number, number];
const weights = (call: GoldenCall) => ({
  weights: call.numbers('weights') as unknown as readonly [number, number, number, number],
});
const regions = (call: GoldenCall) => ({
  outputSize: pairOf(call, 'output_size'),
  spatialScale: call.number('spatial_scale'),
});
const sampling = (call: GoldenCall) => ({
  mode: call.text('mode') as 'bilinear' | 'nearest',
  paddingMode: call.text('padding_mode') as 'zeros' | 'border' | 'reflection',
  alignCorners: call.flag('align_corners'),
});
const format = (call: GoldenCall, name: string) => call.text(name) as vision.BoxFormat;

export const visionOps: GoldenOps = {
  box_iou: (call) => vision.boxIou(call.input('boxes1'), call.input('boxes2')),
  generalized_box_iou: (call) => vision.generalizedBoxIou(call.input('boxes1'), call.input('boxes2')),
  nms: unserved('nms is asynchronous, for the size of its result depends on the data: packages/vision/src/nms.test.ts'),
  box_convert: (call) =>
    vision.boxConvert(call.input('boxes'), format(call, 'in_fmt'), format(call, 'out_fmt')),
  box_encode: (call) => vision.boxEncode(call.input('anchors'), call.input('boxes'), weights(call)),
  box_decode: (call) => vision.boxDecode(call.input('anchors'), call.input('deltas'), weights(call)),
  anchors_grid: (call) =>
    vision.anchorsGrid(call.number('height'), call.number('width'), {
      stride: pairOf(call, 'stride'),
      sizes: call.numbers('sizes'),
      ratios: call.numbers('ratios'),
      offset: call.number('offset'),
    }),
  anchors_multibox: (call) =>
    vision.anchorsMultibox(call.number('height'), call.number('width'), {
      sizes: call.numbers('sizes'),
      ratios: call.numbers('ratios'),
    }),
  roi_pool: (call) => vision.roiPool(call.x, call.input('rois'), regions(call)),
  roi_align: (call) =>
    vision.roiAlign(call.x, call.input('rois'), {
      ...regions(call),
      samplingRatio: call.number('sampling_ratio'),
      aligned: call.flag('aligned'),
    }),
  gram_matrix: (call) =>
    vision.gramMatrix(call.x, { normalize: call.text('normalize') as 'none' | 'hw' | 'chw' }),
  spatial_gradient: (call) => ({
    ...vision.spatialGradient(call.x, {
      kernel: call.text('kernel') as vision.GradientKernel,
      paddingMode: call.text('padding_mode') as 'zeros' | 'none',
      eps: call.number('eps'),
    }),
  }),
  warp_affine: (call) =>
    vision.warpAffine(call.x, call.input('theta'), { outputSize: pairOf(call, 'output_size'), ...sampling(call) }),
  rotate: (call) => vision.rotate(call.x, call.number('angle_degrees'), sampling(call)),
};
