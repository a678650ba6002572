/** Normalisations over the last axes: layer normalisation, and the one by the root mean square alone. */
import { full, type Shape, ShapeError, sameShape, showShape, type Tensor } from '@dl/tensor';
import { Module } from '../module';
import { Parameter } from '../parameter';
import { range, standardized } from './standardize';

export interface LayerNormFunctionOptions {
  /** A factor for each element of the normalised axes. */
  readonly weight?: Tensor | null;
  /** Added to each element of the normalised axes. */
  readonly bias?: Tensor | null;
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
}

export interface RmsNormFunctionOptions {
  /** A factor for each element of the normalised axes. */
  readonly weight?: Tensor | null;
  /** Added to the mean square. Default: the distance from 1 to the next number of the dtype, as in PyTorch. */
  readonly eps?: number;
}

/** The axes that a trailing shape names. */
function lastAxes(
  operation: string,
  x: Tensor,
  normalizedShape: Shape,
  factors: Readonly<Record<string, Tensor | null | undefined>>,
): number[] {
  const start = x.rank - normalizedShape.length;
  if (normalizedShape.length === 0 || start < 0 || !sameShape(x.shape.slice(start), normalizedShape)) {
    throw new ShapeError(
      `${operation}: the last axes of x ${showShape(x.shape)} are not ${showShape(normalizedShape)}. Give the shape that x ends with.`,
    );
  }
  for (const [name, factor] of Object.entries(factors)) {
    if (factor && !sameShape(factor.shape, normalizedShape))
      throw new ShapeError(
        `${operation}: ${name} is ${showShape(factor.shape)}, but the normalised shape is ${showShape(normalizedShape)}. Give both one shape.`,
      );
  }
  return range(start, x.rank);
}

/**
 * Scales each row to zero mean and unit variance over the last axes.
 * y = (x − mean) / √(var + eps) · weight + bias, with the biased variance.
 *
 * @param x - `[..., normalizedShape…]`, float
 * @param normalizedShape - the sizes of the axes that are normalised together
 * @returns same shape and dtype as `x`
 * @throws ShapeError if `x` does not end with `normalizedShape`
 * @see Ba, Kiros & Hinton 2016, eq. 3
 */
export function layerNorm(
  x: Tensor,
  normalizedShape: Shape,
  { weight, bias, eps = 1e-5 }: LayerNormFunctionOptions = {},
): Tensor {
  const axes = lastAxes('layerNorm', x, normalizedShape, { weight, bias });
  const y = standardized(x, axes, eps);
  const scaled = weight ? y.mul(weight) : y;
  return bias ? scaled.add(bias) : scaled;
}

/** The distance from 1 to the next number. */
const epsilonOf = (x: Tensor): number => (x.dtype === 'f64' ? 2 ** -52 : 2 ** -23);

/**
 * Divides each row by its root mean square over the last axes.
 * y = x / √(mean(x²) + eps) · weight
 *
 * @param x - `[..., normalizedShape…]`, float
 * @param normalizedShape - the sizes of the axes that are normalised together
 * @returns same shape and dtype as `x`
 * @throws ShapeError if `x` does not end with `normalizedShape`
 * @see Zhang & Sennrich 2019, eq. 4
 */
export function rmsNorm(
  x: Tensor,
  normalizedShape: Shape,
  { weight, eps = epsilonOf(x) }: RmsNormFunctionOptions = {},
): Tensor {
  const axes = lastAxes('rmsNorm', x, normalizedShape, { weight });
  const y = x.mul(x.square().mean(axes, { keepDims: true }).add(eps).rsqrt());
  return weight ? y.mul(weight) : y;
}

export interface RmsNormOptions {
  /** Added to the mean square. Default: the distance from 1 to the next number of the dtype, as in PyTorch. */
  readonly eps?: number;
  /** Whether `weight` is learned. Default true. */
  readonly elementwiseAffine?: boolean;
  /** f32 (the default) or f64. */
  readonly dtype?: 'f32' | 'f64';
}

export interface LayerNormOptions extends RmsNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Whether `bias` is learned along with `weight`. Default true. */
  readonly bias?: boolean;
}

const shapeOf = (shape: number | Shape): readonly number[] => (typeof shape === 'number' ? [shape] : [...shape]);

/**
 * {@link layerNorm} as a layer. Parameters `weight` and `bias`, both of the normalised shape.
 *
 * @example
 * const norm = new LayerNorm(512); // over the last axis of [B, T, 512]
 */
export class LayerNorm extends Module {
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly normalizedShape: Shape;
  readonly eps: number;

  /** @param normalizedShape - the shape that the data ends with; a number for the last axis alone */
  constructor(normalizedShape: number | Shape, options: LayerNormOptions = {}) {
    super();
    const { eps = 1e-5, elementwiseAffine = true, bias = true, dtype = 'f32' } = options;
    const shape = shapeOf(normalizedShape);
    this.normalizedShape = shape;
    this.eps = eps;
    this.weight = elementwiseAffine ? new Parameter(full(shape, 1, dtype), { name: 'LayerNorm.weight' }) : null;
    this.bias = elementwiseAffine && bias ? new Parameter(full(shape, 0, dtype), { name: 'LayerNorm.bias' }) : null;
  }

  forward(x: Tensor): Tensor {
    const { weight, bias, eps } = this;
    return layerNorm(x, this.normalizedShape, { weight, bias, eps });
  }
}

/** {@link rmsNorm} as a layer. Parameter `weight` of the normalised shape. */
export class RMSNorm extends Module {
  readonly weight: Parameter | null;
  readonly normalizedShape: Shape;
  readonly eps: number | undefined;

  /** @param normalizedShape - the shape that the data ends with; a number for the last axis alone */
  constructor(normalizedShape: number | Shape, options: RmsNormOptions = {}) {
    super();
    const { eps, elementwiseAffine = true, dtype = 'f32' } = options;
    const shape = shapeOf(normalizedShape);
    this.normalizedShape = shape;
    this.eps = eps;
    this.weight = elementwiseAffine ? new Parameter(full(shape, 1, dtype), { name: 'RMSNorm.weight' }) : null;
  }

  forward(x: Tensor): Tensor {
    const { weight, eps } = this;
    return rmsNorm(x, this.normalizedShape, eps === undefined ? { weight } : { weight, eps });
  }
}
