/** Movements between channels and positions. Nothing is computed: all three are permutations of elements. */
import { ShapeError, showShape, type Tensor, ValueError } from '@dl/tensor';
import { Module } from './module';

/** [leading axes, C, H, W] of an image batch. */
function imageOf(operation: string, x: Tensor): [lead: readonly number[], C: number, H: number, W: number] {
  const [C, H, W] = x.shape.slice(-3);
  if (W === undefined)
    throw new ShapeError(`${operation}: x is ${showShape(x.shape)}, but images are [..., C, H, W]. Add the axes.`);
  return [x.shape.slice(0, -3), C!, H!, W];
}

/** The axes of the lead, then the given ones counted from its end. */
const after = (lead: readonly number[], order: readonly number[]): number[] => [
  ...lead.map((_, i) => i),
  ...order.map((axis) => axis + lead.length),
];

function checkFactor(operation: string, factor: number): void {
  if (!Number.isInteger(factor) || factor < 1)
    throw new ValueError(`${operation}: the factor is a whole number of at least 1, not ${factor}.`);
}

/**
 * Channels to positions: channel c·r² + dy·r + dx of pixel (y, x) becomes channel c of pixel (y·r + dy, x·r + dx).
 *
 * @param x - `[..., C·r², H, W]`
 * @param factor - r
 * @returns `[..., C, H·r, W·r]`
 * @throws ShapeError if r² does not divide the channels
 * @see Shi et al. 2016, eq. 4
 */
export function pixelShuffle(x: Tensor, factor: number): Tensor {
  checkFactor('pixelShuffle', factor);
  const [lead, C, H, W] = imageOf('pixelShuffle', x);
  if (C % factor ** 2 !== 0)
    throw new ShapeError(
      `pixelShuffle: x ${showShape(x.shape)} has ${C} channels, which ${factor}² = ${factor ** 2} does not divide. Choose another factor, or add channels.`,
    );
  const parts = x.reshape([...lead, C / factor ** 2, factor, factor, H, W]); // [..., C, dy, dx, H, W]
  return parts.permute(after(lead, [0, 3, 1, 4, 2])).reshape([...lead, C / factor ** 2, H * factor, W * factor]);
}

/**
 * Positions to channels: the inverse of {@link pixelShuffle}.
 *
 * @param x - `[..., C, H·r, W·r]`
 * @param factor - r
 * @returns `[..., C·r², H, W]`
 * @throws ShapeError if r does not divide height and width
 */
export function pixelUnshuffle(x: Tensor, factor: number): Tensor {
  checkFactor('pixelUnshuffle', factor);
  const [lead, C, H, W] = imageOf('pixelUnshuffle', x);
  if (H % factor !== 0 || W % factor !== 0)
    throw new ShapeError(
      `pixelUnshuffle: x ${showShape(x.shape)} is ${H} × ${W} pixels, which ${factor} does not divide. Crop or pad it.`,
    );
  const parts = x.reshape([...lead, C, H / factor, factor, W / factor, factor]); // [..., C, H, dy, W, dx]
  return parts.permute(after(lead, [0, 2, 4, 1, 3])).reshape([...lead, C * factor ** 2, H / factor, W / factor]);
}

/**
 * Mixes groups of channels: `[groups, C / groups]` becomes `[C / groups, groups]`, so that the next grouped convolution sees all.
 *
 * @param x - `[N, C, spatial…]`
 * @param groups - a divisor of C
 * @returns same shape as `x`
 * @throws ValueError if `groups` does not divide C
 * @see Zhang, Zhou, Lin & Sun 2018, section 3.1
 */
export function channelShuffle(x: Tensor, groups: number): Tensor {
  const [N, C, ...spatial] = x.shape;
  if (N === undefined || C === undefined)
    throw new ShapeError(`channelShuffle: x is ${showShape(x.shape)}, but data is [N, C, spatial…]. Add the axes.`);
  if (!Number.isInteger(groups) || groups < 1 || C % groups !== 0)
    throw new ValueError(
      `channelShuffle: ${groups} groups do not divide the ${C} channels of x ${showShape(x.shape)}. Choose a divisor.`,
    );
  return x
    .reshape([N, groups, C / groups, ...spatial])
    .transpose(1, 2)
    .reshape(x.shape);
}

/** {@link pixelShuffle} as a layer. */
export class PixelShuffle extends Module {
  constructor(readonly factor: number) {
    super();
    checkFactor('PixelShuffle', factor);
  }

  forward(x: Tensor): Tensor {
    return pixelShuffle(x, this.factor);
  }
}

/** {@link pixelUnshuffle} as a layer. */
export class PixelUnshuffle extends Module {
  constructor(readonly factor: number) {
    super();
    checkFactor('PixelUnshuffle', factor);
  }

  forward(x: Tensor): Tensor {
    return pixelUnshuffle(x, this.factor);
  }
}

/** {@link channelShuffle} as a layer. */
export class ChannelShuffle extends Module {
  constructor(readonly groups: number) {
    super();
  }

  forward(x: Tensor): Tensor {
    return channelShuffle(x, this.groups);
  }
}
