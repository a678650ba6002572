/*
 * f16 between memory and arithmetic. In registers an f16 is its 16 bits in a lane of 32, so that moving it needs nothing but
 * loads and stores of two bytes; arithmetic is on f32, and these are the two conversions, by integer instructions, for
 * WebAssembly has none of its own. Both are exact but for the rounding to f16, which is to nearest, ties to even.
 */
import { bits32, splat, type Vec, type VectorEmitter } from '../wasm/vector';

/** f32 from the bits of f16: the exponent moves by a product with 2^112, which is right for subnormals too. */
export const fromHalf = (v: VectorEmitter, bits: Vec): Vec =>
  v.scope(() => {
    const size = v.op('v128.and', bits, bits32(0x7fff));
    const value = v.op('f32x4.mul', v.shift('i32x4.shl', size, 13), splat('f32x4', 2 ** 112));
    const special = v.op('v128.and', v.op('i32x4.gt_s', size, bits32(0x7bff)), bits32(0x7f800000));
    const sign = v.shift('i32x4.shl', v.op('v128.and', bits, bits32(0x8000)), 16);
    return v.op('v128.or', v.op('v128.or', value, special), sign);
  });

/**
 * The bits of the nearest f16. Below 2^−14 the sum with ½, whose last place is 2^−24, does the rounding; above, half of the last
 * place less one is added to the bits, and one more where the last place is odd.
 */
export const toHalf = (v: VectorEmitter, x: Vec): Vec =>
  v.scope(() => {
    const size = v.op('v128.and', x, bits32(0x7fffffff));
    const small = v.op('i32x4.sub', v.op('f32x4.add', size, splat('f32x4', 0.5)), bits32(0x3f000000));
    const odd = v.op('v128.and', v.shift('i32x4.shr_u', size, 13), bits32(1));
    const moved = v.op('i32x4.add', v.op('i32x4.add', size, odd), bits32(0xc8000fff | 0)); // exponent − 112, fraction + ½
    const rounded = v.select(v.op('i32x4.lt_s', size, bits32(0x38800000)), small, v.shift('i32x4.shr_u', moved, 13));
    const special = v.select(v.op('i32x4.gt_s', size, bits32(0x7f800000)), bits32(0x7e00), bits32(0x7c00));
    const whole = v.select(v.op('i32x4.gt_s', size, bits32(0x477fffff)), special, rounded);
    const sign = v.op('v128.and', v.shift('i32x4.shr_u', x, 16), bits32(0x8000));
    return v.op('v128.or', whole, sign);
  });
