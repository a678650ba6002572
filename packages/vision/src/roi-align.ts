/**
 * RoI align. A bilinear sample is a weighted sum of rows and of columns, and the mean over a bin's samples is again one, so the
 * whole operation is two contractions: with each bin row's weights of the map's rows, then with each bin column's weights of its
 * columns. Its gradient is two contractions as well; nothing is scattered. The price is a product with every row of the batch
 * for each bin row, N·H·W a channel, instead of the few that it touches.
 */
import { eye, full, inOperation, iota, type Tensor, ValueError, withGrad } from '@dl/tensor';
import { checkRois, type RoiOptions, regionsOf } from './rois';

export interface RoiAlignOptions extends RoiOptions {
  /** Samples along each side of a bin; 0 takes one a cell, ceil(extent / bins), for each region. Default 0. */
  readonly samplingRatio?: number;
  /** Shifts by half a cell, so that coordinates are of pixels' edges, not centres. Default false, as in torchvision. */
  readonly aligned?: boolean;
}

/**
 * The mean of bilinear samples in each bin of each region. Samples beyond −1 or the map's size count 0, others are clamped to
 * the map. Without `aligned`, a region is at least 1 cell wide and high.
 *
 * @param x - `[N, C, H, W]`, feature maps, float
 * @param rois - `[K, 5]`, rows of (image, x1, y1, x2, y2), the dtype of `x`; constants for the gradient
 * @param options - `outputSize`; `spatialScale`, default 1; `samplingRatio`, default 0; `aligned`, default false
 * @returns `[K, C, rows, columns]`
 * @throws ShapeError if `x` or `rois` has another rank, or `x` no elements
 * @throws DTypeError if the dtypes differ or are not floats
 * @throws ValueError if a size or ratio is not a whole number in its range; an image outside of the batch fails at the read
 * @see He, Gkioxari, Dollár & Girshick 2017, section 3
 */
export function roiAlign(
  x: Tensor,
  rois: Tensor,
  { outputSize, spatialScale = 1, samplingRatio = 0, aligned = false }: RoiAlignOptions,
): Tensor {
  const [rowBins, columnBins] = checkRois('roiAlign', x, rois, { outputSize, spatialScale });
  if (!Number.isInteger(samplingRatio) || samplingRatio < 0)
    throw new ValueError(`roiAlign: samplingRatio ${samplingRatio} is no count. Give 0 or a whole number of samples.`);
  const [N, , H, W] = x.dims(4);
  const K = rois.shape[0]!;
  const { rows, columns } = withGrad(false, () => {
    const { image, x1, y1, x2, y2 } = regionsOf(rois, spatialScale);
    const spread = (low: Tensor, high: Tensor, size: number, bins: number): Tensor =>
      binWeights(low, high, { size, bins, samplingRatio, aligned });
    // [K, N]; reports an image out of range
    const batch = inOperation('roiAlign', () => eye(N, N, x.dtype).take(0, image.reshape([K])));
    const ofMap = spread(y1, y2, H, rowBins); // [K, rowBins, H]
    return {
      rows: ofMap.unsqueeze(2).mul(batch.reshape([K, 1, N, 1])), // [K, rowBins, N, H]
      columns: spread(x1, x2, W, columnBins), // [K, columnBins, W]
    };
  });
  const lines = rows.dot(x, { lhsBatch: [], rhsBatch: [], lhsContract: [2, 3], rhsContract: [0, 2] }); // [K, rowBins, C, W]
  const bins = lines.dot(columns, { lhsBatch: [0], rhsBatch: [0], lhsContract: [3], rhsContract: [2] });
  return bins.permute([0, 2, 1, 3]); // [K, rowBins, C, columnBins] → [K, C, rowBins, columnBins]
}

interface Axis {
  /** Cells of the map along the axis. */
  readonly size: number;
  readonly bins: number;
  readonly samplingRatio: number;
  readonly aligned: boolean;
}

/**
 * Without a fixed number of samples, a bin's samples are between 1/2 and 1 cell apart (or it has only one), so at most 4 lie
 * within one cell of a given cell, and 6 candidates from the first possible one hold them whatever rounding does.
 */
const candidates = 6;

/** How much each cell of an axis weighs in each bin of each region: [K, bins, size]. */
function binWeights(low: Tensor, high: Tensor, { size, bins, samplingRatio, aligned }: Axis): Tensor {
  const K = low.shape[0]!;
  const { dtype } = low;
  const along = (axis: number, n: number): Tensor =>
    iota([n], 0, dtype).reshape([0, 1, 2, 3].map((i) => (i === axis ? n : 1)));
  const start = low.sub(aligned ? 0.5 : 0).reshape([K, 1, 1, 1]);
  const difference = high.sub(low).reshape([K, 1, 1, 1]);
  const extent = aligned ? difference : difference.maximum(1);
  const count = samplingRatio > 0 ? full([1, 1, 1, 1], samplingRatio, dtype) : extent.div(bins).ceil();
  const step = extent.div(count.gt(0).where(count, 1).mul(bins)); // between samples
  const binStart = along(1, bins).mul(extent.div(bins)).add(start); // [K, bins, 1, 1]
  const cell = along(2, size);
  const sample =
    samplingRatio > 0 ? along(3, samplingRatio) : firstNear(cell, binStart, step).add(along(3, candidates));
  const position = sample.add(0.5).mul(step).add(binStart); // [K, bins, size or 1, samples]
  const weight = position
    .clamp(0, size - 1)
    .sub(cell)
    .abs()
    .neg()
    .add(1)
    .maximum(0);
  const counts = position.ge(-1).and(position.le(size)).and(sample.lt(count));
  return counts
    .where(weight, 0)
    .sum(3)
    .div(count.maximum(1).reshape([-1, 1, 1])); // [K, bins, size]
}

/** The first sample of a bin that can lie within one cell of the given cell. */
function firstNear(cell: Tensor, binStart: Tensor, step: Tensor): Tensor {
  const steps = cell.sub(1).sub(binStart).div(step.eq(0).where(1, step));
  return steps.sub(0.5).floor().maximum(0);
}
