/*
 * The cases of x^y that no formula gives, for both float types: C99 annex F.9.4.4.
 *
 * They differ from JavaScript in two: 1^NaN and (±1)^(±∞) are 1, as in NumPy and PyTorch.
 */

import { bits32, bits64, type FloatLane, type Splat, splat, type Vec, type VectorEmitter } from './vector';

const SIGN = { f32x4: bits32(-0x80000000), f64x2: bits64(-(1n << 63n)) } as const satisfies Record<FloatLane, Splat>;

/** Operands of a power and |x|^y, right where |x| is neither 0 nor infinite. */
export interface Power {
  readonly x: Vec;
  readonly y: Vec;
  readonly magnitude: Vec;
}

/** x^y out of |x|^y: zeros, infinities, NaN, and the sign for a negative base. */
export function powSpecialCases(v: VectorEmitter, lane: FloatLane, { x, y, magnitude }: Power): Vec {
  return v.scope(() => {
    const a = v.op(`${lane}.abs`, x);
    const isZero = v.op(`${lane}.eq`, a, 0);
    const isInfinite = v.op(`${lane}.eq`, a, Infinity);
    const vanishes = v.op('v128.xor', isInfinite, v.op(`${lane}.gt`, y, 0)); // 0^positive, ∞^negative
    const limit = v.op('v128.andnot', splat(lane, Infinity), vanishes);
    const extreme = v.op('v128.or', isZero, isInfinite);
    const size = v.select(extreme, limit, magnitude);

    const isInteger = v.op(`${lane}.eq`, v.op(`${lane}.trunc`, y), y);
    const half = v.op(`${lane}.mul`, y, 0.5);
    const isOdd = v.op('v128.andnot', isInteger, v.op(`${lane}.eq`, v.op(`${lane}.trunc`, half), half));
    const signed = v.op('v128.or', size, v.op('v128.and', v.op('v128.and', x, SIGN[lane]), isOdd));

    const noRoot = v.op('v128.andnot', v.op('v128.andnot', v.op(`${lane}.lt`, x, 0), isInteger), isInfinite);
    const unordered = v.op('v128.or', v.op(`${lane}.ne`, x, x), v.op(`${lane}.ne`, y, y));
    const result = v.op('v128.or', signed, v.op('v128.or', noRoot, unordered)); // all ones is a NaN
    const isOne = v.op('v128.or', v.op(`${lane}.eq`, x, 1), v.op(`${lane}.eq`, y, 0));
    return v.select(isOne, splat(lane, 1), result);
  });
}
