/**
 * Gradients of the elementwise operations. At a kink: `abs` and `sign` take 0; two tensors that tie in `max` or `min`
 * take half each, and a number that ties takes all, so that relu has gradient 0 at 0. What is constant between jumps has
 * none. Where a factor would be 0 · ∞, the operand is replaced before the operation rather than the product after it, so
 * that no NaN comes back in the second order.
 */
import { type BinaryOp, isFloat, type Op, type OpAttributes, type Tensor } from '@dl/tensor';
import { type Cotangent, none, type Rule, type Step } from './rule';

type Operand = Tensor | number;
type Partial2<A, B> = (g: Tensor, a: A, b: B, y: Tensor) => Cotangent;

/** The rule of an operation of two operands, from the cotangent of each; an operand that is a number has none. */
function binary<O extends BinaryOp>(left: Partial2<Tensor, Operand>, right: Partial2<Operand, Tensor>): Rule<O> {
  return ({ attrs, x, y, g, wants }) => {
    const [p, q] = (attrs as OpAttributes['add']).operands;
    const a = p ?? x[0]!;
    const b = q ?? x[p === null ? 1 : 0]!;
    const cotangents: Cotangent[] = [];
    if (typeof a === 'object') cotangents.push(wants(0) ? left(g, a, b, y) : null);
    if (typeof b === 'object') cotangents.push(wants(cotangents.length) ? right(g, a, b, y) : null);
    return cotangents;
  };
}

/** ∂/∂a a^b = b · a^(b−1), and 0 for b = 0 whatever a is. */
function powBase(g: Tensor, a: Tensor, b: Operand): Cotangent {
  if (typeof b === 'object') {
    const base = a.eq(0).and(b.eq(0)).where(1, a);
    return g.mul(b.mul(base.pow(b.sub(1))));
  }
  if (b === 0) return null;
  return b === 1 ? g : g.mul((b === 2 ? a : a.pow(b - 1)).mul(b));
}

/** ∂/∂b a^b = a^b · log a, and 0 for a = 0 and b ≥ 0. */
function powExponent(g: Tensor, a: Operand, b: Tensor, y: Tensor): Tensor {
  if (typeof a === 'object') return g.mul(y.mul(a.eq(0).and(b.ge(0)).where(1, a).log()));
  if (a !== 0) return g.mul(y).mul(Math.log(a));
  return g.mul(b.lt(0).where(Number.NEGATIVE_INFINITY, b.mul(0)));
}

/** Whole for the smaller of two tensors, half where they tie; a number that ties leaves nothing. */
const smaller = (g: Tensor, own: Tensor, other: Operand): Tensor =>
  typeof other === 'number' ? own.lt(other).where(g, 0) : own.gt(other).where(0, own.eq(other).where(g.mul(0.5), g));

/** The same for the larger. It reads the result, which is stored more often than the operand. */
const larger = (g: Tensor, own: Tensor, other: Operand, y: Tensor): Tensor =>
  typeof other === 'number' ? y.gt(other).where(g, 0) : own.lt(other).where(0, own.eq(other).where(g.mul(0.5), g));

function where({ attrs, x, g, wants }: Step<'where'>): Cotangent[] {
  const cotangents: Cotangent[] = [null];
  const condition = x[0]!;
  const [, a, b] = attrs.operands;
  if (a === null) cotangents.push(wants(1) ? condition.where(g, 0) : null);
  if (b === null) cotangents.push(wants(cotangents.length) ? condition.where(0, g) : null);
  return cotangents;
}

export const elementwiseRules = {
  neg: ({ g }) => [g.neg()],
  abs: ({ g, x }) => [g.mul(x[0]!.sign())],
  sign: none,
  floor: none,
  ceil: none,
  round: none,
  sqrt: ({ g, y }) => [g.mul(0.5).div(y)],
  reciprocal: ({ g, y }) => [g.mul(y.square()).neg()],
  exp: ({ g, y }) => [g.mul(y)],
  log: ({ g, x }) => [g.div(x[0]!)],
  log1p: ({ g, x }) => [g.div(x[0]!.add(1))],
  expm1: ({ g, y }) => [g.mul(y.add(1))],
  sin: ({ g, x }) => [g.mul(x[0]!.cos())],
  cos: ({ g, x }) => [g.mul(x[0]!.sin()).neg()],
  tanh: ({ g, y }) => [g.mul(y.square().neg().add(1))],
  erf: ({ g, x }) => [
    g.mul(
      x[0]!
        .square()
        .neg()
        .exp()
        .mul(2 / Math.sqrt(Math.PI)),
    ),
  ],
  cast: ({ g, x }) => [isFloat(x[0]!.dtype) ? g.cast(x[0]!.dtype) : null],
  bitcast: none,
  not: none,

  add: binary(
    (g) => g,
    (g) => g,
  ),
  mul: binary(
    (g, _, b) => g.mul(b),
    (g, a) => g.mul(a),
  ),
  div: binary(
    (g, _, b) => g.div(b),
    (g, _, b, y) => g.mul(y).div(b).neg(),
  ),
  // a mod b = a − floor(a / b) · b, and (a − y) / b is that floor up to rounding.
  mod: binary(
    (g) => g,
    (g, a, b, y) => g.mul(y.neg().add(a).div(b).round()).neg(),
  ),
  pow: binary(powBase, powExponent),
  max: binary(larger, (g, a, b, y) => larger(g, b, a, y)),
  min: binary(smaller, (g, a, b) => smaller(g, b, a)),
  eq: none,
  lt: none,
  and: none,
  or: none,
  xor: none,
  shl: none,
  shr: none,
  where,
} as const satisfies { readonly [O in Op]?: Rule<O> };
