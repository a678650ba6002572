/** Colours of images: brightness, contrast, saturation and hue, by factors that may differ from image to image. */
import { concat, DTypeError, isFloat, ShapeError, showShape, Tensor } from '@dl/tensor';

/** Red, green and blue in grey, as ITU-R 601-2 has it. */
const grayWeights = [0.2989, 0.587, 0.114] as const;

/** A number for all images, or one an image as a tensor `[N]`. */
export type PerImage = number | Tensor;

function checkImages(operation: string, x: Tensor, channels: readonly number[]): void {
  if (x.rank !== 4 || !channels.includes(x.shape[1]!))
    throw new ShapeError(
      `${operation}: x is ${showShape(x.shape)}, but images are [N, ${channels.join(' or ')}, H, W]. Reshape it.`,
    );
  if (!isFloat(x.dtype))
    throw new DTypeError(
      `${operation}: x is ${x.dtype}, but colours are floats from 0 to 1. Use cast('f32').div(255).`,
    );
}

/** The factor beside `[N, C, H, W]`. */
function besideImages(operation: string, factor: PerImage, x: Tensor): PerImage {
  if (!(factor instanceof Tensor)) return factor;
  const [N] = x.dims(4);
  if (factor.rank !== 1 || factor.shape[0] !== N)
    throw new ShapeError(
      `${operation}: the factors are ${showShape(factor.shape)} for ${N} images. Give a number, or one an image, [${N}].`,
    );
  return factor.cast(x.dtype).reshape([N, 1, 1, 1]);
}

/** factor · x + (1 − factor) · other, within [0, 1]. */
const blend = (x: Tensor, other: Tensor, factor: PerImage): Tensor => x.sub(other).mul(factor).add(other).clamp(0, 1);

/**
 * What an eye sees of colours without the colours: 0.2989 · red + 0.587 · green + 0.114 · blue.
 *
 * @param x - `[N, 3, H, W]`, float
 * @returns `[N, 1, H, W]`
 * @throws ShapeError, DTypeError if `x` is something else
 */
export function grayscale(x: Tensor): Tensor {
  checkImages('grayscale', x, [3]);
  const [red, green, blue] = x.split(1, 1);
  const [r, g, b] = grayWeights;
  return red!.mul(r).add(green!.mul(g)).add(blue!.mul(b));
}

const grayOf = (x: Tensor): Tensor => (x.shape[1] === 1 ? x : grayscale(x));

/**
 * Images made darker (factor below 1) or brighter: x · factor, within [0, 1].
 *
 * @param x - `[N, 1 or 3, H, W]`, float from 0 to 1
 * @param factor - from 0 on, a number or one an image
 */
export function adjustBrightness(x: Tensor, factor: PerImage): Tensor {
  checkImages('adjustBrightness', x, [1, 3]);
  return x.mul(besideImages('adjustBrightness', factor, x)).clamp(0, 1);
}

/**
 * Images with more contrast or less: further from their mean grey, or nearer to it.
 *
 * @param x - `[N, 1 or 3, H, W]`, float from 0 to 1
 * @param factor - from 0 (all grey) on, a number or one an image
 */
export function adjustContrast(x: Tensor, factor: PerImage): Tensor {
  checkImages('adjustContrast', x, [1, 3]);
  const mean = grayOf(x).mean([1, 2, 3], { keepDims: true });
  return blend(x, mean, besideImages('adjustContrast', factor, x));
}

/**
 * Images with stronger colours or paler ones: each pixel further from its grey, or nearer to it.
 *
 * @param x - `[N, 3, H, W]`, float from 0 to 1
 * @param factor - from 0 (no colour) on, a number or one an image
 */
export function adjustSaturation(x: Tensor, factor: PerImage): Tensor {
  checkImages('adjustSaturation', x, [3]);
  return blend(x, grayscale(x), besideImages('adjustSaturation', factor, x));
}

/**
 * Images whose colours are moved round the circle of hues.
 *
 * @param x - `[N, 3, H, W]`, float from 0 to 1
 * @param turns - in turns, from −0.5 to 0.5: 1/3 makes red green; a number or one an image
 */
export function adjustHue(x: Tensor, turns: PerImage): Tensor {
  checkImages('adjustHue', x, [3]);
  const [red, green, blue] = x.split(1, 1) as readonly Tensor[] as readonly [Tensor, Tensor, Tensor];
  const value = x.max(1, { keepDims: true });
  const chroma = value.sub(x.min(1, { keepDims: true }));
  const moved = hueOf(red, green, blue, value, chroma).add(besideImages('adjustHue', turns, x));
  // Each channel falls from the value by the chroma over two sixths of the circle; they differ in where.
  const channel = (start: number): Tensor => {
    const place = moved.mul(6).add(start).mod(6);
    return value.sub(chroma.mul(place.minimum(place.neg().add(4)).clamp(0, 1)));
  };
  return concat([channel(5), channel(3), channel(1)], 1);
}

/** In turns: 0 is red, 1/3 green, 2/3 blue; 0 for grey. */
function hueOf(red: Tensor, green: Tensor, blue: Tensor, value: Tensor, chroma: Tensor): Tensor {
  const divisor = chroma.eq(0).where(1, chroma);
  const [ofRed, ofGreen, ofBlue] = [green.sub(blue), blue.sub(red), red.sub(green)].map((d) => d.div(divisor));
  const sixths = value.eq(red).where(ofRed!, value.eq(green).where(ofGreen!.add(2), ofBlue!.add(4)));
  return sixths.div(6);
}
