/**
 * Orthogonal matrices, uniformly distributed: a product of Householder reflections with random directions. The product
 * is kept as I − V·T·Vᵀ, so that it costs a few matrix products and not one pass a column; T is the inverse of a
 * triangle, by halves.
 */
import { concat, diagonal, eye, randn, ShapeError, showShape, type Tensor, tril, triu, zerosLike } from '@dl/tensor';
import type { GainOptions } from './init';

/** A direction shorter than this is one by chance of the random numbers, and would have no direction. */
const SHORTEST = 1e-12;

/**
 * A weight whose rows are orthogonal and of length `gain`; whose columns are, if it has fewer columns than rows. The
 * axes after the first are joined. Every such matrix is equally likely.
 *
 * @param shape - at least two axes, `[out, in, kernel…]`
 * @throws ShapeError for fewer than two axes
 * @see Saxe, McClelland & Ganguli 2014; Stewart 1980, section 3; Schreiber & Van Loan 1989 for I − V·T·Vᵀ
 */
export function orthogonal(shape: readonly number[], { gain = 1, ...options }: GainOptions = {}): Tensor {
  const [rows, ...rest] = shape;
  if (rows === undefined || rest.length === 0)
    throw new ShapeError(
      `orthogonal: a matrix has at least two axes, but the shape is ${showShape(shape)}. Use normal.`,
    );
  const columns = rest.reduce((n, k) => n * k, 1);
  const [tall, narrow] = [Math.max(rows, columns), Math.min(rows, columns)];
  if (narrow === 0) return randn(shape, options);
  const q = reflected(tril(randn([tall, narrow], options)));
  return (rows < columns ? q.transpose() : q).mul(gain).reshape(shape);
}

/** The first columns of the product of the reflections that bring each column of a lower triangle to its diagonal. */
function reflected(lower: Tensor): Tensor {
  const [tall, narrow] = lower.dims(2);
  const identity = eye(tall, narrow, lower.dtype);
  const side = lower.mul(identity).sum(0).lt(0).where(-1, 1).cast(lower.dtype); // [narrow]
  const length = lower.norm(0).maximum(SHORTEST);
  const directions = lower.add(identity.mul(side.mul(length)));
  const v = directions.div(directions.norm(0));
  const inverseT = triu(v.transpose().matmul(v), 1).add(eye(narrow, narrow, lower.dtype).mul(0.5));
  const t = inverseTriangle(inverseT);
  const top = v.narrow(0, 0, narrow).transpose();
  return identity.sub(v.matmul(t.matmul(top))).mul(side.neg());
}

/**
 * The inverse of an upper triangle: of its diagonal elements, then of blocks of twice the size from two inverses and the
 * block between them, [[A, B], [0, C]]⁻¹ = [[A⁻¹, −A⁻¹·B·C⁻¹], [0, C⁻¹]].
 */
function inverseTriangle(x: Tensor): Tensor {
  const n = x.shape[0]!;
  const size = 2 ** Math.ceil(Math.log2(n));
  const beyond = eye(size, size, x.dtype).sub(eye(n, n, x.dtype).pad([0, 0], [size - n, size - n]));
  const whole = x.pad([0, 0], [size - n, size - n]).add(beyond);
  let inverses = diagonal(whole).reciprocal().reshape([size, 1, 1]);
  for (let b = 1; b < size; b *= 2) {
    const blocks = size / (2 * b);
    const squares = diagonal(whole.reshape([blocks, 2 * b, blocks, 2 * b]), 0, 0, 2).permute([2, 0, 1]); // [blocks, 2b, 2b]
    const between = squares.narrow(1, 0, b).narrow(2, b, b);
    const pairs = inverses.reshape([blocks, 2, b, b]);
    const a = pairs.narrow(1, 0, 1).squeeze(1);
    const c = pairs.narrow(1, 1, 1).squeeze(1);
    const corner = a.matmul(between).matmul(c).neg();
    inverses = concat([concat([a, corner], 2), concat([zerosLike(c), c], 2)], 1);
  }
  return inverses.reshape([size, size]).narrow(0, 0, n).narrow(1, 0, n);
}
