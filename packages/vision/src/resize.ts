/** Resizing of images to given sizes, or to a given length of the shorter side. The resampling is that of `@dl/layers`. */
import { interpolate } from '@dl/layers';
import { ShapeError, showShape, type Tensor, ValueError } from '@dl/tensor';

export interface ResizeOptions {
  /** Default 'bilinear'. */
  readonly mode?: 'nearest' | 'bilinear' | 'bicubic';
  /** Whether the corner pixels stay where they are, rather than the outer edges. Not for 'nearest'. Default false. */
  readonly alignCorners?: boolean;
}

/**
 * Images of another size. Nothing is smoothed first, so sizes far smaller alias, as in `interpolate`.
 *
 * @param x - `[..., C, H, W]`, float
 * @param size - `[height, width]`, or the length of the shorter side, with the longer one in proportion and rounded down
 * @param options - `mode`, default 'bilinear'; `alignCorners`, default false
 * @returns `[..., C, height, width]`
 * @throws ShapeError if `x` has fewer than 3 axes or no pixels
 * @throws ValueError if a size is no whole number above 0, or the mode is unknown
 */
export function resize(
  x: Tensor,
  size: number | readonly [number, number],
  { mode = 'bilinear', alignCorners = false }: ResizeOptions = {},
): Tensor {
  if (x.rank < 3)
    throw new ShapeError(`resize: x is ${showShape(x.shape)}, but an image has 3 axes. Give [..., C, H, W].`);
  const [C, H, W] = x.shape.slice(-3) as [number, number, number];
  const outer = x.shape.slice(0, -3);
  const wanted = typeof size === 'number' ? shorter(H, W, size) : size;
  if (!wanted.every((n) => Number.isInteger(n) && n > 0))
    throw new ValueError(`resize: size ${showShape(wanted)} is no count of pixels. Give whole numbers above 0.`);
  const count = outer.reduce((product, n) => product * n, 1);
  return interpolate(x.reshape([count, C, H, W]), { size: wanted, mode, alignCorners }).reshape([
    ...outer,
    C,
    ...wanted,
  ]);
}

const shorter = (H: number, W: number, side: number): readonly [number, number] =>
  H <= W ? [side, Math.floor((side * W) / H)] : [Math.floor((side * H) / W), side];
