import type { BinaryOp, DType } from '@dl/tensor';
import { describe, expect, test } from 'vitest';
import { binaryFunction, bitcastFunction, castFunction, reducers, rounded, unaryFunction } from './arithmetic';
import { erf } from './erf';
import { decodeHalf, encodeHalf } from './half';

const apply = (op: BinaryOp, dtype: DType, x: number, y: number): number => binaryFunction(op, dtype, dtype)(x, y);

describe('integers', () => {
  test('wrap around', () => {
    expect(apply('add', 'i32', 2 ** 31 - 1, 1)).toBe(-(2 ** 31));
    expect(apply('mul', 'u32', 2 ** 31, 3)).toBe(2 ** 31);
    expect(apply('add', 'u8', 250, 10)).toBe(4);
    expect(unaryFunction('neg', 'u32')(1)).toBe(2 ** 32 - 1);
  });

  test('division truncates, and by zero gives zero', () => {
    expect(apply('div', 'i32', -7, 2)).toBe(-3);
    expect(apply('div', 'i32', 7, 0)).toBe(0);
    expect(apply('mod', 'i32', -7, 3)).toBe(2);
    expect(apply('mod', 'i32', 7, 0)).toBe(0);
  });

  test('powers wrap, and negative exponents truncate', () => {
    expect(apply('pow', 'i32', 3, 4)).toBe(81);
    expect(apply('pow', 'i32', 2, 40)).toBe(0);
    expect(apply('pow', 'i32', -1, -3)).toBe(-1);
    expect(apply('pow', 'i32', 2, -1)).toBe(0);
  });

  test('shift counts are taken modulo 32; the right shift of i32 keeps the sign', () => {
    expect(apply('shl', 'i32', 1, 33)).toBe(2);
    expect(apply('shr', 'i32', -8, 1)).toBe(-4);
    expect(apply('shr', 'u32', 2 ** 32 - 8, 1)).toBe(2 ** 31 - 4);
  });
});

describe('floats', () => {
  test('round once to f32', () => {
    expect(apply('add', 'f32', 1, 2 ** -25)).toBe(1);
    expect(apply('add', 'f64', 1, 2 ** -25)).toBeGreaterThan(1);
  });

  test('maximum and minimum pass NaN on', () => {
    expect(apply('max', 'f32', NaN, 1)).toBeNaN();
    expect(apply('min', 'f32', 1, NaN)).toBeNaN();
  });

  test('the remainder has the sign of the divisor', () => {
    expect(apply('mod', 'f32', -1, 3)).toBe(2);
    expect(apply('mod', 'f32', 1, -3)).toBe(-2);
    expect(apply('mod', 'f32', 1, 0)).toBeNaN();
  });

  test('pow follows IEEE 754 at 1', () => expect(apply('pow', 'f64', 1, NaN)).toBe(1));

  test('rounding is half to even', () => {
    expect([-1.5, -0.5, 0.5, 1.5, 2.5].map(unaryFunction('round', 'f32')).map((x) => x + 0)).toEqual([-2, 0, 0, 2, 2]);
  });

  test('what rounds to zero keeps its sign', () => {
    expect(unaryFunction('round', 'f32')(-0.25)).toBe(-0);
    expect(unaryFunction('round', 'f32')(0.25)).toBe(0);
    expect(unaryFunction('round', 'f64')(NaN)).toBeNaN();
  });

  test('erf agrees with tables', () => {
    // Abramowitz & Stegun, table 7.1, and mpmath.
    expect(erf(0.5)).toBeCloseTo(0.5204998778130465, 15);
    expect(erf(1)).toBeCloseTo(0.8427007929497149, 15);
    expect(erf(-3)).toBeCloseTo(-0.9999779095030014, 15);
    expect(erf(1e-10)).toBeCloseTo(1.1283791670955126e-10, 24);
  });
});

describe('conversions', () => {
  test('a float saturates, NaN is 0', () => {
    expect([-1e20, 1e20, NaN, -1.9].map(castFunction('f32', 'i32'))).toEqual([-(2 ** 31), 2 ** 31 - 1, 0, -1]);
    expect([-1, 300, 2.7].map(castFunction('f32', 'u8'))).toEqual([0, 255, 2]);
  });

  test('u8 takes the low bits of an integer; bool is ≠ 0', () => {
    expect(castFunction('i32', 'u8')(-1)).toBe(255);
    expect([0, NaN, -2].map(castFunction('f32', 'bool'))).toEqual([0, 1, 1]);
  });

  test('bits survive', () => {
    expect(bitcastFunction('f32', 'u32')(1)).toBe(0x3f800000);
    expect(bitcastFunction('i32', 'f32')(0x3f800000)).toBe(1);
  });

  test('f16 rounds to nearest even, with subnormals and infinities', () => {
    expect(decodeHalf(encodeHalf(1 / 3))).toBe(0.333251953125);
    expect(decodeHalf(encodeHalf(2 ** -24))).toBe(2 ** -24);
    expect(decodeHalf(encodeHalf(2 ** -26))).toBe(0);
    expect(decodeHalf(encodeHalf(65519))).toBe(65504);
    expect(decodeHalf(encodeHalf(-65520))).toBe(-Infinity);
    expect(rounded('f16', 2049)).toBe(2048);
    for (let bits = 0; bits < 0x7c00; bits++) expect(encodeHalf(decodeHalf(bits))).toBe(bits);
  });
});

test('reductions of nothing are their neutral elements', () => {
  expect(reducers.sum([], 'f32')).toBe(0);
  expect(reducers.prod([], 'i32')).toBe(1);
  expect(reducers.max_reduce([], 'f32')).toBe(-Infinity);
  expect(reducers.max_reduce([], 'i32')).toBe(-(2 ** 31));
  expect(reducers.min_reduce([], 'bool')).toBe(1);
});

test('argmax takes the first largest, and NaN is largest', () => {
  expect(reducers.argmax([1, 3, 3], 'f32')).toBe(1);
  expect(reducers.argmax([1, NaN, 3, NaN], 'f32')).toBe(1);
});
