/** The matrix product with NumPy's rules, as one `dot`: batch axes that both operands have broadcast, others stay free. */
import { ShapeError } from '../errors';
import { broadcastShapes, type Shape, showShape } from '../shape';
import type { Tensor } from '../tensor';

function checkInner(a: Shape, b: Shape): void {
  if (a.length === 0 || b.length === 0) {
    throw new ShapeError(`matmul: a is ${showShape(a)}, b is ${showShape(b)}, but a scalar has no rows. Use mul.`);
  }
  const [m, n] = [a.at(-1)!, b.length === 1 ? b[0]! : b.at(-2)!];
  if (m === n) return;
  const hint =
    b.length >= 2 && b.at(-1) === m
      ? ' Did you mean b.transpose()?'
      : ' The last axis of a and the last but one of b must agree.';
  throw new ShapeError(`matmul: inner sizes differ: a is ${showShape(a)}, b is ${showShape(b)} (${m} ≠ ${n}).${hint}`);
}

/** Σ_k a[…, m, k] · b[…, k, n] */
export function matmul(a: Tensor, b: Tensor): Tensor {
  checkInner(a.shape, b.shape);
  if (b.rank === 1) return a.dot(b, { lhsBatch: [], rhsBatch: [], lhsContract: [a.rank - 1], rhsContract: [0] });
  if (a.rank === 1) return a.unsqueeze(0).matmul(b).squeeze(-2);
  if (b.rank === 2) return a.dot(b, { lhsBatch: [], rhsBatch: [], lhsContract: [a.rank - 1], rhsContract: [0] });
  const batch = broadcastShapes('matmul', a.shape.slice(0, -2), b.shape.slice(0, -2));
  const axes = batch.map((_, i) => i);
  const [x, y] = [a.expand([...batch, ...a.shape.slice(-2)]), b.expand([...batch, ...b.shape.slice(-2)])];
  return x.dot(y, { lhsBatch: axes, rhsBatch: axes, lhsContract: [batch.length + 1], rhsContract: [batch.length] });
}
