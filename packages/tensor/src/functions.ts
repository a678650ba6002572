/** Functions of tensors that are no methods: compositions that name several operands, or that few programs need. */
import { einsumOf } from './compose/einsum';
import { type PadMode, padMode } from './compose/pad-modes';
import { selections } from './compose/select';
import { iota } from './creation';
import { binary, type Operand, trueDivide, where as whereNodes } from './ops/elementwise';
import { concat, type KeepDims, Tensor, type TensorLike } from './tensor';

export type { PadMode } from './compose/pad-modes';
export { acos, asin, atan, atan2 } from './compose/trigonometry';
export { fold, type Sliding, slidingWindows, unfold } from './compose/windows';

const selection = selections({ iota, concat });
/** Elements up to the k-th diagonal above the main one; zeros beyond. k: default 0. */
export const tril = selection.tril;
/** Elements from the k-th diagonal on; zeros before. k: default 0. */
export const triu = selection.triu;
/** The k-th diagonal of the plane of two axes (default the first two), as a last axis. */
export const diagonal = selection.diagonal;
/** Elements moved on by `shifts` along the axes; what leaves comes in at the other end. Without axes, of the flattened tensor. */
export const roll = selection.roll;
/** `value` where the mask holds, else x. */
export const maskedFill = selection.maskedFill;
/** One axis moved to another place. */
export const moveAxis = selection.moveAxis;
/** x with the slices of `source` added along an axis, at the places that the indices name. */
export const indexAdd = selection.indexAdd;

const operand = (x: TensorLike): Operand => (x instanceof Tensor ? x.node : x);

/** a + b; here and below, the same as the method, with a number on either side. */
export const add = (a: TensorLike, b: TensorLike): Tensor => new Tensor(binary('add', operand(a), operand(b)));
/** a − b */
export const sub = (a: TensorLike, b: TensorLike): Tensor =>
  new Tensor(binary('add', operand(a), b instanceof Tensor ? b.neg().node : -Number(b), 'sub'));
/** a · b */
export const mul = (a: TensorLike, b: TensorLike): Tensor => new Tensor(binary('mul', operand(a), operand(b)));
/** a / b; of integers f32. */
export const div = (a: TensorLike, b: TensorLike): Tensor => new Tensor(trueDivide(operand(a), operand(b)));
/** a to the power of b. */
export const pow = (a: TensorLike, b: TensorLike): Tensor => new Tensor(binary('pow', operand(a), operand(b)));
/** The larger of two; NaN if either is. */
export const maximum = (a: TensorLike, b: TensorLike): Tensor =>
  new Tensor(binary('max', operand(a), operand(b), 'maximum'));
/** The smaller of two; NaN if either is. */
export const minimum = (a: TensorLike, b: TensorLike): Tensor =>
  new Tensor(binary('min', operand(a), operand(b), 'minimum'));
/** a where the condition holds, else b. */
export const where = (condition: Tensor, a: TensorLike, b: TensorLike): Tensor =>
  new Tensor(whereNodes(condition.node, operand(a), operand(b)));
/** Matrix product of the last two axes; axes before are batches, which broadcast. */
export const matmul = (a: Tensor, b: Tensor): Tensor => a.matmul(b);

/**
 * Einstein's summation, such as `einsum('bij,bjk->bik', a, b)`. Without `->`, the labels that occur once, in alphabetical order.
 *
 * @throws ShapeError if a label has two sizes; ValueError if the equation does not name the operands
 */
export const einsum = (equation: string, ...operands: readonly Tensor[]): Tensor =>
  einsumOf(equation, operands, diagonal);

/** a[i] · b[j] */
export const outer = (a: Tensor, b: Tensor): Tensor =>
  a.dot(b, { lhsBatch: [], rhsBatch: [], lhsContract: [], rhsContract: [] });

/** beta · input + alpha · (a @ b) */
export const addmm = (
  input: Tensor,
  a: Tensor,
  b: Tensor,
  { alpha = 1, beta = 1 }: { readonly alpha?: number; readonly beta?: number } = {},
): Tensor => a.matmul(b).mul(alpha).add(input.mul(beta));

/** Sum of the main diagonal. */
export const trace = (x: Tensor): Tensor => diagonal(x).sum(-1);

/**
 * Pads the last axes by [before, after] pairs, the first pair for the first of them.
 *
 * @param mode - `constant` (with `value`; negative amounts crop), `reflect`, `replicate` or `circular`
 */
export const padWith = (
  x: Tensor,
  amounts: readonly (readonly [number, number])[],
  { mode = 'constant', value = 0 }: { readonly mode?: PadMode; readonly value?: number } = {},
): Tensor => padMode(x, amounts, mode, value, concat);

/** log(e^a + e^b) without overflow. */
export function logAddExp(a: Tensor, b: Tensor): Tensor {
  const difference = a.sub(b).abs().neg();
  const equalInfinities = a.eq(b);
  return a.maximum(b).add(equalInfinities.where(Math.LN2, difference.exp().log1p()));
}

/** a + weight · (b − a) */
export const lerp = (a: Tensor, b: Tensor, weight: TensorLike): Tensor => a.add(b.sub(a).mul(weight));

/** Remainder with the sign of the dividend. */
export function fmod(a: Tensor, b: TensorLike): Tensor {
  const divisor = b instanceof Tensor ? b.abs() : Math.abs(Number(b));
  const magnitude = a.abs().mod(divisor);
  return a.lt(0).where(magnitude.neg(), magnitude);
}

/** (Σ |x|^p)^(1/p); the largest |x| for p = ∞, the count of what is not 0 for p = 0. */
export function norm(x: Tensor, p: number, axes?: number | readonly number[], options?: KeepDims): Tensor {
  if (p === Number.POSITIVE_INFINITY) return x.abs().max(axes, options);
  if (p === 0) return x.ne(0).cast(x.dtype).sum(axes, options);
  if (p === 1) return x.abs().sum(axes, options);
  if (p === 2) return x.norm(axes, options);
  const powers = x.abs().pow(p).sum(axes, options);
  const isZero = powers.eq(0); // a root has no slope at 0; the norm's gradient is 0 there
  return isZero.where(0, isZero.where(1, powers).pow(1 / p));
}

/** How many elements are not 0: i32. */
export const countNonzero = (x: Tensor, axes?: number | readonly number[], options?: KeepDims): Tensor =>
  x.ne(0).cast('i32').sum(axes, options);

/** (e^x − e^−x) / 2, through expm1, which keeps small x exact. */
export function sinh(x: Tensor): Tensor {
  const e = x.expm1();
  return e.add(e.div(e.add(1))).mul(0.5);
}

/** (e^x + e^−x) / 2 */
export const cosh = (x: Tensor): Tensor => x.exp().add(x.neg().exp()).mul(0.5);

/** Whether an element is ∞ or −∞. */
export const isInf = (x: Tensor): Tensor => x.abs().eq(Number.POSITIVE_INFINITY);
