/*
 * Integer division, remainders, whole powers and shifts by counts that differ between lanes: SIMD128 has none of them.
 * Division goes through f64, where the quotient of two 32-bit integers truncates to the exact one.
 */
import type { PlainOp } from '../wasm/function-builder';
import { bits32, type Vec, type VectorEmitter } from '../wasm/vector';

/** The truncated quotient of two lanes at a time; anything where the divisor is 0. */
function quotientVia64(v: VectorEmitter, x: Vec, y: Vec, sign: 's' | 'u'): Vec {
  const convert: PlainOp = `f64x2.convert_low_i32x4_${sign}`;
  const half = (high: boolean): Vec => {
    const part = (w: Vec) => v.op(convert, high ? v.shuffle32(w, w, [2, 3, 2, 3]) : w);
    return v.op(`i32x4.trunc_sat_f64x2_${sign}_zero`, v.op('f64x2.div', part(x), part(y)));
  };
  return v.shuffle32(half(false), half(true), [0, 1, 4, 5]);
}

const unlessZero = (v: VectorEmitter, y: Vec, value: Vec): Vec =>
  v.op('v128.and', value, v.op('i32x4.ne', y, bits32(0)));

/** Truncating division; 0 where the divisor is 0; −2^31 / −1 wraps. */
export const divInteger = (v: VectorEmitter, x: Vec, y: Vec): Vec =>
  v.scope(() => {
    const wraps = v.op('i32x4.eq', y, bits32(-1));
    const quotient = v.select(wraps, v.op('i32x4.neg', x), quotientVia64(v, x, y, 's'));
    return unlessZero(v, y, quotient);
  });

export const divUnsigned = (v: VectorEmitter, x: Vec, y: Vec): Vec =>
  v.scope(() => unlessZero(v, y, quotientVia64(v, x, y, 'u')));

/** The remainder with the sign of the divisor; 0 where the divisor is 0. */
export const modInteger = (v: VectorEmitter, x: Vec, y: Vec): Vec =>
  v.scope(() => {
    const rest = v.op('i32x4.sub', x, v.op('i32x4.mul', quotientVia64(v, x, y, 's'), y));
    const wrong = v.op('i32x4.lt_s', v.op('v128.xor', rest, y), bits32(0));
    const adjust = v.op('v128.and', v.op('v128.and', wrong, v.op('i32x4.ne', rest, bits32(0))), y);
    const result = v.op('i32x4.add', rest, adjust);
    // −2^31 mod −1: the quotient saturates.
    return v.op('v128.andnot', unlessZero(v, y, result), v.op('i32x4.eq', y, bits32(-1)));
  });

export const modUnsigned = (v: VectorEmitter, x: Vec, y: Vec): Vec =>
  v.scope(() => unlessZero(v, y, v.op('i32x4.sub', x, v.op('i32x4.mul', quotientVia64(v, x, y, 'u'), y))));

export const isPowerOfTwo = (x: number | undefined): x is number =>
  x !== undefined && Number.isInteger(Math.log2(x)) && x >= 1 && x < 2 ** 31;

/** Truncating division by a power of two, or the remainder, by shifts. */
export const byPowerOfTwo = (
  v: VectorEmitter,
  op: 'div' | 'mod',
  { x, divisor, signed }: { x: Vec; divisor: number; signed: boolean },
): Vec => {
  if (op === 'mod') return v.op('v128.and', x, bits32(divisor - 1));
  const bits = Math.log2(divisor);
  if (!signed) return v.shift('i32x4.shr_u', x, bits);
  // Negative numbers round towards zero.
  return v.scope(() => {
    const bias = v.op('v128.and', v.shift('i32x4.shr_s', x, 31), bits32(divisor - 1));
    return v.shift('i32x4.shr_s', v.op('i32x4.add', x, bias), bits);
  });
};

/** x^y by squaring, for y read as unsigned. */
export const powUnsigned = (v: VectorEmitter, x: Vec, y: Vec): Vec =>
  v.scope(() => {
    const { f } = v;
    const copy = (w: Vec) => v.fill((at) => f.get(w[at]!));
    const set = (to: Vec, from: Vec) => to.forEach((local, at) => f.get(from[at]!).set(local));
    const base = copy(x);
    const rest = copy(y);
    const result = v.fill(() => v.constants.splat(f, 'i32x4', 1));
    f.loop((again) => {
      v.scope(() => {
        const odd = v.op('i32x4.ne', v.op('v128.and', rest, bits32(1)), bits32(0));
        set(result, v.select(odd, v.op('i32x4.mul', result, base), result));
        set(base, v.op('i32x4.mul', base, base));
        set(rest, v.shift('i32x4.shr_u', rest, 1));
        return odd;
      });
      rest.forEach((local, at) => {
        f.get(local);
        if (at > 0) f.op('v128.or');
      });
      f.op('v128.any_true').brIf(again);
    });
    return result;
  });

/** x^y; a negative exponent gives what truncating 1 / x^−y gives. */
export const powInteger = (v: VectorEmitter, x: Vec, y: Vec): Vec =>
  v.scope(() => {
    const positive = powUnsigned(v, x, v.op('i32x4.max_s', y, bits32(0)));
    const odd = v.op('i32x4.ne', v.op('v128.and', y, bits32(1)), bits32(0));
    const minusOne = v.op('v128.and', v.op('i32x4.eq', x, bits32(-1)), v.select(odd, bits32(-1), bits32(1)));
    const one = v.op('v128.and', v.op('i32x4.eq', x, bits32(1)), bits32(1));
    return v.select(v.op('i32x4.lt_s', y, bits32(0)), v.op('v128.or', one, minusOne), positive);
  });

/** Shifts of each lane by a count of its own, modulo 32. */
export const shift =
  (name: 'shl' | 'shr_s' | 'shr_u') =>
  (v: VectorEmitter, x: Vec, y: Vec): Vec => {
    const { f } = v;
    return v.fill((at) => {
      f.get(x[at]!);
      for (let lane = 0; lane < 4; lane++) {
        f.get(x[at]!).lane('i32x4.extract_lane', lane).get(y[at]!).lane('i32x4.extract_lane', lane);
        f.op(`i32.${name}`).lane('i32x4.replace_lane', lane);
      }
    });
  };
