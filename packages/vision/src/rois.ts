/** What RoI pooling and RoI align share: how regions of interest are given, and the checks of both. */
import { DTypeError, isFloat, ShapeError, showShape, type Tensor, ValueError } from '@dl/tensor';

export interface RoiOptions {
  /** Bins of each region, `[rows, columns]`, or one number for both. */
  readonly outputSize: number | readonly [number, number];
  /** Cells of the feature map per unit of the regions' coordinates, such as 1/16. Default 1. */
  readonly spatialScale?: number;
}

/** Regions as columns, each [K, 1]; coordinates already in cells of the feature map. */
export interface Regions {
  /** i32, which image of the batch. */
  readonly image: Tensor;
  readonly x1: Tensor;
  readonly y1: Tensor;
  readonly x2: Tensor;
  readonly y2: Tensor;
}

/** @internal Rows and columns of bins, after checking everything that both operations are given. */
export function checkRois(
  operation: string,
  x: Tensor,
  rois: Tensor,
  { outputSize, spatialScale = 1 }: RoiOptions,
): readonly [number, number] {
  if (x.rank !== 4 || rois.rank !== 2 || rois.shape[1] !== 5)
    throw new ShapeError(
      `${operation}: x is ${showShape(x.shape)} and rois ${showShape(rois.shape)}. Give [N, C, H, W] and [K, 5], rows of (image, x1, y1, x2, y2).`,
    );
  if (x.size === 0)
    throw new ShapeError(`${operation}: x is ${showShape(x.shape)}, which has no cells. Give a feature map with some.`);
  if (!isFloat(x.dtype) || rois.dtype !== x.dtype)
    throw new DTypeError(`${operation}: x is ${x.dtype} and rois ${rois.dtype}. Cast both to one float dtype.`);
  const bins = typeof outputSize === 'number' ? ([outputSize, outputSize] as const) : outputSize;
  if (!bins.every((n) => Number.isInteger(n) && n > 0))
    throw new ValueError(`${operation}: outputSize ${showShape(bins)} has no bins. Give whole numbers above 0.`);
  if (!(spatialScale > 0 && Number.isFinite(spatialScale)))
    throw new ValueError(
      `${operation}: spatialScale ${spatialScale} is not above 0. Give cells per coordinate, as 1/16.`,
    );
  return bins;
}

/** @internal The columns of rois [K, 5]. */
export function regionsOf(rois: Tensor, spatialScale: number): Regions {
  const column = (i: number): Tensor => rois.narrow(1, i, 1); // [K, 1]
  const scaled = (i: number): Tensor => column(i).mul(spatialScale);
  return { image: column(0).cast('i32'), x1: scaled(1), y1: scaled(2), x2: scaled(3), y2: scaled(4) };
}
