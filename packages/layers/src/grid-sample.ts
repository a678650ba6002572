/**
 * Reading images at places between their pixels. `gridSample` decides where a normalised place lies and what is outside the
 * image; `affineGrid` makes the places of an affine map. Both are compositions: a gather for each neighbouring pixel, and
 * weights that carry the gradient to the grid.
 */
import { DTypeError, full, iota, isFloat, ShapeError, showShape, type Tensor, ValueError } from '@dl/tensor';

export interface GridSampleOptions {
  /** Weighted mean of the four neighbours, or the nearest one (half to even). Default 'bilinear'. */
  readonly mode?: 'bilinear' | 'nearest';
  /** Outside the image: 0, the nearest border pixel, or the image mirrored. Default 'zeros'. */
  readonly paddingMode?: 'zeros' | 'border' | 'reflection';
  /** Whether −1 and 1 are the centres of the corner pixels, rather than their outer edges. Default false. */
  readonly alignCorners?: boolean;
}

type Settings = Required<GridSampleOptions>;

/**
 * Samples images at the places that a grid names.
 * A place g in [−1, 1] is pixel ((g + 1) · size − 1) / 2, or (g + 1) / 2 · (size − 1) with `alignCorners`;
 * out[n, c, i, j] is x[n, c] at column grid[n, i, j, 0] and row grid[n, i, j, 1].
 *
 * @param x - `[N, C, H, W]`, float
 * @param grid - `[N, Hout, Wout, 2]`, (x, y) pairs, the dtype of `x`
 * @returns `[N, C, Hout, Wout]`; with 'nearest', no gradient reaches the grid
 * @throws ShapeError if the ranks, the batches or the last axis of the grid do not fit, or the images are empty
 * @throws DTypeError if the two dtypes differ or are not floats
 * @throws ValueError for an unknown mode
 * @see Jaderberg, Simonyan, Zisserman & Kavukcuoglu 2015, eq. 3–5
 */
export function gridSample(
  x: Tensor,
  grid: Tensor,
  { mode = 'bilinear', paddingMode = 'zeros', alignCorners = false }: GridSampleOptions = {},
): Tensor {
  const settings: Settings = { mode, paddingMode, alignCorners };
  checkSample(x, grid, settings);
  const [N, C, H, W] = x.dims(4);
  const [, Ho, Wo] = grid.dims(4);
  const column = pixelOf(grid.narrow(3, 0, 1).reshape([N, Ho * Wo]), W, settings); // [N, L]
  const row = pixelOf(grid.narrow(3, 1, 1).reshape([N, Ho * Wo]), H, settings);
  const sampled = mode === 'nearest' ? pixels(x, row.round(), column.round()) : bilinear(x, row, column);
  return sampled.reshape([N, C, Ho, Wo]);
}

function checkSample(x: Tensor, grid: Tensor, { mode, paddingMode }: Settings): void {
  if (x.rank !== 4 || grid.rank !== 4 || grid.shape[3] !== 2 || x.shape[0] !== grid.shape[0])
    throw new ShapeError(
      `gridSample: x is ${showShape(x.shape)} and grid ${showShape(grid.shape)}. Give x as [N, C, H, W] and grid as [N, Hout, Wout, 2] with the same N.`,
    );
  if (x.shape[2] === 0 || x.shape[3] === 0)
    throw new ShapeError(`gridSample: the images of ${showShape(x.shape)} have no pixels. Give H and W of at least 1.`);
  if (!isFloat(x.dtype) || grid.dtype !== x.dtype)
    throw new DTypeError(`gridSample: x is ${x.dtype} and grid ${grid.dtype}. Cast both to one float dtype.`);
  if (mode !== 'bilinear' && mode !== 'nearest')
    throw new ValueError(`gridSample: mode '${String(mode)}' is not known. Use 'bilinear' or 'nearest'.`);
  if (paddingMode !== 'zeros' && paddingMode !== 'border' && paddingMode !== 'reflection')
    throw new ValueError(
      `gridSample: paddingMode '${String(paddingMode)}' is not known. Use 'zeros', 'border' or 'reflection'.`,
    );
}

/** Normalised places as pixel coordinates; those outside are brought inside unless the padding is zeros. */
function pixelOf(place: Tensor, size: number, { paddingMode, alignCorners }: Settings): Tensor {
  const scale = alignCorners ? (size - 1) / 2 : size / 2;
  const pixel = place
    .add(1)
    .mul(scale)
    .sub(alignCorners ? 0 : 0.5);
  if (paddingMode === 'zeros') return pixel;
  const inside = paddingMode === 'border' ? pixel : reflected(pixel, size, alignCorners);
  return inside.clamp(0, size - 1);
}

/** Mirrors at the outer edges of the corner pixels, or at their centres with `alignCorners`. */
function reflected(pixel: Tensor, size: number, alignCorners: boolean): Tensor {
  const low = alignCorners ? 0 : -0.5;
  const span = alignCorners ? size - 1 : size;
  if (span === 0) return pixel.mul(0);
  const phase = pixel
    .sub(low)
    .abs()
    .mod(2 * span);
  return phase
    .gt(span)
    .where(phase.neg().add(2 * span), phase)
    .add(low);
}

function bilinear(x: Tensor, row: Tensor, column: Tensor): Tensor {
  const [top, left] = [row.floor(), column.floor()];
  const [down, right] = [row.sub(top), column.sub(left)]; // fractions in [0, 1): the weights of the far neighbours
  const part = (dy: 0 | 1, dx: 0 | 1): Tensor => {
    const weight = (dy ? down : down.neg().add(1)).mul(dx ? right : right.neg().add(1));
    return pixels(x, top.add(dy), left.add(dx), weight);
  };
  return part(0, 0).add(part(0, 1)).add(part(1, 0)).add(part(1, 1));
}

/** Pixels at whole coordinates [N, L] as [N, C, L], times a weight; 0 outside the image, whatever the weight is there. */
function pixels(x: Tensor, row: Tensor, column: Tensor, weight?: Tensor): Tensor {
  const [N, C, H, W] = x.dims(4);
  const L = row.shape[1]!;
  const inside = row.ge(0).and(row.lt(H)).and(column.ge(0)).and(column.lt(W));
  // Whole numbers from here on: a float of 24 bits does not hold every index of a large image.
  const index = row
    .clamp(0, H - 1)
    .cast('i32')
    .mul(W)
    .add(column.clamp(0, W - 1).cast('i32'));
  const values = x.reshape([N, C, H * W]).gather(2, index.unsqueeze(1).expand([N, C, L]));
  return inside.unsqueeze(1).where(weight ? values.mul(weight.unsqueeze(1)) : values, 0);
}

export interface AffineGridOptions {
  /** As in `gridSample`; use the same for both. Default false. */
  readonly alignCorners?: boolean;
}

/**
 * The grid that an affine map makes of every output pixel: (x, y) = theta · (xout, yout, 1) in normalised coordinates.
 *
 * @param theta - `[N, 2, 3]`, float
 * @param size - `[N, C, H, W]` of the images to be sampled into
 * @returns `[N, H, W, 2]`, for `gridSample`
 * @throws ShapeError if `theta` is not `[N, 2, 3]` for the N of `size`
 * @throws DTypeError if `theta` is not a float
 * @see Jaderberg, Simonyan, Zisserman & Kavukcuoglu 2015, eq. 1
 */
export function affineGrid(
  theta: Tensor,
  size: readonly [number, number, number, number],
  { alignCorners = false }: AffineGridOptions = {},
): Tensor {
  const [N, , H, W] = size;
  if (theta.rank !== 3 || theta.shape[0] !== N || theta.shape[1] !== 2 || theta.shape[2] !== 3)
    throw new ShapeError(
      `affineGrid: theta is ${showShape(theta.shape)} for images ${showShape(size)}. Give theta as [${N}, 2, 3].`,
    );
  if (!isFloat(theta.dtype))
    throw new DTypeError(`affineGrid: theta is ${theta.dtype}, but a map has fractions. Use theta.cast('f32').`);
  const along = (n: number): Tensor => {
    const i = iota([n], 0, theta.dtype);
    if (!alignCorners) return i.mul(2 / n).add(1 / n - 1);
    return n === 1 ? full([1], 0, theta.dtype) : i.mul(2 / (n - 1)).sub(1);
  };
  const column = (k: number): Tensor => theta.narrow(2, k, 1).reshape([N, 1, 1, 2]);
  const x = along(W).reshape([1, 1, W, 1]).mul(column(0)); // [N, 1, W, 2]
  const y = along(H).reshape([1, H, 1, 1]).mul(column(1)); // [N, H, 1, 2]
  return x.add(y).add(column(2)); // [N, H, W, 2]
}
