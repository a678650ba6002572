/** The Gram matrix: which channels of a feature map go together, wherever in the image; the style of style transfer. */
import { ShapeError, showShape, type Tensor, ValueError } from '@dl/tensor';

export interface GramMatrixOptions {
  /** What the products are divided by: 1, H·W or C·H·W. Default 'none'. */
  readonly normalize?: 'none' | 'hw' | 'chw';
}

/**
 * Inner products of the channels of each image: G[i, j] = Σ_hw x[i, h, w] · x[j, h, w], divided as `normalize` says.
 *
 * @param x - `[N, C, H, W]`, float
 * @param options - `normalize`, default 'none'
 * @returns `[N, C, C]`
 * @throws ShapeError if `x` has not 4 axes
 * @throws ValueError for another `normalize`
 * @see Gatys, Ecker & Bethge 2016, eq. 3
 */
export function gramMatrix(x: Tensor, { normalize = 'none' }: GramMatrixOptions = {}): Tensor {
  if (x.rank !== 4)
    throw new ShapeError(`gramMatrix: x is ${showShape(x.shape)}, but feature maps have 4 axes. Give [N, C, H, W].`);
  const [N, C, H, W] = x.dims(4);
  const divisors = { none: 1, hw: H * W, chw: C * H * W };
  if (!Object.hasOwn(divisors, normalize))
    throw new ValueError(`gramMatrix: normalize '${String(normalize)}' is not known. Use 'none', 'hw' or 'chw'.`);
  const features = x.reshape([N, C, H * W]);
  return features.matmul(features.transpose()).mul(1 / Math.max(1, divisors[normalize]));
}
