/** Geometric transforms of images: an affine map of the places, then a reading of the image there. Both are differentiable. */
import { affineGrid, type GridSampleOptions, gridSample } from '@dl/layers';
import { ShapeError, showShape, stack, Tensor, tensor, ValueError } from '@dl/tensor';

export interface WarpAffineOptions extends GridSampleOptions {
  /** `[height, width]` of the result. Default: that of `x`. */
  readonly outputSize?: readonly [number, number];
}

/**
 * Images under affine maps: the output at (x, y) is the input at theta · (x, y, 1), in coordinates from −1 to 1.
 *
 * @param x - `[N, C, H, W]`, float
 * @param theta - `[N, 2, 3]`, the dtype of `x`; from output places to input places
 * @param options - `outputSize`, default that of `x`, and those of `gridSample`: `mode`, default 'bilinear'; `paddingMode`,
 * default 'zeros'; `alignCorners`, default false
 * @returns `[N, C, height, width]`
 * @throws ShapeError if `x` or `theta` has another shape
 * @throws DTypeError if the dtypes differ or are not floats
 * @throws ValueError for an unknown mode, or a size that is not whole
 * @see Jaderberg, Simonyan, Zisserman & Kavukcuoglu 2015, section 3
 */
export function warpAffine(x: Tensor, theta: Tensor, { outputSize, ...sampling }: WarpAffineOptions = {}): Tensor {
  if (x.rank !== 4)
    throw new ShapeError(`warpAffine: x is ${showShape(x.shape)}, but images have 4 axes. Give [N, C, H, W].`);
  const [N, C, H, W] = x.dims(4);
  const [height, width] = outputSize ?? [H, W];
  if (![height, width].every((n) => Number.isInteger(n) && n >= 0))
    throw new ValueError(`warpAffine: outputSize is [${height}, ${width}]. Give whole numbers, at least 0.`);
  const { alignCorners = false } = sampling;
  return gridSample(x, affineGrid(theta, [N, C, height, width], { alignCorners }), sampling);
}

/**
 * Images turned about their centre, counter-clockwise for positive angles:
 * theta = [[cos, −sin, 0], [sin, cos, 0]] in coordinates from −1 to 1, so an image that is not square is sheared as well.
 *
 * @param x - `[N, C, H, W]`, float
 * @param degrees - one angle, or a tensor `[N]` of one an image, which may carry a gradient
 * @param options - those of `gridSample`: `mode`, default 'bilinear'; `paddingMode`, default 'zeros'; `alignCorners`, default
 * false
 * @returns the shape of `x`
 * @throws ShapeError if `x` has not 4 axes, or there is not one angle an image
 * @throws DTypeError if `x` is not a float
 * @throws ValueError for an unknown mode, or an angle that is not finite
 */
export function rotate(x: Tensor, degrees: number | Tensor, sampling: GridSampleOptions = {}): Tensor {
  if (x.rank !== 4)
    throw new ShapeError(`rotate: x is ${showShape(x.shape)}, but images have 4 axes. Give [N, C, H, W].`);
  return warpAffine(x, turn(degrees, x), sampling);
}

/** The maps [N, 2, 3] that turn by these angles. */
function turn(degrees: number | Tensor, x: Tensor): Tensor {
  const N = x.shape[0]!;
  if (degrees instanceof Tensor) {
    if (degrees.rank !== 1 || degrees.shape[0] !== N)
      throw new ShapeError(
        `rotate: degrees are ${showShape(degrees.shape)} for images ${showShape(x.shape)}. Give a number, or one angle an image, [${N}].`,
      );
    const angle = degrees.cast(x.dtype).mul(Math.PI / 180);
    const [cos, sin, zero] = [angle.cos(), angle.sin(), angle.mul(0)];
    return stack([cos, sin.neg(), zero, sin, cos, zero], 1).reshape([N, 2, 3]);
  }
  if (!Number.isFinite(degrees)) throw new ValueError(`rotate: ${degrees} degrees. Give a finite angle.`);
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  return tensor([cos, -sin, 0, sin, cos, 0], [1, 2, 3], { dtype: x.dtype }).expand([N, 2, 3]);
}
