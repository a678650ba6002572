/** Elementwise operations of the reference vectors, by the methods of `Tensor`. */
import { acos, asin, atan, atan2, cosh, fmod, isInf, lerp, logAddExp, sinh, type Tensor } from '@dl/tensor';
import { type GoldenCall, type GoldenOp, type GoldenOps } from './call';

/** A method of two operands, `a` and `b`. */
const two =
  (apply: (a: Tensor, b: Tensor) => Tensor): GoldenOp =>
  ({ a, b }) =>
    apply(a, b);

/** A method of one operand. */
const one =
  (apply: (x: Tensor) => Tensor): GoldenOp =>
  ({ x }) =>
    apply(x);

const divide = ({ a, b }: GoldenCall, mode: string): Tensor => {
  if (mode === 'floor') return a.floorDivide(b);
  if (mode === 'trunc') return a.div(b).trunc().cast(a.dtype);
  return a.div(b);
};

/** A limit of `clamp`; one that is not given is infinite. */
const limit = (call: GoldenCall, name: string, side: 1 | -1): number =>
  call.has(name) ? call.number(name) : side * Number.POSITIVE_INFINITY;

export const elementwiseOps: GoldenOps = {
  add: two((a, b) => a.add(b)),
  sub: two((a, b) => a.sub(b)),
  mul: two((a, b) => a.mul(b)),
  div: (call) => divide(call, call.text('rounding_mode')),
  maximum: two((a, b) => a.maximum(b)),
  minimum: two((a, b) => a.minimum(b)),
  pow: (call) => call.a.pow(call.has('exponent') ? call.number('exponent') : call.b),
  atan2: two(atan2),
  logaddexp: two(logAddExp),
  exp: one((x) => x.exp()),
  tanh: one((x) => x.tanh()),
  neg: one((x) => x.neg()),
  abs: one((x) => x.abs()),
  log: one((x) => x.log()),
  log2: one((x) => x.log2()),
  log10: one((x) => x.log10()),
  log1p: one((x) => x.log1p()),
  expm1: one((x) => x.expm1()),
  sqrt: one((x) => x.sqrt()),
  rsqrt: one((x) => x.rsqrt()),
  square: one((x) => x.square()),
  reciprocal: one((x) => x.reciprocal()),
  sin: one((x) => x.sin()),
  cos: one((x) => x.cos()),
  tan: one((x) => x.tan()),
  asin: one(asin),
  acos: one(acos),
  atan: one(atan),
  sinh: one(sinh),
  cosh: one(cosh),
  sigmoid: one((x) => x.sigmoid()),
  erf: one((x) => x.erf()),
  floor: one((x) => x.floor()),
  ceil: one((x) => x.ceil()),
  round: one((x) => x.round()),
  trunc: one((x) => x.trunc()),
  sign: one((x) => x.sign()),
  isnan: one((x) => x.isNaN()),
  isinf: one(isInf),
  isfinite: one((x) => x.isFinite()),
  clamp: (call) => call.x.clamp(limit(call, 'min', -1), limit(call, 'max', 1)),
  where: (call) => call.input('condition').where(call.a, call.b),
  lerp: (call) => lerp(call.a, call.b, call.input('weight')),
  cast: (call) => call.x.cast(call.text('dtype') === 'int32' ? 'i32' : call.text('dtype') === 'bool' ? 'bool' : 'f32'),
  remainder: two((a, b) => a.mod(b)),
  fmod: two(fmod),
  eq: two((a, b) => a.eq(b)),
  ne: two((a, b) => a.ne(b)),
  lt: two((a, b) => a.lt(b)),
  le: two((a, b) => a.le(b)),
  gt: two((a, b) => a.gt(b)),
  ge: two((a, b) => a.ge(b)),
  logical_and: two((a, b) => a.and(b)),
  logical_or: two((a, b) => a.or(b)),
  logical_xor: two((a, b) => a.xor(b)),
  logical_not: one((x) => x.not()),
};
