/**
 * Random changes of training images, each image of a batch by draws of its own. All are operations on tensors, so they may
 * stand inside a compiled training step, which draws anew at each call, and run where the batch already is.
 */
import { type Generator, iota, rand, randint, ShapeError, showShape, stack, type Tensor, ValueError } from '@dl/tensor';
import { adjustBrightness, adjustContrast, adjustHue, adjustSaturation } from './color';
import { warpAffine } from './warp';

export interface AugmentOptions {
  /** Default: the generator of `setSeed`. */
  readonly generator?: Generator;
}

export interface ChanceOptions extends AugmentOptions {
  /** The probability that an image is changed. Default 0.5. */
  readonly p?: number;
}

type Range = readonly [low: number, high: number];

function checkBatch(operation: string, x: Tensor): void {
  if (x.rank !== 4) throw new ShapeError(`${operation}: x is ${showShape(x.shape)}, but a batch is [N, C, H, W].`);
}

function checkRange(operation: string, name: string, [low, high]: Range): void {
  if (!(low > 0 && low <= high))
    throw new ValueError(
      `${operation}: ${name} is from ${low} to ${high}. Give two numbers above 0, the smaller first.`,
    );
}

/** A number in [low, high) for each image, `[N]`. */
const uniform = (x: Tensor, [low, high]: Range, options: AugmentOptions): Tensor =>
  rand([x.shape[0]!], options)
    .mul(high - low)
    .add(low);

/** `changed` for images that a coin chooses, `x` for the others. */
function byChance(operation: string, x: Tensor, changed: Tensor, { p = 0.5, ...options }: ChanceOptions): Tensor {
  if (!(p >= 0 && p <= 1)) throw new ValueError(`${operation}: p is ${p}, but a probability is from 0 to 1.`);
  const chosen = uniform(x, [0, 1], options).lt(p);
  return chosen.reshape([x.shape[0]!, 1, 1, 1]).where(changed, x);
}

/**
 * Mirrors left and right, some of the images.
 *
 * @param x - `[N, C, H, W]`
 * @example
 * const step = compile((x: Tensor, y: Tensor) => {
 *   const seen = randomHorizontalFlip(randomCrop(x, 32, { padding: 4 }));
 *   const loss = crossEntropy(model.forward(seen), y);
 *   optimizer.minimize(loss);
 *   return loss;
 * });
 */
export function randomHorizontalFlip(x: Tensor, options: ChanceOptions = {}): Tensor {
  checkBatch('randomHorizontalFlip', x);
  return byChance('randomHorizontalFlip', x, x.flip(3), options);
}

/** Mirrors top and bottom, some of the images `[N, C, H, W]`. */
export function randomVerticalFlip(x: Tensor, options: ChanceOptions = {}): Tensor {
  checkBatch('randomVerticalFlip', x);
  return byChance('randomVerticalFlip', x, x.flip(2), options);
}

export interface RandomCropOptions extends AugmentOptions {
  /** Zeros around each image before it is cut. Default 0. */
  readonly padding?: number;
}

/**
 * A part of each image, at a place of its own; every place is as likely.
 *
 * @param x - `[N, C, H, W]`
 * @param size - `[height, width]`, or one number for both
 * @returns `[N, C, height, width]`
 * @throws ShapeError if the part is larger than the padded image
 */
export function randomCrop(
  x: Tensor,
  size: number | readonly [number, number],
  { padding = 0, ...options }: RandomCropOptions = {},
): Tensor {
  checkBatch('randomCrop', x);
  const [height, width] = typeof size === 'number' ? [size, size] : size;
  const around = [0, 0, padding, padding];
  const lines = cutAt(x.pad(around, around), 2, height, options);
  return cutAt(lines, 3, width, options);
}

/** `length` elements of an axis from a random one on, for each image. */
function cutAt(x: Tensor, axis: number, length: number, options: AugmentOptions): Tensor {
  const [N] = x.dims(4);
  const spare = x.shape[axis]! - length;
  if (!(Number.isInteger(length) && length >= 0 && spare >= 0))
    throw new ShapeError(
      `randomCrop: ${length} of the ${x.shape[axis]} pixels of axis ${axis} cannot be cut. Pad more.`,
    );
  const shape = x.shape.with(axis, length);
  const start = randint(0, spare + 1, [N], options).reshape([N, 1, 1, 1]);
  return x.gather(axis, iota(shape, axis).add(start));
}

export interface RandomResizedCropOptions extends AugmentOptions {
  /** Which share of the image's area the part has. Default [0.08, 1]. */
  readonly scale?: Range;
  /** Its width over its height. Default [3/4, 4/3]. */
  readonly ratio?: Range;
}

/**
 * A part of each image, of random size, form and place, resized by bilinear sampling. A part that would be higher or wider
 * than the image is cut down to it.
 *
 * @param x - `[N, C, H, W]`, float
 * @param size - `[height, width]` of the result, or one number for both
 * @returns `[N, C, height, width]`
 * @see Szegedy et al. 2015, section 6
 */
export function randomResizedCrop(
  x: Tensor,
  size: number | readonly [number, number],
  { scale = [0.08, 1], ratio = [3 / 4, 4 / 3], ...options }: RandomResizedCropOptions = {},
): Tensor {
  checkBatch('randomResizedCrop', x);
  const outputSize = typeof size === 'number' ? ([size, size] as const) : size;
  const { height, width, top, left } = randomBox('randomResizedCrop', x, { scale, ratio, ...options });
  const zero = width.mul(0);
  // In coordinates from −1 to 1: the part's share of the image, and its centre.
  const centre = (start: Tensor, length: Tensor): Tensor => start.mul(2).add(length).sub(1);
  const row = (...entries: Tensor[]): Tensor => stack(entries, 1);
  const theta = stack([row(width, zero, centre(left, width)), row(zero, height, centre(top, height))], 1); // [N, 2, 3]
  return warpAffine(x, theta.cast(x.dtype), { outputSize, paddingMode: 'border' });
}

interface Box {
  /** All `[N]`, as shares of the image's height and width. */
  readonly height: Tensor;
  readonly width: Tensor;
  readonly top: Tensor;
  readonly left: Tensor;
}

type BoxOptions = Required<Pick<RandomResizedCropOptions, 'scale' | 'ratio'>> & AugmentOptions;

/** A box of random area and form within each image. */
function randomBox(operation: string, x: Tensor, { scale, ratio, ...options }: BoxOptions): Box {
  checkRange(operation, 'scale', scale);
  checkRange(operation, 'ratio', ratio);
  const [, , H, W] = x.dims(4);
  const area = uniform(x, scale, options);
  const form = uniform(x, [Math.log(ratio[0]), Math.log(ratio[1])], options)
    .exp()
    .mul(H / W); // width over height, as shares
  const [width, height] = [area.mul(form).sqrt().minimum(1), area.div(form).sqrt().minimum(1)];
  const place = (length: Tensor): Tensor =>
    length
      .neg()
      .add(1)
      .mul(uniform(x, [0, 1], options));
  return { height, width, top: place(height), left: place(width) };
}

export interface RandomErasingOptions extends ChanceOptions, Pick<RandomResizedCropOptions, 'scale' | 'ratio'> {
  /** What is put there. Default 0. */
  readonly value?: number;
}

/**
 * Covers a rectangle in some of the images.
 *
 * @param x - `[N, C, H, W]`
 * @param options - `p` (0.5), `scale` of the rectangle's area ([0.02, 0.33]), its `ratio` ([0.3, 3.3]), `value`
 * @see Zhong et al. 2020, "Random erasing data augmentation"
 */
export function randomErasing(x: Tensor, options: RandomErasingOptions = {}): Tensor {
  checkBatch('randomErasing', x);
  const { scale = [0.02, 0.33], ratio = [0.3, 3.3], value = 0, p = 0.5, ...rest } = options;
  const [N, , H, W] = x.dims(4);
  const { height, width, top, left } = randomBox('randomErasing', x, { scale, ratio, ...rest });
  const within = (axis: number, size: number, start: Tensor, length: Tensor): Tensor => {
    const centre = iota([1, 1, H, W], axis, 'f32').add(0.5).div(size);
    const [from, to] = [start, start.add(length)].map((t) => t.reshape([N, 1, 1, 1])) as [Tensor, Tensor];
    return centre.ge(from).and(centre.lt(to));
  };
  const isCovered = within(2, H, top, height).and(within(3, W, left, width)); // [N, 1, H, W]
  return byChance('randomErasing', x, isCovered.where(value, x), { p, ...rest });
}

export interface ColorJitterOptions extends AugmentOptions {
  /** Factors are drawn from 1 − brightness (at least 0) to 1 + brightness. Default 0: none. */
  readonly brightness?: number;
  /** Default 0. */
  readonly contrast?: number;
  /** Default 0. */
  readonly saturation?: number;
  /** Hues move by at most this share of their circle, up to 0.5. Default 0. */
  readonly hue?: number;
}

/**
 * Random changes of brightness, contrast, saturation and hue, in this order.
 *
 * @param x - `[N, 3, H, W]`, float from 0 to 1; one channel will do without `saturation` and `hue`
 * @throws ValueError for an amount below 0, or a hue above 0.5
 */
export function colorJitter(
  x: Tensor,
  { brightness = 0, contrast = 0, saturation = 0, hue = 0, ...options }: ColorJitterOptions = {},
): Tensor {
  checkBatch('colorJitter', x);
  for (const [name, amount] of Object.entries({ brightness, contrast, saturation, hue })) {
    if (!(amount >= 0 && (name !== 'hue' || amount <= 0.5)))
      throw new ValueError(
        `colorJitter: ${name} is ${amount}. Give a number from 0 ${name === 'hue' ? 'to 0.5' : 'on'}.`,
      );
  }
  const around = (amount: number): Tensor => uniform(x, [Math.max(0, 1 - amount), 1 + amount], options);
  let y = x;
  if (brightness > 0) y = adjustBrightness(y, around(brightness));
  if (contrast > 0) y = adjustContrast(y, around(contrast));
  if (saturation > 0) y = adjustSaturation(y, around(saturation));
  return hue > 0 ? adjustHue(y, uniform(x, [-hue, hue], options)) : y;
}
