/** Simple image transforms: cuts, mirrors and normalisation, on images of any number of leading axes, [..., C, H, W]. */
import { DTypeError, isFloat, ShapeError, showShape, type Tensor, tensor, ValueError } from '@dl/tensor';

function checkImage(operation: string, x: Tensor, rank: number): void {
  if (x.rank < rank)
    throw new ShapeError(
      `${operation}: x is ${showShape(x.shape)}, but an image has ${rank} axes. Give ${rank === 2 ? '[..., H, W]' : '[..., C, H, W]'}.`,
    );
}

/**
 * The middle of an image; where it is smaller than wanted, zeros surround it.
 *
 * @param x - `[..., H, W]`
 * @param size - `[height, width]`, or one number for both
 * @returns `[..., height, width]`; an odd pixel more is cut at the bottom and right, or half to even, as in torchvision
 * @throws ShapeError if `x` has fewer than 2 axes
 * @throws ValueError if a size is not whole
 */
export function centerCrop(x: Tensor, size: number | readonly [number, number]): Tensor {
  checkImage('centerCrop', x, 2);
  const wanted = typeof size === 'number' ? [size, size] : size;
  if (!wanted.every((n) => Number.isInteger(n) && n >= 0))
    throw new ValueError(
      `centerCrop: size ${showShape(wanted)} is no count of pixels. Give whole numbers, at least 0.`,
    );
  const low = x.shape.map(() => 0);
  const high = x.shape.map(() => 0);
  wanted.forEach((n, i) => {
    const axis = x.rank - 2 + i;
    const spare = x.shape[axis]! - n;
    low[axis] = spare > 0 ? -halfToEven(spare) : Math.floor(-spare / 2);
    high[axis] = -spare - low[axis]!;
  });
  return x.pad(low, high); // negative amounts crop
}

/** n / 2 as Python rounds it. */
const halfToEven = (n: number): number => (n % 4 === 3 ? (n + 1) / 2 : Math.floor(n / 2));

/**
 * Mirrors left and right.
 *
 * @param x - `[..., H, W]`
 * @returns the same shape
 * @throws ShapeError if `x` has fewer than 2 axes
 */
export function horizontalFlip(x: Tensor): Tensor {
  checkImage('horizontalFlip', x, 2);
  return x.flip(-1);
}

/**
 * Mirrors top and bottom.
 *
 * @param x - `[..., H, W]`
 * @returns the same shape
 * @throws ShapeError if `x` has fewer than 2 axes
 */
export function verticalFlip(x: Tensor): Tensor {
  checkImage('verticalFlip', x, 2);
  return x.flip(-2);
}

/**
 * Brings each channel to about mean 0 and deviation 1 by given statistics: (x − mean) / std.
 *
 * @param x - `[..., C, H, W]`, float
 * @param mean - one number a channel
 * @param std - one number a channel, not 0
 * @returns the same shape
 * @throws ShapeError if there is not one mean and one deviation a channel
 * @throws DTypeError if `x` is not a float
 * @throws ValueError if a deviation is 0
 */
export function normalize(x: Tensor, mean: readonly number[], std: readonly number[]): Tensor {
  checkImage('normalize', x, 3);
  const C = x.shape[x.rank - 3]!;
  if (mean.length !== C || std.length !== C)
    throw new ShapeError(
      `normalize: ${mean.length} means and ${std.length} deviations for the ${C} channels of ${showShape(x.shape)}. Give one of each a channel.`,
    );
  if (!isFloat(x.dtype))
    throw new DTypeError(
      `normalize: x is ${x.dtype}, but the result has fractions. Use cast('f32').div(255) on bytes.`,
    );
  if (std.some((s) => !(s > 0)))
    throw new ValueError(`normalize: deviations are [${std.join(', ')}]. Give numbers above 0.`);
  const channels = (values: readonly number[]): Tensor => tensor([...values], [C, 1, 1], { dtype: x.dtype });
  return x.sub(channels(mean)).div(channels(std));
}
