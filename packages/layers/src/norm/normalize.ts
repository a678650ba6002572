/** Vectors of length 1, and weights written as a length and a direction. */
import { checkAxis, norm, ShapeError, sameShape, showShape, type Tensor, ValueError, withOnes } from '@dl/tensor';
import { range } from './standardize';

export interface NormalizeOptions {
  /** Which norm. Default 2. */
  readonly p?: number;
  /** The least norm that is divided by. Default 1e-12. */
  readonly eps?: number;
}

/**
 * Divides vectors by their norm: x / max(‖x‖ₚ, eps).
 *
 * @param x - any shape, float
 * @param axis - along which vectors lie. Default 1
 * @returns same shape and dtype as `x`; a zero vector stays one, with a finite gradient
 */
export function normalize(x: Tensor, axis = 1, { p = 2, eps = 1e-12 }: NormalizeOptions = {}): Tensor {
  if (!(p > 0)) throw new ValueError(`normalize: p is above 0, not ${p}.`);
  return x.div(norm(x, p, axis, { keepDims: true }).maximum(eps));
}

/**
 * A weight from its length and direction: v · g / ‖v‖, with one norm for each place along an axis.
 *
 * @param v - the direction, any shape
 * @param g - the lengths: the shape of `v` with every axis but `axis` of size 1
 * @param axis - which axis keeps its own norms; null for one norm of all. Default 0: each output of a layer
 * @returns the shape of `v`
 * @throws ShapeError if `g` does not have that shape
 * @see Salimans & Kingma 2016, eq. 2
 * @example
 * const y = linear(x, weightNorm(v, g), bias); // v [out, in], g [out, 1]
 */
export function weightNorm(v: Tensor, g: Tensor, axis: number | null = 0): Tensor {
  const kept = axis === null ? null : checkAxis('weightNorm', axis, v.rank);
  const others = range(0, v.rank).filter((i) => i !== kept);
  const expected = withOnes(v.shape, others);
  const given = axis === null && g.rank === 0 ? expected : g.shape;
  if (!sameShape(given, expected))
    throw new ShapeError(
      `weightNorm: g is ${showShape(g.shape)}, but v ${showShape(v.shape)} has norms ${showShape(expected)} beside axis ${axis}. Reshape g.`,
    );
  return v.mul(g.div(norm(v, 2, others, { keepDims: true })));
}
