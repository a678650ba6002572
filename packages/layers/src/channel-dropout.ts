/** Dropout of whole channels: neighbouring positions say nearly the same, so that dropping single ones hides nothing. */
import { rand, ShapeError, showShape, type Tensor } from '@dl/tensor';
import { checkProbability, DropoutLayer, type DropoutOptions } from './dropout';

/**
 * Each channel of each sample is 0 with probability p, else divided by 1 − p.
 *
 * @param x - `[N, C, spatial…]`, float
 * @param p - default 0.5
 * @returns same shape and dtype
 * @throws ValueError if p is not from 0 to 1, ShapeError without channels
 * @see Tompson, Goroshin, Jain, LeCun & Bregler 2015, section 3.2
 */
export function channelDropout(x: Tensor, p = 0.5, { training = true, generator }: DropoutOptions = {}): Tensor {
  checkProbability(p);
  if (x.rank < 2)
    throw new ShapeError(`channelDropout: x is ${showShape(x.shape)}, but data is [N, C, spatial…]. Add the axes.`);
  if (!training || p === 0) return x;
  if (p === 1) return x.mul(0);
  const shape = x.shape.map((n, i) => (i < 2 ? n : 1));
  const kept = rand(shape, generator === undefined ? {} : { generator }).lt(1 - p);
  return x.mul(kept.cast(x.dtype).mul(1 / (1 - p)));
}

/** What the three ranks share. */
abstract class ChannelDropout extends DropoutLayer {
  protected override drop(x: Tensor, p: number, options: DropoutOptions): Tensor {
    return channelDropout(x, p, options);
  }
}

/** {@link channelDropout} of `[N, C, L]` while training. */
export class Dropout1d extends ChannelDropout {}

/** {@link channelDropout} of `[N, C, H, W]` while training: "spatial dropout". */
export class Dropout2d extends ChannelDropout {}

/** {@link channelDropout} of `[N, C, D, H, W]` while training. */
export class Dropout3d extends ChannelDropout {}
