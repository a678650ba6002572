/*
 * Elementary functions on f64x2, accurate to a few ulp.
 *
 * They serve computations in float64 and gradient checks, so they take the plain, exact route: argument reduction and
 * polynomials of FreeBSD's msun (fdlibm) for exp, log, sin and cos, own Chebyshev fits for erf. A power needs its
 * logarithm to 64 bits and more, which it keeps as an unevaluated sum of two doubles. No step relies on fused
 * multiply-add being fused. Accuracy is asserted in transcendental.test.ts.
 */

import { powSpecialCases } from './pow';
import { bits64, splat, type Vec, type VectorEmitter } from './vector';

/** Adding 1.5·2^52 rounds to an integer, which then stands in the low bits. */
const ROUND = 6755399441055744;
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;
const ONE = bits64(0x3ff0000000000000n);
const SIGN = bits64(-(1n << 63n));
const MANTISSA = bits64((1n << 52n) - 1n);
const SQRT_HALF = bits64(0x3fe6a09e667f3bcdn);
const EXP = [
  4.1381367970572385e-8, -1.6533902205465252e-6, 6.613756321437934e-5, -0.0027777777777015593, 0.16666666666666602,
];
const LOG = [
  0.14798198605116586, 0.15313837699209373, 0.1818357216161805, 0.22222198432149784, 0.2857142874366239,
  0.3999999999940942, 0.6666666666666735,
];
const SIN = [
  1.58969099521155e-10, -2.5050760253406863e-8, 2.7557313707070068e-6, -0.0001984126982985795, 0.00833333333332249,
];
const SIN_CUBIC = -0.16666666666666632;
const COS = [
  -1.1359647557788195e-11, 2.087572321298175e-9, -2.7557314351390663e-7, 2.480158728947673e-5, -0.001388888888887411,
  0.0416666666666666,
];
/** π/2 in parts of 33 bits, and the rest. */
const HALF_PI = [1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21] as const;
const HALF_PI_REST = 8.4784276603689e-32;
/** (log((1 + s) / (1 − s)) − 2s − ⅔s³) / s⁵ in s². */
const ATANH = [
  0.10762291418628644, 0.10456341945425285, 0.11766812466114947, 0.13333296549572363, 0.15384615760977463,
  0.18181818179658246, 0.22222222222228424, 0.28571428571428564, 0.4,
];
/** erf(x) / x − 1 in x², for |x| ≤ 1. */
const ERF_SMALL = [
  5.957176147748911e-11, -1.1372848856791674e-9, 1.4659775274047436e-8, -1.6350312701054695e-7, 1.6461000484121368e-6,
  -1.4925595266831182e-5, 0.0001205533111164271, -0.000854832698083379, 0.0052239776248180145, -0.026866170645076792,
  0.11283791670954879, -0.3761263890318375, 0.1283791670955126,
];
/** e^(x²)·erfc(x) in (x − 2) / (x + 2), for 1 ≤ x ≤ 6. */
const ERFC_SCALED = [
  -1.1352571477273627e-6, 1.272567661840228e-6, 4.011749647325067e-6, 1.3058577122278017e-6, -1.3998283772784976e-5,
  -2.7562209161129353e-5, 2.7527175557227246e-5, 0.00017435947400205157, 4.355558686575482e-5, -0.0009819769411038642,
  -0.00084714325299195, 0.006997461736971578, 0.0037328924043978336, -0.07897858101570611, 0.24165819424246585,
  -0.4271858474139585, 0.25539567631050575,
];

function clamp(v: VectorEmitter, x: Vec, low: number, high: number): Vec {
  return v.op('f64x2.pmax', v.op('f64x2.pmin', x, high), low); // in this order NaN passes
}

/** The reduced argument of an exponential: x = n·ln 2 + high − low, and n in the low bits of `rounded`. */
interface ReducedExponent {
  readonly rounded: Vec;
  readonly high: Vec;
  readonly low: Vec;
}

function splitExponent(v: VectorEmitter, x: Vec, tail?: Vec): ReducedExponent {
  const rounded = v.op('f64x2.add', v.op('f64x2.mul', x, Math.LOG2E), ROUND);
  const n = v.op('f64x2.sub', rounded, ROUND);
  const high = v.op('f64x2.sub', x, v.op('f64x2.mul', n, LN2_HIGH));
  const low = v.op('f64x2.mul', n, LN2_LOW);
  return { rounded, high, low: tail === undefined ? low : v.op('f64x2.sub', low, tail) };
}

/** e^r − 1 for r = high − low, |r| ≤ ln 2 / 2. */
function expm1Reduced(v: VectorEmitter, { high, low }: ReducedExponent): Vec {
  const r = v.op('f64x2.sub', high, low);
  const square = v.op('f64x2.mul', r, r);
  const c = v.op('f64x2.sub', r, v.op('f64x2.mul', square, v.polynomial('f64x2', square, EXP)));
  const quotient = v.op('f64x2.div', v.op('f64x2.mul', r, c), v.op('f64x2.sub', splat('f64x2', 2), c));
  return v.op('f64x2.sub', high, v.op('f64x2.sub', low, quotient));
}

/** e^(x + tail) with |tail| far below |x|. Below −1418 both factors of 2^n are zeros, as far below in f32. */
function expOfSum(v: VectorEmitter, x: Vec, tail?: Vec): Vec {
  const reduced = splitExponent(v, clamp(v, x, -1418, 710), tail);
  const fraction = v.op('f64x2.add', expm1Reduced(v, reduced), 1);
  // 2^n in two factors, because n reaches from −2046 to 1025.
  const half = v.shift('i64x2.shr_u', reduced.rounded, 1);
  const rest = v.op('i64x2.sub', reduced.rounded, half);
  const first = v.op('i64x2.add', v.shift('i64x2.shl', half, 52), ONE);
  const second = v.op('i64x2.add', v.shift('i64x2.shl', rest, 52), ONE);
  return v.op('f64x2.mul', v.op('f64x2.mul', fraction, first), second);
}

/** e^x. Overflows to Infinity, underflows through the denormals to 0. */
export function exp(v: VectorEmitter, x: Vec): Vec {
  return v.scope(() => expOfSum(v, x));
}

/** e^x − 1 without cancellation near 0. */
export function expm1(v: VectorEmitter, x: Vec): Vec {
  return v.scope(() => {
    const reduced = splitExponent(v, clamp(v, x, -40, 709.79));
    // Half of 2^n, because n reaches 1024.
    const scale = v.op('i64x2.add', v.shift('i64x2.shl', reduced.rounded, 52), bits64(0x3fe0000000000000n));
    const half = v.madd('f64x2', scale, expm1Reduced(v, reduced), v.op('f64x2.sub', scale, 0.5));
    return v.op('v128.or', v.op('f64x2.add', half, half), v.op('v128.and', x, SIGN));
  });
}

/** Finite x > 0 as 2^e·m with m between √½ and √2. */
function splitFloat(v: VectorEmitter, x: Vec): { readonly e: Vec; readonly m: Vec } {
  const denormal = v.op('f64x2.lt', x, 2.2250738585072014e-308);
  const scaled = v.select(denormal, v.op('f64x2.mul', x, 2 ** 54), x);
  const offset = v.op('i64x2.sub', scaled, SQRT_HALF);
  const upper = v.shift('i32x4.shr_s', v.shuffle32(offset, offset, [1, 3, 1, 3]), 20);
  const exponent = v.op('f64x2.convert_low_i32x4_s', upper);
  const e = v.op('f64x2.sub', exponent, v.op('v128.and', denormal, splat('f64x2', 54)));
  return { e, m: v.op('i64x2.add', v.op('v128.and', offset, MANTISSA), SQRT_HALF) };
}

/** log x for finite x > 0, plus `correction`; anything else gives nonsense. */
function logFinite(v: VectorEmitter, x: Vec, correction?: Vec): Vec {
  const { e, m } = splitFloat(v, x);
  const f = v.op('f64x2.sub', m, 1);
  const s = v.op('f64x2.div', f, v.op('f64x2.add', f, 2));
  const z = v.op('f64x2.mul', s, s);
  const series = v.op('f64x2.mul', z, v.polynomial('f64x2', z, LOG));
  const halfSquare = v.op('f64x2.mul', v.op('f64x2.mul', f, f), 0.5);
  let low = v.op('f64x2.mul', e, LN2_LOW);
  if (correction !== undefined) low = v.op('f64x2.add', low, correction);
  const small = v.op('f64x2.add', v.op('f64x2.mul', s, v.op('f64x2.add', halfSquare, series)), low);
  const rest = v.op('f64x2.sub', v.op('f64x2.sub', halfSquare, small), f);
  return v.op('f64x2.sub', v.op('f64x2.mul', e, LN2_HIGH), rest);
}

/** Puts the logarithms of 0, ∞, negative numbers and NaN in place. */
function logSpecialCases(v: VectorEmitter, x: Vec, finite: Vec): Vec {
  const invalid = v.op('v128.not', v.op('f64x2.ge', x, 0));
  const checked = v.op('v128.or', finite, invalid); // all ones is a NaN
  const unbounded = v.select(v.op('f64x2.eq', x, Infinity), x, checked);
  return v.select(v.op('f64x2.eq', x, 0), splat('f64x2', -Infinity), unbounded);
}

/** Natural logarithm. log 0 = −∞; NaN below. */
export function log(v: VectorEmitter, x: Vec): Vec {
  return v.scope(() => logSpecialCases(v, x, logFinite(v, x)));
}

/** log(1 + x) without loss near 0. */
export function log1p(v: VectorEmitter, x: Vec): Vec {
  return v.scope(() => {
    const u = v.op('f64x2.add', x, 1);
    const lost = v.op('f64x2.sub', x, v.op('f64x2.sub', u, 1));
    const correction = v.op('f64x2.div', lost, u);
    const result = logSpecialCases(v, u, logFinite(v, u, correction));
    const tiny = v.op('f64x2.lt', v.op('f64x2.abs', x), 2 ** -54);
    return v.select(tiny, x, result);
  });
}

/** tanh x = t / (t + 2) with t = e^(2|x|) − 1, and the sign of x. */
export function tanh(v: VectorEmitter, x: Vec): Vec {
  return v.scope(() => {
    const a = v.op('f64x2.pmin', v.op('f64x2.abs', x), 22); // 1 from there
    const reduced = splitExponent(v, v.op('f64x2.add', a, a));
    const scale = v.op('i64x2.add', v.shift('i64x2.shl', reduced.rounded, 52), ONE);
    const t = v.madd('f64x2', scale, expm1Reduced(v, reduced), v.op('f64x2.sub', scale, 1));
    const result = v.op('f64x2.div', t, v.op('f64x2.add', t, 2));
    return v.op('v128.or', result, v.op('v128.and', x, SIGN));
  });
}

/** a − b as a rounded difference and what the rounding lost, for |a| ≥ |b|. */
function exactDifference(v: VectorEmitter, a: Vec, b: Vec): readonly [difference: Vec, lost: Vec] {
  const difference = v.op('f64x2.sub', a, b);
  return [difference, v.op('f64x2.sub', v.op('f64x2.sub', a, difference), b)];
}

/** sin(x + turn·π/2). */
function sine(v: VectorEmitter, x: Vec, turn: 0 | 1): Vec {
  const rounded = v.op('f64x2.add', v.op('f64x2.mul', x, 2 / Math.PI), ROUND);
  const n = v.op('f64x2.sub', rounded, ROUND);
  const first = v.op('f64x2.sub', x, v.op('f64x2.mul', n, HALF_PI[0]));
  const [second, lost] = exactDifference(v, first, v.op('f64x2.mul', n, HALF_PI[1]));
  const [third, lostAgain] = exactDifference(v, second, v.op('f64x2.mul', n, HALF_PI[2]));
  const rest = v.op('f64x2.sub', v.op('f64x2.add', lost, lostAgain), v.op('f64x2.mul', n, HALF_PI_REST));
  const r = v.op('f64x2.add', third, rest);
  const tail = v.op('f64x2.add', v.op('f64x2.sub', third, r), rest);

  const quadrant = turn === 0 ? rounded : v.op('i64x2.add', rounded, turn);
  const odd = v.op('i64x2.eq', v.op('v128.and', quadrant, bits64(1n)), 1);
  const sign = v.shift('i64x2.shl', v.op('v128.and', quadrant, bits64(2n)), 62);
  return v.op('v128.xor', v.select(odd, cosReduced(v, r, tail), sinReduced(v, r, tail)), sign);
}

/** sin(r + tail) for |r| ≤ π/4. */
function sinReduced(v: VectorEmitter, r: Vec, tail: Vec): Vec {
  const z = v.op('f64x2.mul', r, r);
  const cube = v.op('f64x2.mul', z, r);
  const series = v.op('f64x2.mul', cube, v.polynomial('f64x2', z, SIN));
  const inner = v.op('f64x2.sub', v.op('f64x2.mul', tail, 0.5), series);
  const shifted = v.op('f64x2.sub', v.op('f64x2.mul', z, inner), tail);
  return v.op('f64x2.sub', r, v.op('f64x2.sub', shifted, v.op('f64x2.mul', cube, SIN_CUBIC)));
}

/** cos(r + tail) for |r| ≤ π/4. */
function cosReduced(v: VectorEmitter, r: Vec, tail: Vec): Vec {
  const z = v.op('f64x2.mul', r, r);
  const half = v.op('f64x2.mul', z, 0.5);
  const w = v.op('f64x2.sub', splat('f64x2', 1), half);
  const lost = v.op('f64x2.sub', v.op('f64x2.sub', splat('f64x2', 1), w), half);
  const series = v.op('f64x2.mul', v.op('f64x2.mul', z, z), v.polynomial('f64x2', z, COS));
  const rest = v.op('f64x2.sub', series, v.op('f64x2.mul', r, tail));
  return v.op('f64x2.add', w, v.op('f64x2.add', lost, rest));
}

/** Sine, accurate for |x| ≤ 1.6e6; beyond, the reduction loses the phase gradually. NaN at ±∞. */
export function sin(v: VectorEmitter, x: Vec): Vec {
  return v.scope(() => {
    const tiny = v.op('f64x2.lt', v.op('f64x2.abs', x), 2 ** -27); // keeps −0
    return v.select(tiny, x, sine(v, x, 0));
  });
}

/** Cosine, accurate for |x| ≤ 1.6e6 as `sin`. */
export function cos(v: VectorEmitter, x: Vec): Vec {
  return v.scope(() => sine(v, x, 1));
}

/** The error function: a polynomial up to 1, 1 − e^(−x²)·p above. */
export function erf(v: VectorEmitter, x: Vec): Vec {
  return v.scope(() => {
    const a = v.op('f64x2.pmin', v.op('f64x2.abs', x), 6); // 1 from 5.93
    const square = v.op('f64x2.mul', x, x);
    const small = v.madd('f64x2', v.polynomial('f64x2', square, ERF_SMALL), x, x);
    const t = v.op('f64x2.div', v.op('f64x2.sub', a, 2), v.op('f64x2.add', a, 2));
    const decay = expOfSum(v, v.op('f64x2.neg', v.op('f64x2.mul', a, a)));
    const tail = v.op('f64x2.mul', decay, v.polynomial('f64x2', t, ERFC_SCALED));
    const above = v.op('f64x2.sub', splat('f64x2', 1), tail);
    const large = v.op('v128.or', above, v.op('v128.and', x, SIGN));
    return v.select(v.op('f64x2.gt', a, 1), large, small);
  });
}

/** An unevaluated sum of two doubles, the second below half an ulp of the first. */
type Pair = readonly [high: Vec, low: Vec];

function constant(v: VectorEmitter, value: number): Vec {
  return v.fill(() => v.constants.splat(v.f, 'f64x2', value));
}

/** a + b exactly, for |a| ≥ |b|. */
function fastSum(v: VectorEmitter, a: Vec, b: Vec): Pair {
  const sum = v.op('f64x2.add', a, b);
  return [sum, v.op('f64x2.sub', b, v.op('f64x2.sub', sum, a))];
}

/** a·b exactly (Dekker 1971), for factors below 2^996. */
function product(v: VectorEmitter, a: Vec, b: Vec): Pair {
  const halves = (x: Vec): Pair => {
    const scaled = v.op('f64x2.mul', x, 134217729);
    const high = v.op('f64x2.sub', scaled, v.op('f64x2.sub', scaled, x));
    return [high, v.op('f64x2.sub', x, high)];
  };
  const high = v.op('f64x2.mul', a, b);
  const [[a1, a2], [b1, b2]] = [halves(a), halves(b)];
  const e1 = v.op('f64x2.sub', v.op('f64x2.mul', a1, b1), high);
  const e2 = v.op('f64x2.add', e1, v.op('f64x2.mul', a1, b2));
  const e3 = v.op('f64x2.add', e2, v.op('f64x2.mul', a2, b1));
  return [high, v.op('f64x2.add', e3, v.op('f64x2.mul', a2, b2))];
}

function multiply(v: VectorEmitter, [a, aLow]: Pair, [b, bLow]: Pair): Pair {
  const [high, low] = product(v, a, b);
  const cross = v.op('f64x2.add', v.op('f64x2.mul', a, bLow), v.op('f64x2.mul', aLow, b));
  return fastSum(v, high, v.op('f64x2.add', low, cross));
}

/** a + b for |a| ≥ |b|. */
function add(v: VectorEmitter, [a, aLow]: Pair, [b, bLow]: Pair): Pair {
  const [high, low] = fastSum(v, a, b);
  return fastSum(v, high, v.op('f64x2.add', low, v.op('f64x2.add', aLow, bLow)));
}

/** log x for finite x > 0 with about 2^−66 of absolute error: log m = 2s + ⅔s³ + …, s = (m − 1) / (m + 1). */
function logPair(v: VectorEmitter, x: Vec): Pair {
  const { e, m } = splitFloat(v, x);
  const f = v.op('f64x2.sub', m, 1); // exact
  const [sum, sumLow] = fastSum(v, constant(v, 2), f);
  const s = v.op('f64x2.div', f, sum);
  const [back, backLow] = product(v, s, sum);
  const residue = v.op(
    'f64x2.sub',
    v.op('f64x2.sub', v.op('f64x2.sub', f, back), backLow),
    v.op('f64x2.mul', s, sumLow),
  );
  const quotient: Pair = [s, v.op('f64x2.div', residue, sum)];
  const square = multiply(v, quotient, quotient);
  const cube = multiply(v, square, quotient);
  const twoThirds: Pair = [constant(v, 0.6666666666666666), constant(v, 3.700743415417188e-17)];
  const third = multiply(v, cube, twoThirds);
  const z = square[0];
  const higher = v.op('f64x2.mul', v.op('f64x2.mul', cube[0], z), v.polynomial('f64x2', z, ATANH));
  const double: Pair = [v.op('f64x2.add', quotient[0], quotient[0]), v.op('f64x2.add', quotient[1], quotient[1])];
  const logM = add(v, double, fastSum(v, third[0], v.op('f64x2.add', third[1], higher)));
  const scaled: Pair = [v.op('f64x2.mul', e, LN2_HIGH), v.op('f64x2.mul', e, LN2_LOW)];
  return add(v, fastSum(v, ...scaled), logM);
}

/** x^y as C99: exact special cases, the logarithm and its product to more than double precision. */
export function pow(v: VectorEmitter, x: Vec, y: Vec): Vec {
  return v.scope(() => {
    const [log, logLow] = logPair(v, v.op('f64x2.abs', x));
    const bounded = clamp(v, y, -1e20, 1e20); // e^(bounded·log) is 0, 1 or ∞ well before
    const [power, powerLow] = product(v, bounded, log);
    const tail = v.op('f64x2.add', powerLow, v.op('f64x2.mul', bounded, logLow));
    const magnitude = expOfSum(v, power, clamp(v, tail, -1e-12, 1e-12));
    return powSpecialCases(v, 'f64x2', { x, y, magnitude });
  });
}
