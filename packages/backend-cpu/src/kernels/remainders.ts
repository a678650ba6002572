/*
 * Remainders of floats with the sign of the divisor, exact. In f32 both operands go to f64, where the floored quotient times
 * the divisor has no rounding as long as the quotient has 29 bits; a block with a larger one, an infinity or NaN asks the
 * host for every lane, as f64 always does.
 */
import type { Local } from '../wasm/assembler';
import { bits32, splat, type Vec, type VectorEmitter } from '../wasm/vector';
import type { Vectors } from './values';

const exactBelow = 2 ** 29;

/** x − ⌊x / y⌋ · y of two lanes at a time, and where that is exact. */
function remainderOf(v: VectorEmitter, x: Vec, y: Vec): { readonly rest: Vec; readonly exact: Vec } {
  const quotient = v.op('f64x2.floor', v.op('f64x2.div', x, y));
  const near = v.nmadd('f64x2', quotient, y, x);
  // A quotient that was rounded up to a whole number is one too large.
  const over = v.op('f64x2.lt', v.op('f64x2.mul', near, y), 0);
  const rest = v.op('f64x2.add', near, v.op('v128.and', y, over));
  const small = v.op('f64x2.lt', v.op('f64x2.abs', quotient), exactBelow);
  return { rest, exact: v.op('v128.and', small, v.op('f64x2.eq', rest, rest)) };
}

/** Puts the host's remainder in each of two or four lanes. */
function hostLanes({ f, target }: Vectors, lane: 'f32x4' | 'f64x2', reg: Local, [x, y]: readonly [Local, Local]): void {
  f.get(reg);
  for (let i = 0; i < (lane === 'f64x2' ? 2 : 4); i++) {
    for (const operand of [x, y]) {
      f.get(operand).lane(`${lane}.extract_lane`, i);
      if (lane === 'f32x4') f.op('f64.promote_f32');
    }
    f.call(target.mod);
    if (lane === 'f32x4') f.op('f32.demote_f64');
    f.lane(`${lane}.replace_lane`, i);
  }
  f.set(reg);
}

export function modF64(vectors: Vectors, x: Vec, y: Vec): Vec {
  const regs = vectors.width(x.length).fill((at) => vectors.f.get(x[at]!));
  regs.forEach((reg, at) => hostLanes(vectors, 'f64x2', reg, [x[at]!, y[at]!]));
  return regs;
}

export function modF32(vectors: Vectors, x: Vec, y: Vec): Vec {
  const { f } = vectors;
  const v = vectors.width(x.length);
  const inexact = f.borrowAll('v128', x.length);
  const regs = v.scope(() => {
    const part = (w: Vec, high: boolean) => v.op('f64x2.promote_low_f32x4', high ? v.shuffle32(w, w, [2, 3, 2, 3]) : w);
    const [low, high] = [false, true].map((upper) => remainderOf(v, part(x, upper), part(y, upper)));
    const [a, b] = [low!, high!].map(({ rest }) => v.op('f32x4.demote_f64x2_zero', rest));
    const joined = v.shuffle32(a!, b!, [0, 1, 4, 5]);
    const sign = v.op('v128.and', x, bits32(-0x80000000));
    const exact = v.op('v128.and', low!.exact, high!.exact);
    inexact.forEach((local, at) => f.get(exact[at]!).op('v128.not').set(local));
    // A remainder of zero has the sign of x.
    return v.op('v128.or', joined, v.op('v128.and', sign, v.op('f32x4.eq', joined, splat('f32x4', 0))));
  });
  inexact.forEach((local, at) => {
    f.get(local);
    if (at > 0) f.op('v128.or');
  });
  f.release(...inexact);
  f.op('v128.any_true').if(() => regs.forEach((reg, at) => hostLanes(vectors, 'f32x4', reg, [x[at]!, y[at]!])));
  return regs;
}
