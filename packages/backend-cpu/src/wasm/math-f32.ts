/*
 * Elementary functions on f32x4, accurate to about 2 ulp wherever the result is normal.
 *
 * Each reduces its argument to a short interval and evaluates a polynomial there. Reductions that would lose the
 * answer in single precision (the period of sine, the product in a power) are done in double. Denormal arguments and
 * results, infinities, NaN and signed zeros come out as IEEE 754 and C99 annex F ask. Coefficients: Cephes (exp, log,
 * sin, cos) and N. Juffa (erf). Accuracy is asserted in transcendental.test.ts.
 */

import type { Local } from './function-builder';
import { exp as exp64, log as log64 } from './math-f64';
import { powSpecialCases } from './pow';
import { bits32, splat, type Vec, type VectorEmitter } from './vector';

const LOG2_E = Math.LOG2E;
/** Adding 1.5·2^23 rounds to an integer, which then stands in the low bits. */
const ROUND = 12582912;
/** ln 2 in two parts; the first has 9 bits, so that its product with an exponent is exact. */
const LN2_HIGH = 0.693359375;
const LN2_LOW = -2.1219444e-4;
const ONE = bits32(0x3f800000);
const SIGN = bits32(-0x80000000);
/** (e^r − 1 − r) / r² for |r| ≤ ln 2 / 2. */
const EXP = [1.9890981e-4, 1.3933641e-3, 8.33331093e-3, 4.1666465e-2, 1.66666667e-1, 5.00000001e-1];
/** e^r for |r| ≤ ln 2 / 2, with an error of 0.05 ulp before rounding. */
const EXP_SHORT = [1.3814539e-3, 8.3687454e-3, 4.166839e-2, 1.6666521e-1, 4.9999994e-1, 1, 1];
const TWICE_EXP = EXP_SHORT.map((coefficient) => 2 * coefficient);
/** The bits of ROUND + n from which half of 2^n, times e^r, is normal: n = −125. */
const LEAST_NORMAL = 0x4b400000 - 125;
/** (log(1 + f) − f + f²/2) / f³ for 1 + f between √½ and √2. */
const LOG = [
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
  2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
];
const SIN = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1];
const COS = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2];
/** π/2 in two parts; the first has 27 bits. */
const HALF_PI_HIGH = 1.570796325802803;
const HALF_PI_LOW = 9.920935796805404e-10;
/** Adding 1.5·2^52 rounds a double to an integer. */
const ROUND64 = 6755399441055744;
const ERF_SMALL = [-5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1, 1.28379166e-1];

/** x = n·ln 2 + r: gives r, and `rounded`, whose low bits are those of n. */
function splitExponent(v: VectorEmitter, x: Vec): { readonly rounded: Vec; readonly r: Vec } {
  const rounded = v.madd('f32x4', x, LOG2_E, ROUND);
  const n = v.op('f32x4.sub', rounded, ROUND);
  const r = v.nmadd('f32x4', n, LN2_LOW, v.nmadd('f32x4', n, LN2_HIGH, x));
  return { rounded, r };
}

/** e^r − 1 for |r| ≤ ln 2 / 2. */
function expm1Reduced(v: VectorEmitter, r: Vec): Vec {
  return v.madd('f32x4', v.op('f32x4.mul', r, r), v.polynomial('f32x4', r, EXP), r);
}

function clamp(v: VectorEmitter, x: Vec, low: number, high: number): Vec {
  return v.op('f32x4.pmax', v.op('f32x4.pmin', x, high), low); // in this order NaN passes
}

/**
 * e^x. Overflows to Infinity, underflows through the denormals to 0. Half of 2^n, for n to reach 128, is one factor where all
 * results are normal; only elsewhere there are two.
 */
export function exp(v: VectorEmitter, x: Vec): Vec {
  return v.scope(() => {
    const { rounded, r } = splitExponent(v, clamp(v, x, -176, 89));
    const twice = v.polynomial('f32x4', r, TWICE_EXP);
    const scale = v.op('i32x4.add', v.shift('i32x4.shl', rounded, 23), bits32(0x3f000000));
    const result = v.op('f32x4.mul', twice, scale);
    const lowest = v.f.borrow('v128');
    rounded.forEach((local, at) => {
      v.f.get(local);
      if (at > 0) v.f.get(lowest).op('i32x4.min_s');
      v.f.set(lowest);
    });
    v.f.get(lowest);
    v.constants.splat(v.f, 'i32x4', LEAST_NORMAL);
    v.f
      .op('i32x4.lt_s')
      .op('v128.any_true')
      .if(() => {
        const small = v.scope(() => scaledTwice(v, v.op('f32x4.mul', twice, 0.5), rounded));
        small.forEach((local, at) => v.f.get(local).set(result[at] as Local));
      });
    v.f.release(lowest);
    return result;
  });
}

/**
 * x · 2^n in two factors; n is in the low bits of `rounded`, and reaches from −254 to 129. From −253 down the first is zero: a
 * product that underflows takes an Intel processor 150 cycles, and masked scores are −∞ by the thousand.
 */
function scaledTwice(v: VectorEmitter, x: Vec, rounded: Vec): Vec {
  // Factors, not sums of exponents, so that any NaN stays one.
  const half = v.shift('i32x4.shr_u', rounded, 1);
  const rest = v.op('i32x4.sub', rounded, half);
  const first = v.op('i32x4.add', v.shift('i32x4.shl', half, 23), ONE);
  const second = v.op('i32x4.add', v.shift('i32x4.shl', rest, 23), ONE);
  return v.op('f32x4.mul', v.op('f32x4.mul', x, first), second);
}

/** e^x − 1 without cancellation near 0. */
export function expm1(v: VectorEmitter, x: Vec): Vec {
  return v.scope(() => {
    const { rounded, r } = splitExponent(v, clamp(v, x, -18, 88.73));
    // Half of 2^n, because n reaches 128.
    const scale = v.op('i32x4.add', v.shift('i32x4.shl', rounded, 23), bits32(0x3f000000));
    const half = v.madd('f32x4', scale, expm1Reduced(v, r), v.op('f32x4.sub', scale, 0.5));
    return v.op('v128.or', v.op('f32x4.add', half, half), v.op('v128.and', x, SIGN));
  });
}

/** log x for finite x > 0, plus `correction`; anything else gives nonsense. */
function logFinite(v: VectorEmitter, x: Vec, correction?: Vec): Vec {
  const denormal = v.op('f32x4.lt', x, 1.1754943508222875e-38);
  const scaled = v.select(denormal, v.op('f32x4.mul', x, 8388608), x);
  const offset = v.op('i32x4.sub', scaled, bits32(0x3f3504f3)); // √½
  const exponent = v.op('f32x4.convert_i32x4_s', v.shift('i32x4.shr_s', offset, 23));
  const e = v.op('f32x4.sub', exponent, v.op('v128.and', denormal, splat('f32x4', 23)));
  const m = v.op('i32x4.add', v.op('v128.and', offset, bits32(0x007fffff)), bits32(0x3f3504f3));
  const f = v.op('f32x4.sub', m, 1);
  const square = v.op('f32x4.mul', f, f);
  const cubic = v.op('f32x4.mul', v.op('f32x4.mul', square, f), v.polynomial('f32x4', f, LOG));
  let tail = v.madd('f32x4', e, LN2_LOW, cubic);
  if (correction !== undefined) tail = v.op('f32x4.add', tail, correction);
  const sum = v.op('f32x4.add', f, v.nmadd('f32x4', square, 0.5, tail));
  return v.madd('f32x4', e, LN2_HIGH, sum);
}

/** Puts the logarithms of 0, ∞, negative numbers and NaN in place. */
function logSpecialCases(v: VectorEmitter, x: Vec, finite: Vec): Vec {
  const invalid = v.op('v128.not', v.op('f32x4.ge', x, 0));
  const checked = v.op('v128.or', finite, invalid); // all ones is a NaN
  const unbounded = v.select(v.op('f32x4.eq', x, Infinity), x, checked);
  return v.select(v.op('f32x4.eq', x, 0), splat('f32x4', -Infinity), unbounded);
}

/** Natural logarithm. log 0 = −∞; NaN below. */
export function log(v: VectorEmitter, x: Vec): Vec {
  return v.scope(() => logSpecialCases(v, x, logFinite(v, x)));
}

/** log(1 + x) without loss near 0. */
export function log1p(v: VectorEmitter, x: Vec): Vec {
  return v.scope(() => {
    const u = v.op('f32x4.add', x, 1);
    const lost = v.op('f32x4.sub', x, v.op('f32x4.sub', u, 1));
    const correction = v.op('f32x4.div', lost, u);
    const result = logSpecialCases(v, u, logFinite(v, u, correction));
    const tiny = v.op('f32x4.lt', v.op('f32x4.abs', x), 2 ** -25);
    return v.select(tiny, x, result);
  });
}

/** tanh x = t / (t + 2) with t = e^(2|x|) − 1, and the sign of x. */
export function tanh(v: VectorEmitter, x: Vec): Vec {
  return v.scope(() => {
    const a = v.op('f32x4.pmin', v.op('f32x4.abs', x), 9.1); // 1 from there
    const { rounded, r } = splitExponent(v, v.op('f32x4.add', a, a));
    const scale = v.op('i32x4.add', v.shift('i32x4.shl', rounded, 23), ONE);
    const t = v.madd('f32x4', scale, expm1Reduced(v, r), v.op('f32x4.sub', scale, 1));
    const result = v.op('f32x4.div', t, v.op('f32x4.add', t, 2));
    return v.op('v128.or', result, v.op('v128.and', x, SIGN));
  });
}

/** x = n·π/2 + r for two lanes of x in double: `rounded` holds n in its low bits. */
function splitQuadrant(v: VectorEmitter, x: Vec): { readonly rounded: Vec; readonly r: Vec } {
  const rounded = v.op('f64x2.add', v.op('f64x2.mul', x, 2 / Math.PI), ROUND64);
  const n = v.op('f64x2.sub', rounded, ROUND64);
  const r = v.nmadd('f64x2', n, HALF_PI_LOW, v.nmadd('f64x2', n, HALF_PI_HIGH, x));
  return { rounded, r };
}

/** sin(x + turn·π/2). */
function sine(v: VectorEmitter, x: Vec, turn: 0 | 1): Vec {
  const low = splitQuadrant(v, v.op('f64x2.promote_low_f32x4', x));
  const high = splitQuadrant(v, v.op('f64x2.promote_low_f32x4', v.shuffle32(x, x, [2, 3, 2, 3])));
  const r = joinDemoted(v, low.r, high.r);
  const n = v.shuffle32(low.rounded, high.rounded, [0, 2, 4, 6]);
  const quadrant = turn === 0 ? n : v.op('i32x4.add', n, turn);
  const square = v.op('f32x4.mul', r, r);
  const sin = v.madd('f32x4', v.op('f32x4.mul', r, square), v.polynomial('f32x4', square, SIN), r);
  const cosTail = v.op('f32x4.mul', v.op('f32x4.mul', square, square), v.polynomial('f32x4', square, COS));
  const cos = v.op('f32x4.add', v.nmadd('f32x4', square, 0.5, cosTail), 1);
  const odd = v.op('i32x4.eq', v.op('v128.and', quadrant, bits32(1)), 1);
  const sign = v.shift('i32x4.shl', v.op('v128.and', quadrant, bits32(2)), 30);
  return v.op('v128.xor', v.select(odd, cos, sin), sign);
}

function joinDemoted(v: VectorEmitter, low: Vec, high: Vec): Vec {
  const [a, b] = [v.op('f32x4.demote_f64x2_zero', low), v.op('f32x4.demote_f64x2_zero', high)];
  return v.shuffle32(a, b, [0, 1, 4, 5]);
}

/** Sine, accurate for |x| ≤ 1e8; beyond, the reduction loses the phase gradually. NaN at ±∞. */
export function sin(v: VectorEmitter, x: Vec): Vec {
  return v.scope(() => {
    const tiny = v.op('f32x4.lt', v.op('f32x4.abs', x), 1e-4); // keeps −0
    return v.select(tiny, x, sine(v, x, 0));
  });
}

/** Cosine, accurate for |x| ≤ 1e8 as `sin`. */
export function cos(v: VectorEmitter, x: Vec): Vec {
  return v.scope(() => sine(v, x, 1));
}

/** The error function: a polynomial below 0.93, 1 − e^(p(|x|)) above. */
export function erf(v: VectorEmitter, x: Vec): Vec {
  return v.scope(() => {
    const a = v.op('f32x4.abs', x);
    const square = v.op('f32x4.mul', x, x);
    const small = v.madd('f32x4', v.polynomial('f32x4', square, ERF_SMALL), x, x);
    const t = v.op('f32x4.pmin', a, 4); // 1 from 3.92
    const tail = [
      -1.7285347e-5, 3.83197126e-4, -3.88396438e-3, 2.42546219e-2, -1.06777877e-1, -6.34846687e-1, -1.28717512e-1,
    ];
    const exponent = v.op('f32x4.sub', v.op('f32x4.mul', v.polynomial('f32x4', t, tail), t), t);
    // What is taken from 1 is below 0.19, so ln 2 in one part will do.
    const rounded = v.madd('f32x4', exponent, LOG2_E, ROUND);
    const r = v.nmadd('f32x4', v.op('f32x4.sub', rounded, ROUND), Math.LN2, exponent);
    const scale = v.op('i32x4.add', v.shift('i32x4.shl', rounded, 23), ONE);
    const above = v.nmadd('f32x4', scale, v.polynomial('f32x4', r, EXP_SHORT), 1);
    const large = v.op('v128.or', above, v.op('v128.and', x, SIGN));
    return v.select(v.op('f32x4.gt', a, 0.927734375), large, small);
  });
}

/** x^y as C99: exact special cases, the logarithm and its product in double precision. */
export function pow(v: VectorEmitter, x: Vec, y: Vec): Vec {
  return v.scope(() => {
    const a = v.op('f32x4.abs', x);
    const bounded = clamp(v, y, -1e30, 1e30); // so that 1^∞ is not 0·∞
    const half = (high: boolean): Vec =>
      v.scope(() => {
        const part = (w: Vec) => v.op('f64x2.promote_low_f32x4', high ? v.shuffle32(w, w, [2, 3, 2, 3]) : w);
        return exp64(v, v.op('f64x2.mul', part(bounded), log64(v, part(a))));
      });
    return powSpecialCases(v, 'f32x4', { x, y, magnitude: joinDemoted(v, half(false), half(true)) });
  });
}
