/** The discrete cosine transform (DCT-II) along the last axis and its inverse, each one matrix product. */
import { type DType, DTypeError, isFloat, ShapeError, type Tensor, tensor, ValueError } from '@dl/tensor';

export interface DctOptions {
  /** 'ortho' makes the transform a rotation; null is twice the plain sum, as in SciPy. Default 'ortho'. */
  readonly norm?: 'ortho' | null;
}

export interface DctMatrixOptions extends DctOptions {
  /** Default 'f32'. */
  readonly dtype?: DType;
}

/** cos(π · (i + 1/2) · k / n) times a factor for k: [n, k]. */
function cosines(n: number, count: number, factor: (k: number) => number): Float64Array {
  const matrix = new Float64Array(n * count);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < count; k++) matrix[i * count + k] = factor(k) * Math.cos((Math.PI * (i + 0.5) * k) / n);
  }
  return matrix;
}

/** What the k-th coefficient of n values is multiplied by. */
const scale = (norm: 'ortho' | null, n: number, k: number): number =>
  norm === null ? 2 : Math.sqrt((k === 0 ? 1 : 2) / n);

function checkNorm(operation: string, norm: 'ortho' | null): void {
  if (norm !== 'ortho' && norm !== null)
    throw new ValueError(`${operation}: norm '${String(norm)}' is not known. Use 'ortho' or null.`);
}

/**
 * The matrix whose product with n values gives their first k coefficients: y = x @ dctMatrix(n, k),
 * y[k] = s_k · Σ_i x[i] · cos(π·(i + 1/2)·k / n), with s_0 = √(1/n) and s_k = √(2/n), or 2 without a norm.
 *
 * @param n - how many values
 * @param k - how many coefficients, at most n
 * @param options - `norm`, default 'ortho'; `dtype`, default f32
 * @returns `[n, k]`
 * @throws ValueError if n is no whole number above 0 or k is not one of 1 … n
 * @see Ahmed, Natarajan & Rao 1974, eq. 1
 */
export function dctMatrix(n: number, k: number, { norm = 'ortho', dtype = 'f32' }: DctMatrixOptions = {}): Tensor {
  checkNorm('dctMatrix', norm);
  if (!Number.isInteger(n) || !Number.isInteger(k) || n < 1 || k < 1 || k > n)
    throw new ValueError(`dctMatrix: ${k} coefficients of ${n} values. Give whole numbers, 1 ≤ k ≤ n.`);
  return tensor(
    cosines(n, k, (at) => scale(norm, n, at)),
    [n, k],
    { dtype },
  );
}

function checkAxis(operation: string, x: Tensor): number {
  if (x.rank === 0 || x.shape[x.rank - 1] === 0)
    throw new ShapeError(
      `${operation}: x is [${x.shape.join(', ')}], which has no values along its last axis. Give [..., n] with n of at least 1.`,
    );
  if (!isFloat(x.dtype))
    throw new DTypeError(`${operation}: x is ${x.dtype}, but cosines are fractions. Use cast('f32').`);
  return x.shape[x.rank - 1]!;
}

/**
 * The DCT-II along the last axis: y[k] = s_k · Σ_i x[i] · cos(π·(i + 1/2)·k / n).
 *
 * @param x - `[..., n]`, float
 * @param options - `norm`, default 'ortho'
 * @returns `[..., n]`
 * @throws ShapeError if there are no values along the last axis
 * @throws DTypeError if `x` is not a float
 */
export function dct(x: Tensor, { norm = 'ortho' }: DctOptions = {}): Tensor {
  checkNorm('dct', norm);
  const n = checkAxis('dct', x);
  return x.matmul(dctMatrix(n, n, { norm, dtype: x.dtype }));
}

/**
 * The inverse of `dct` of the same norm.
 *
 * @param y - `[..., n]`, float, all coefficients
 * @param options - `norm`, default 'ortho'
 * @returns `[..., n]`
 * @throws ShapeError if there are no coefficients along the last axis
 * @throws DTypeError if `y` is not a float
 */
export function idct(y: Tensor, { norm = 'ortho' }: DctOptions = {}): Tensor {
  checkNorm('idct', norm);
  const n = checkAxis('idct', y);
  // The ortho matrix is its own transpose's inverse; the plain one has columns of squared length 4n and 2n, …, 2n.
  const factor = (k: number): number => (norm === null ? (k === 0 ? 1 : 2) / (2 * n) : scale(norm, n, k));
  return y.matmul(tensor(cosines(n, n, factor), [n, n], { dtype: y.dtype }).transpose());
}
