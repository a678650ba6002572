/**
 * RoI max pooling. Where each bin's largest element lies is found without a gradient; the elements themselves are then gathered,
 * which carries it. Regions overlap and are many, so their cells are never copied: a table of the maxima of 1, 2, 4, … cells of
 * each row answers the maximum of any range by two look-ups (a sparse table), and only rows are then searched. Everywhere the
 * first of equal elements in row-major order is kept.
 */
import { inOperation, iota, stack, type Tensor, withGrad } from '@dl/tensor';
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
  const maps = x.transpose(0, 1); // [C, N, H, W]: what is looked up does not depend on the channel
  const { places, filled } = withGrad(false, () => {
    const { image, x1, y1, x2, y2 } = regionsOf(rois, spatialScale);
    const [rows, columns] = [rangesOf(y1, y2, H, rowBins), rangesOf(x1, x2, W, columnBins)];
    const within = largest(maps, image.reshape([K, 1, 1]), rows, columns); // [C, K, rowBins, columnBins]
    return {
      places: within.add(image.reshape([K, 1, 1]).mul(H * W)),
      filled: rows.filled.unsqueeze(2).and(columns.filled.unsqueeze(1)), // [K, rowBins, columnBins]
    };
  });
  const found = pick(maps.reshape([C, N * H * W]), places);
  return filled.where(found, 0).transpose(0, 1);
}

/** Elements of a table [C, n] at places [C or 1, …]: [C, …]. */
function pick(table: Tensor, places: Tensor): Tensor {
  const shape = [table.shape[0]!, ...places.shape.slice(1)];
  return inOperation('roiPool', () => table.gather(1, places.expand(shape).flatten(1))).reshape(shape);
}

/** The cells of each bin along one axis, [K, bins]; an empty bin stands for some cell of the map. */
interface Ranges {
  readonly start: Tensor;
  /** How many cells, at least 1. */
  readonly width: Tensor;
  readonly filled: Tensor;
}

function rangesOf(low: Tensor, high: Tensor, size: number, bins: number): Ranges {
  const first = rounded(low); // [K, 1]
  const extent = rounded(high).sub(first).add(1).maximum(1);
  const edge = (bin: Tensor, up: number): Tensor => bin.mul(extent).add(up).floorDivide(bins).add(first).clamp(0, size); // [K, bins]
  const bin = iota([1, bins], 1);
  const [start, stop] = [edge(bin, 0), edge(bin.add(1), bins - 1)];
  const width = stop.sub(start);
  return { start: start.minimum(size - 1), width: width.maximum(1), filled: width.gt(0) };
}

/** Half away from zero: i32. */
const rounded = (x: Tensor): Tensor => x.abs().add(0.5).floor().mul(x.sign()).cast('i32');

/** Maxima of 1, 2, 4, … cells to the right of each cell, and their columns: [C, levels · N · H · W]. */
interface Table {
  readonly values: Tensor;
  readonly columns: Tensor;
}

function tableOf(maps: Tensor): Table {
  const W = maps.shape[3]!;
  const values = [maps];
  const columns = [iota(maps.shape, 3)];
  for (let reach = 1; 2 * reach <= W; reach *= 2) {
    const [value, column] = [values.at(-1)!, columns.at(-1)!];
    const right = (t: Tensor, fill: number): Tensor => t.pad([0, 0, 0, -reach], [0, 0, 0, reach], { value: fill });
    const isLeft = value.ge(right(value, none));
    values.push(isLeft.where(value, right(value, none)));
    columns.push(isLeft.where(column, right(column, 0)));
  }
  return { values: stack(values, 1).flatten(1), columns: stack(columns, 1).flatten(1) };
}

/** The flat position in its map of each bin's first largest element: i32 [C, K, rowBins, columnBins]. */
function largest(maps: Tensor, image: Tensor, rows: Ranges, columns: Ranges): Tensor {
  const [, N, H, W] = maps.dims(4);
  const table = tableOf(maps);
  const [start, width] = [columns.start.unsqueeze(1), columns.width.unsqueeze(1)]; // [K, 1, columnBins]
  let level = width.mul(0); // the largest power of two within the bin
  for (let reach = 2; reach <= W; reach *= 2) level = level.add(width.ge(reach).cast('i32'));
  const last = start.add(width).sub(level.mul(0).add(1).shl(level));
  const base = level.mul(N).add(image).mul(H);
  /** What either of the two look-ups gives for rows [C or 1, K, rows or 1, columnBins] of a bin. */
  const atRows = (row: Tensor) => {
    const [left, right] = [start, last].map((column) => base.unsqueeze(0).add(row).mul(W).add(column.unsqueeze(0))) as [
      Tensor,
      Tensor,
    ];
    return { left, right, isLeft: pick(table.values, left).ge(pick(table.values, right)) };
  };
  const every = atRows(iota([1, 1, H, 1], 2));
  const maxima = pick(table.values, every.left).maximum(pick(table.values, every.right)); // [C, K, H, columnBins]
  const cell = iota([1, H, 1], 1);
  const [top, height] = [rows.start.unsqueeze(1), rows.width.unsqueeze(1)]; // [K, 1, rowBins]
  const within = cell.ge(top).and(cell.lt(top.add(height))); // [K, H, rowBins]
  const row = within.unsqueeze(3).where(maxima.unsqueeze(3), none).argmax(2); // [C, K, rowBins, columnBins]
  const { left, right, isLeft } = atRows(row);
  return row.mul(W).add(isLeft.where(pick(table.columns, left), pick(table.columns, right)));
}
