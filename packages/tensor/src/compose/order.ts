/** Orders and running totals: sorted values are gathered by their order, and a running total is a linear recurrence. */
import { checkAxis } from '../shape';
import type { Tensor } from '../tensor';

export function sorted(
  x: Tensor,
  axis: number,
  options?: { readonly descending?: boolean },
): { values: Tensor; indices: Tensor } {
  const at = checkAxis('sort', axis, x.rank);
  const indices = x.argsort(at, options);
  return { values: x.gather(at, indices), indices };
}

export function topK(x: Tensor, k: number, axis: number): { values: Tensor; indices: Tensor } {
  const at = checkAxis('topk', axis, x.rank);
  const indices = x.argtopk(at, k);
  return { values: x.gather(at, indices), indices };
}

const wide = (x: Tensor): Tensor => (x.dtype === 'bool' || x.dtype === 'u8' ? x.cast('i32') : x);

/** h_t = h_{t−1} + x_t */
export function cumulativeSum(x: Tensor, axis: number): Tensor {
  const terms = wide(x);
  const ones = terms.lt(terms).not().cast(terms.dtype); // nothing is less than itself, NaN and infinity neither
  return ones.linearScan(terms, axis);
}

/** h_t = x_t · h_{t−1}, from h = 1: the recurrence starts with factor 0 and term x_0. */
export function cumulativeProduct(x: Tensor, axis: number): Tensor {
  const at = checkAxis('cumprod', axis, x.rank);
  const factors = wide(x);
  if (factors.shape[at] === 0) return factors;
  const first = factors.narrow(at, 0, 1);
  const rest = factors.narrow(at, 1, factors.shape[at]! - 1);
  const zeros = (size: number): number[] => factors.shape.map((_, i) => (i === at ? size : 0));
  const a = rest.pad(zeros(1), zeros(0));
  const b = first.pad(zeros(0), zeros(factors.shape[at]! - 1));
  return a.linearScan(b, at);
}
