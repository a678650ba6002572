/**
 * RoI max pooling. Where each bin's largest element lies is found without a gradient, first along rows and then along columns,
 * so that the first in row-major order wins a tie; the elements themselves are then gathered, which carries the gradient.
 */
import { iota, type Tensor, withGrad } from '@dl/tensor';
import { checkRois, type RoiOptions, regionsOf } from './rois';

const none = Number.NEGATIVE_INFINITY;

/**
 * The largest element in each bin of each region. Corners are rounded to cells (half away from zero), a region reaches from
 * cell to cell inclusive and is at least one cell; bin i of P over an extent h is [⌊i·h/P⌋, ⌈(i + 1)·h/P⌉), cut off at the map.
 * A bin without cells gives 0.
 *
 * @param x - `[N, C, H, W]`, feature maps, float
 * @param rois - `[K, 5]`, rows of (image, x1, y1, x2, y2), the dtype of `x`; constants for the gradient
 * @param options - `outputSize`; `spatialScale`, default 1
 * @returns `[K, C, rows, columns]`; the first of equal elements takes the gradient
 * @throws ShapeError if `x` or `rois` has another rank, or `x` no elements
 * @throws DTypeError if the dtypes differ or are not floats
 * @throws ValueError if a size is not a whole number above 0; an image outside of the batch fails at the read
 * @see Girshick 2015, section 2.1
 */
export function roiPool(x: Tensor, rois: Tensor, { outputSize, spatialScale = 1 }: RoiOptions): Tensor {
  const [rowBins, columnBins] = checkRois('roiPool', x, rois, { outputSize, spatialScale });
  const [N, C, H, W] = x.dims(4);
  const K = rois.shape[0]!;
  const { places, filled } = withGrad(false, () => {
    const { image, x1, y1, x2, y2 } = regionsOf(rois, spatialScale);
    const rows = binCells(y1, y2, H, rowBins); // [K, rowBins, H]
    const columns = binCells(x1, x2, W, columnBins); // [K, columnBins, W]
    const within = largest(x.take(0, image.reshape([K])), rows, columns); // [K, C, rowBins, columnBins]
    const some = (cells: Tensor): Tensor => cells.cast('i32').max(2).ne(0); // [K, bins]
    return {
      places: within.add(image.reshape([K, 1, 1, 1]).mul(H * W)),
      filled: some(rows)
        .reshape([K, 1, rowBins, 1])
        .and(some(columns).reshape([K, 1, 1, columnBins])),
    };
  });
  const cells = x.permute([1, 0, 2, 3]).reshape([C, N * H * W]);
  const byChannel = places.permute([1, 0, 2, 3]).reshape([C, K * rowBins * columnBins]);
  const found = cells.gather(1, byChannel).reshape([C, K, rowBins, columnBins]).permute([1, 0, 2, 3]);
  return filled.where(found, 0);
}

/** Which cells of an axis are in which bin of which region: bool [K, bins, size]. */
function binCells(low: Tensor, high: Tensor, size: number, bins: number): Tensor {
  const first = rounded(low); // [K, 1]
  const extent = rounded(high).sub(first).add(1).maximum(1);
  const bin = iota([1, bins], 1);
  const start = bin.mul(extent).floorDivide(bins).add(first); // [K, bins]
  const stop = bin
    .add(1)
    .mul(extent)
    .add(bins - 1)
    .floorDivide(bins)
    .add(first);
  const cell = iota([1, 1, size], 2);
  return cell.ge(start.unsqueeze(2)).and(cell.lt(stop.unsqueeze(2)));
}

/** Half away from zero: i32. */
const rounded = (x: Tensor): Tensor => x.abs().add(0.5).floor().mul(x.sign()).cast('i32');

/** The flat position in the map of each bin's first largest element, in maps [K, C, H, W]: i32 [K, C, rowBins, columnBins]. */
function largest(maps: Tensor, rows: Tensor, columns: Tensor): Tensor {
  const [K, , H, W] = maps.dims(4);
  const [rowBins, columnBins] = [rows.shape[1]!, columns.shape[1]!];
  const inColumns = columns.reshape([K, 1, 1, columnBins, W]).where(maps.unsqueeze(3), none); // [K, C, H, columnBins, W]
  const column = inColumns.argmax(4); // [K, C, H, columnBins]
  const inRows = rows.transpose().reshape([K, 1, H, rowBins, 1]).where(inColumns.max(4).unsqueeze(3), none); // [K, C, H, rowBins, columnBins]
  const row = inRows.argmax(2); // [K, C, rowBins, columnBins]
  return row.mul(W).add(column.gather(2, row));
}
