/*
 * Elementwise instructions on registers: one row an operation, one column a kind of number. A row says how to compute;
 * what an operation means is written in @dl/tensor, graph/node.ts.
 */
import type { BinaryOp, DType, UnaryOp } from '@dl/tensor';
import type { PlainOp } from '../wasm/function-builder';
import * as f32 from '../wasm/math-f32';
import * as f64 from '../wasm/math-f64';
import { bits32, bits64, type FloatLane, type Vec, type VectorEmitter } from '../wasm/vector';
import { fromHalf, toHalf } from './half';
import {
  byPowerOfTwo,
  divInteger,
  divUnsigned,
  isPowerOfTwo,
  modInteger,
  modUnsigned,
  powInteger,
  powUnsigned,
  shift,
} from './integers';
import { emitPeriodic } from './periodic';
import { modF32, modF64 } from './remainders';
import { narrowMask, partsOf, splatOf, type Value, type Vectors, widenMask } from './values';

/** How registers are computed with: u8 as i32 with its low 8 bits kept, bool as masks; f16 is only cast. */
type Kind = 'f32' | 'f64' | 'i32' | 'u32' | 'u8' | 'bool';
type Emit1 = (v: VectorEmitter, x: Vec) => Vec;
type Emit2 = (v: VectorEmitter, x: Vec, y: Vec) => Vec;

const kindOf = (dtype: DType): Kind => (dtype === 'f16' ? 'f32' : dtype);

const op1 =
  (name: PlainOp): Emit1 =>
  (v, x) =>
    v.op(name, x);
const op2 =
  (name: PlainOp): Emit2 =>
  (v, x, y) =>
    v.op(name, x, y);
const same: Emit1 = (v, x) => v.fill((at) => v.f.get(x[at]!));
const byte =
  (emit: Emit2): Emit2 =>
  (v, x, y) =>
    v.scope(() => v.op('v128.and', emit(v, x, y), bits32(255)));

const signOf =
  (lane: 'f32x4' | 'f64x2'): Emit1 =>
  (v, x) =>
    v.scope(() => {
      const sign = lane === 'f32x4' ? bits32(-0x80000000) : bits64(-(1n << 63n));
      const one = v.op('v128.or', v.op('v128.and', x, sign), { lane, value: 1 });
      const nonzero = v.op(
        'v128.or',
        v.op(`${lane}.lt`, x, { lane, value: 0 }),
        v.op(`${lane}.gt`, x, { lane, value: 0 }),
      );
      return v.select(nonzero, one, x);
    });

const signedSign: Emit1 = (v, x) => v.scope(() => v.op('i32x4.max_s', v.op('i32x4.min_s', x, bits32(1)), bits32(-1)));
const unsignedSign: Emit1 = (v, x) => v.op('i32x4.min_u', x, bits32(1));

type UnaryRow = Partial<Record<Kind, Emit1>>;
const floats = (name: 'abs' | 'neg' | 'floor' | 'ceil' | 'nearest' | 'sqrt'): UnaryRow => ({
  f32: op1(`f32x4.${name}`),
  f64: op1(`f64x2.${name}`),
});
const whole: UnaryRow = { i32: same, u32: same, u8: same };

const unary = {
  neg: {
    ...floats('neg'),
    i32: op1('i32x4.neg'),
    u32: op1('i32x4.neg'),
    u8: (v, x) => v.scope(() => v.op('v128.and', v.op('i32x4.neg', x), bits32(255))),
  },
  abs: { ...floats('abs'), i32: op1('i32x4.abs'), u32: same, u8: same },
  sign: { f32: signOf('f32x4'), f64: signOf('f64x2'), i32: signedSign, u32: unsignedSign, u8: unsignedSign },
  floor: { ...floats('floor'), ...whole },
  ceil: { ...floats('ceil'), ...whole },
  round: { ...floats('nearest'), ...whole },
  sqrt: floats('sqrt'),
  reciprocal: { f32: (v, x) => v.op('f32x4.div', 1, x), f64: (v, x) => v.op('f64x2.div', 1, x) },
  exp: { f32: f32.exp, f64: f64.exp },
  log: { f32: f32.log, f64: f64.log },
  log1p: { f32: f32.log1p, f64: f64.log1p },
  expm1: { f32: f32.expm1, f64: f64.expm1 },
  sin: { f32: f32.sin, f64: f64.sin },
  cos: { f32: f32.cos, f64: f64.cos },
  tanh: { f32: f32.tanh, f64: f64.tanh },
  erf: { f32: f32.erf, f64: f64.erf },
  not: {
    i32: op1('v128.not'),
    u32: op1('v128.not'),
    bool: op1('v128.not'),
    u8: (v, x) => v.op('v128.xor', x, bits32(255)),
  },
} satisfies Record<UnaryOp, UnaryRow>;

type BinaryRow = Partial<Record<Kind, Emit2>>;
const bitwise = (name: 'v128.and' | 'v128.or' | 'v128.xor'): BinaryRow => ({
  i32: op2(name),
  u32: op2(name),
  u8: op2(name),
  bool: op2(name),
});
const and = op2('v128.and');
const or = op2('v128.or');

/**
 * The larger or the lesser, NaN if either is: `pmax(x, y)` keeps a NaN of x, and one of y is put in. These are three
 * instructions, where `max` and `min` come to nine on x86. Of two zeros it is x.
 */
const extreme =
  (lane: FloatLane, nearer: 'pmax' | 'pmin'): Emit2 =>
  (v, x, y) =>
    v.scope(() => v.op('v128.or', v.op(`${lane}.${nearer}`, x, y), v.op(`${lane}.ne`, y, y)));

const binary = {
  add: {
    f32: op2('f32x4.add'),
    f64: op2('f64x2.add'),
    i32: op2('i32x4.add'),
    u32: op2('i32x4.add'),
    u8: byte(op2('i32x4.add')),
    bool: or,
  },
  mul: {
    f32: op2('f32x4.mul'),
    f64: op2('f64x2.mul'),
    i32: op2('i32x4.mul'),
    u32: op2('i32x4.mul'),
    u8: byte(op2('i32x4.mul')),
    bool: and,
  },
  div: { f32: op2('f32x4.div'), f64: op2('f64x2.div'), i32: divInteger, u32: divUnsigned, u8: divUnsigned },
  mod: { i32: modInteger, u32: modUnsigned, u8: modUnsigned },
  pow: { f32: f32.pow, f64: f64.pow, i32: powInteger, u32: powUnsigned, u8: byte(powUnsigned) },
  max: {
    f32: extreme('f32x4', 'pmax'),
    f64: extreme('f64x2', 'pmax'),
    i32: op2('i32x4.max_s'),
    u32: op2('i32x4.max_u'),
    u8: op2('i32x4.max_u'),
    bool: or,
  },
  min: {
    f32: extreme('f32x4', 'pmin'),
    f64: extreme('f64x2', 'pmin'),
    i32: op2('i32x4.min_s'),
    u32: op2('i32x4.min_u'),
    u8: op2('i32x4.min_u'),
    bool: and,
  },
  eq: {
    f32: op2('f32x4.eq'),
    f64: op2('f64x2.eq'),
    i32: op2('i32x4.eq'),
    u32: op2('i32x4.eq'),
    u8: op2('i32x4.eq'),
    bool: op2('i32x4.eq'),
  },
  lt: {
    f32: op2('f32x4.lt'),
    f64: op2('f64x2.lt'),
    i32: op2('i32x4.lt_s'),
    u32: op2('i32x4.lt_u'),
    u8: op2('i32x4.lt_u'),
    bool: (v, x, y) => v.op('v128.andnot', y, x),
  },
  and: bitwise('v128.and'),
  or: bitwise('v128.or'),
  xor: bitwise('v128.xor'),
  shl: { i32: shift('shl'), u32: shift('shl'), u8: byte(shift('shl')) },
  shr: { i32: shift('shr_s'), u32: shift('shr_u'), u8: shift('shr_u') },
} satisfies Record<BinaryOp, BinaryRow>;

export const isUnary = (op: string): op is UnaryOp => Object.hasOwn(unary, op);
export const isBinary = (op: string): op is BinaryOp => Object.hasOwn(binary, op);

/** Whether there is an instruction for operands of a dtype. */
export function rendersElementwise(op: UnaryOp | BinaryOp, dtype: DType): boolean {
  if (dtype === 'f16') return false;
  if (op === 'mod' && (dtype === 'f32' || dtype === 'f64')) return true;
  const row: UnaryRow | BinaryRow = isUnary(op) ? unary[op] : binary[op];
  return row[kindOf(dtype)] !== undefined;
}

/** An operation of one operand. */
export function emitUnary(vectors: Vectors, op: UnaryOp, x: Value): Value {
  if (op === 'sin' || op === 'cos') return emitPeriodic(vectors, op, x);
  const row: UnaryRow = unary[op];
  const regs = row[kindOf(x.dtype)]!(vectors.width(x.regs.length), x.regs);
  return { dtype: x.dtype, uniform: x.uniform, regs };
}

const isNumber = (value: number | undefined): boolean => value !== undefined && !Number.isNaN(value);

/** An operation of two operands of one dtype; comparisons give bool. */
export function emitBinary(vectors: Vectors, op: BinaryOp, x: Value, y: Value): Value {
  const uniform = x.uniform && y.uniform;
  const count = Math.max(x.regs.length, y.regs.length, uniform ? 1 : 0);
  const [a, b] = [vectors.spread(x, count), vectors.spread(y, count)];
  const kind = kindOf(x.dtype);
  if ((op === 'div' || op === 'mod') && isPowerOfTwo(y.number) && kind !== 'f32' && kind !== 'f64') {
    const regs = byPowerOfTwo(vectors.width(count), op, { x: a, divisor: y.number, signed: kind === 'i32' });
    return { dtype: x.dtype, uniform, regs };
  }
  if (op === 'mod' && kind === 'f32') return { dtype: x.dtype, uniform, regs: modF32(vectors, a, b) };
  if (op === 'mod' && kind === 'f64') return { dtype: x.dtype, uniform, regs: modF64(vectors, a, b) };
  if ((op === 'max' || op === 'min') && (kind === 'f32' || kind === 'f64') && isNumber(y.number)) {
    const regs = vectors.width(count).op(`${kind === 'f32' ? 'f32x4' : 'f64x2'}.p${op}`, a, b);
    return { dtype: x.dtype, uniform, regs };
  }
  const row: BinaryRow = binary[op];
  const regs = row[kind]!(vectors.width(count), a, b);
  if (op !== 'eq' && op !== 'lt') return { dtype: x.dtype, uniform, regs };
  if (kind !== 'f64') return { dtype: 'bool', uniform, regs };
  const narrow = narrowMask(vectors, regs, uniform);
  vectors.f.release(...regs);
  return { dtype: 'bool', uniform, regs: narrow };
}

/** `a` where the mask holds, else `b`. */
export function emitWhere(vectors: Vectors, mask: Value, a: Value, b: Value): Value {
  const uniform = mask.uniform && a.uniform && b.uniform;
  const groups = Math.max(
    mask.regs.length,
    a.uniform ? 1 : a.regs.length / partsOf(a.dtype),
    b.uniform ? 1 : b.regs.length / partsOf(b.dtype),
  );
  const count = uniform ? 1 : groups * partsOf(a.dtype);
  const wide = a.dtype === 'f64' ? widenMask(vectors, mask) : mask.regs;
  const conditions = mask.uniform ? new Array(count).fill(wide[0]!) : wide;
  const regs = vectors.width(count).select(conditions, vectors.spread(a, count), vectors.spread(b, count));
  if (a.dtype === 'f64') vectors.f.release(...wide);
  return { dtype: a.dtype, uniform, regs };
}

/** f64 registers of a value of another kind; `convert` turns the two low lanes. */
function widen(vectors: Vectors, x: Value, convert: PlainOp): Value {
  const { f } = vectors;
  const count = x.uniform ? 1 : x.regs.length * 2;
  const regs = vectors.width(count).fill((at) => {
    const reg = x.regs[x.uniform ? 0 : at >> 1]!;
    f.get(reg);
    if (!x.uniform && at % 2 === 1) f.get(reg).shuffle32(2, 3, 2, 3);
    f.op(convert);
  });
  return { dtype: 'f64', uniform: x.uniform, regs };
}

/** One register a group from the two of f64; `convert` fills the two low lanes. */
function narrow(vectors: Vectors, x: Value, dtype: DType, convert: PlainOp): Value {
  const { f } = vectors;
  const count = x.uniform ? 1 : x.regs.length / 2;
  const regs = vectors.width(count).fill((at) => {
    f.get(x.regs[x.uniform ? 0 : 2 * at]!).op(convert);
    f.get(x.regs[x.uniform ? 0 : 2 * at + 1]!).op(convert);
    f.shuffle32(0, 1, 4, 5);
  });
  return { dtype, uniform: x.uniform, regs };
}

function toF64(vectors: Vectors, x: Value): Value {
  if (x.dtype === 'f32') return widen(vectors, x, 'f64x2.promote_low_f32x4');
  if (x.dtype === 'u32') return widen(vectors, x, 'f64x2.convert_low_i32x4_u');
  if (x.dtype !== 'bool') return widen(vectors, x, 'f64x2.convert_low_i32x4_s');
  const mask = widenMask(vectors, x);
  const regs = vectors.width(mask.length).op('v128.and', mask, splatOf('f64', 1));
  vectors.f.release(...mask);
  return { dtype: 'f64', uniform: x.uniform, regs };
}

function fromF64(vectors: Vectors, x: Value, dtype: DType): Value {
  if (dtype === 'f32') return narrow(vectors, x, dtype, 'f32x4.demote_f64x2_zero');
  if (dtype === 'bool') {
    const nonzero = vectors.width(x.regs.length).op('f64x2.ne', x.regs, 0);
    const regs = narrowMask(vectors, nonzero, x.uniform);
    vectors.f.release(...nonzero);
    return { dtype, uniform: x.uniform, regs };
  }
  const value = narrow(
    vectors,
    x,
    dtype,
    dtype === 'u32' ? 'i32x4.trunc_sat_f64x2_u_zero' : 'i32x4.trunc_sat_f64x2_s_zero',
  );
  return dtype === 'u8' ? clampByte(vectors, value) : value;
}

function clampByte(vectors: Vectors, x: Value): Value {
  const v = vectors.width(x.regs.length);
  const regs = v.scope(() => v.op('i32x4.min_s', v.op('i32x4.max_s', x.regs, bits32(0)), bits32(255)));
  vectors.release(x);
  return { dtype: x.dtype, uniform: x.uniform, regs };
}

/** Between f16 and others, by way of f32. */
function castHalf(vectors: Vectors, x: Value, dtype: DType): Value {
  const wide = x.dtype === 'f32' ? x : emitCast(vectors, x, 'f32');
  const regs = toHalf(vectors.width(wide.regs.length), wide.regs);
  if (wide !== x) vectors.release(wide);
  return { dtype, uniform: x.uniform, regs };
}

function fromHalfTo(vectors: Vectors, x: Value, dtype: DType): Value {
  const regs = fromHalf(vectors.width(x.regs.length), x.regs);
  const wide: Value = { dtype: 'f32', uniform: x.uniform, regs };
  if (dtype === 'f32') return wide;
  const value = emitCast(vectors, wide, dtype);
  vectors.release(wide);
  return value;
}

/** A value as another dtype. */
export function emitCast(vectors: Vectors, x: Value, dtype: DType): Value {
  const from = x.dtype;
  const v = vectors.width(x.regs.length);
  const result = (regs: Vec): Value => ({ dtype, uniform: x.uniform, regs });
  if (from === dtype) return vectors.copy(x);
  if (from === 'f16') return fromHalfTo(vectors, x, dtype);
  if (dtype === 'f16') return castHalf(vectors, x, dtype);
  if (dtype === 'f64') return toF64(vectors, x);
  if (from === 'f64') return fromF64(vectors, x, dtype);
  if (from === 'bool') return result(v.op('v128.and', x.regs, splatOf(dtype, 1)));
  if (dtype === 'bool')
    return result(from === 'f32' ? v.op('f32x4.ne', x.regs, 0) : v.op('i32x4.ne', x.regs, bits32(0)));
  if (dtype === 'f32') return result(v.op(from === 'u32' ? 'f32x4.convert_i32x4_u' : 'f32x4.convert_i32x4_s', x.regs));
  if (from === 'f32') {
    const value = result(v.op(dtype === 'u32' ? 'i32x4.trunc_sat_f32x4_u' : 'i32x4.trunc_sat_f32x4_s', x.regs));
    return dtype === 'u8' ? clampByte(vectors, value) : value;
  }
  if (dtype === 'u8') return result(v.op('v128.and', x.regs, bits32(255)));
  return vectors.copy(x, dtype);
}

/** The same bits as another dtype of one width. */
export function emitBitcast(vectors: Vectors, x: Value, dtype: DType): Value {
  if (x.dtype === 'bool' || dtype === 'bool') return emitCast(vectors, x, dtype);
  return vectors.copy(x, dtype);
}
