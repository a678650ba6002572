/** @dl/vision: boxes, regions of interest, filters, image transforms and residual networks. */
export { type AnchorsGridOptions, type AnchorsMultiboxOptions, anchorsGrid, anchorsMultibox } from './anchors';
export {
  type AugmentOptions,
  type ChanceOptions,
  type ColorJitterOptions,
  colorJitter,
  type RandomCropOptions,
  type RandomErasingOptions,
  type RandomResizedCropOptions,
  randomCrop,
  randomErasing,
  randomHorizontalFlip,
  randomResizedCrop,
  randomVerticalFlip,
} from './augment';
export { type BoxCodeOptions, type BoxDecodeOptions, boxDecode, boxEncode } from './box-code';
export { type BoxFormat, boxArea, boxConvert, clipBoxes } from './boxes';
export { adjustBrightness, adjustContrast, adjustHue, adjustSaturation, grayscale, type PerImage } from './color';
export { type GramMatrixOptions, gramMatrix } from './gram-matrix';
export { boxIou, completeBoxIou, distanceBoxIou, generalizedBoxIou } from './iou';
export { batchedNms, type NmsOptions, type NmsPaddedOptions, nms, nmsPadded } from './nms';
export { type ResizeOptions, resize } from './resize';
export { BasicBlock, Bottleneck, ResNet, type ResNetOptions, resnet18, resnet34, resnet50 } from './resnet';
export { type RoiAlignOptions, roiAlign } from './roi-align';
export { roiPool } from './roi-pool';
export type { RoiOptions } from './rois';
export {
  type GradientKernel,
  type SpatialGradient,
  type SpatialGradientOptions,
  spatialGradient,
} from './spatial-gradient';
export { centerCrop, horizontalFlip, normalize, verticalFlip } from './transforms';
export { rotate, type WarpAffineOptions, warpAffine } from './warp';
