/** First derivatives of images by 3 × 3 filters: Sobel, Prewitt and Scharr, and the strength of edges that they give. */
import { DTypeError, isFloat, ShapeError, showShape, type Tensor, tensor, ValueError } from '@dl/tensor';

/** How the filter across an edge, (−1, 0, 1), is smoothed along it. */
const smoothing = { sobel: [1, 2, 1], prewitt: [1, 1, 1], scharr: [3, 10, 3] } as const;
const across = [-1, 0, 1] as const;

/** Which filter: by its inventor's name. */
export type GradientKernel = keyof typeof smoothing;

export interface SpatialGradientOptions {
  /** Smoothing along the edge: Sobel (1, 2, 1), Prewitt (1, 1, 1), Scharr (3, 10, 3). Default 'sobel'. */
  readonly kernel?: GradientKernel;
  /** Zeros around the image, so that sizes stay, or none. Default 'zeros'. */
  readonly paddingMode?: 'zeros' | 'none';
  /** Under the root of the magnitude, which has no gradient at 0. Default 1e-6. */
  readonly eps?: number;
}

export interface SpatialGradient {
  /** Rising to the right. */
  readonly gx: Tensor;
  /** Rising downwards. */
  readonly gy: Tensor;
  readonly magnitude: Tensor;
}

/**
 * The derivatives of each channel: cross-correlations with Kx = smoothingᵀ · (−1, 0, 1) and Ky = Kxᵀ, without a scale;
 * magnitude = sqrt(gx² + gy² + eps).
 *
 * @param x - `[N, C, H, W]`, float
 * @param options - `kernel`, default 'sobel'; `paddingMode`, default 'zeros'; `eps`, default 1e-6
 * @returns `gx`, `gy` and `magnitude`, each `[N, C, H, W]`, or `[N, C, H − 2, W − 2]` without padding
 * @throws ShapeError if `x` has not 4 axes
 * @throws DTypeError if `x` is not a float
 * @throws ValueError for an unknown kernel or padding, or a negative eps
 * @see Scharr 2000, chapter 9; Prewitt 1970; Sobel & Feldman 1968
 */
export function spatialGradient(
  x: Tensor,
  { kernel = 'sobel', paddingMode = 'zeros', eps = 1e-6 }: SpatialGradientOptions = {},
): SpatialGradient {
  check(x, kernel, paddingMode, eps);
  const [N, C, H, W] = x.dims(4);
  const along = smoothing[kernel];
  const kx = along.flatMap((s) => across.map((d) => s * d));
  const ky = across.flatMap((d) => along.map((s) => s * d));
  const weight = tensor([...kx, ...ky], [2, 1, 3, 3], { dtype: x.dtype });
  const pad = paddingMode === 'zeros' ? 1 : 0;
  const both = x.reshape([N * C, 1, H, W]).convolution(weight, {
    stride: [1, 1],
    padding: [
      [pad, pad],
      [pad, pad],
    ],
    lhsDilation: [1, 1],
    rhsDilation: [1, 1],
    groups: 1,
  }); // [N · C, 2, H', W']
  const shape = [N, C, ...both.shape.slice(2)];
  const [gx, gy] = [both.narrow(1, 0, 1).reshape(shape), both.narrow(1, 1, 1).reshape(shape)];
  return { gx, gy, magnitude: gx.square().add(gy.square()).add(eps).sqrt() };
}

function check(x: Tensor, kernel: string, paddingMode: string, eps: number): void {
  if (x.rank !== 4)
    throw new ShapeError(`spatialGradient: x is ${showShape(x.shape)}, but images have 4 axes. Give [N, C, H, W].`);
  if (!isFloat(x.dtype))
    throw new DTypeError(
      `spatialGradient: x is ${x.dtype}, but derivatives have signs and fractions. Use cast('f32').`,
    );
  if (!Object.hasOwn(smoothing, kernel))
    throw new ValueError(`spatialGradient: kernel '${kernel}' is not known. Use 'sobel', 'prewitt' or 'scharr'.`);
  if (paddingMode !== 'zeros' && paddingMode !== 'none')
    throw new ValueError(`spatialGradient: paddingMode '${paddingMode}' is not known. Use 'zeros' or 'none'.`);
  if (!(eps >= 0)) throw new ValueError(`spatialGradient: eps ${eps} is below 0. Use 0 or a small number.`);
}
