import { expect, test } from 'vitest';
import { toValue } from './evaluate/value';
import { compareValues, compareWithin, isClose } from './tolerance';

test('NaN matches NaN, infinities match exactly, the sign of zero does not count', () => {
  expect(isClose(NaN, NaN, 0, 0)).toBe(true);
  expect(isClose(1, NaN, 1, 1)).toBe(false);
  expect(isClose(-Infinity, Infinity, 1, 1)).toBe(false);
  expect(isClose(3e38, Infinity, 1, 1)).toBe(false);
  expect(isClose(-0, 0, 0, 0)).toBe(true);
});

test('integers must be equal, whatever the tolerance', () => {
  const [a, b] = [toValue([1], 'i32', [1]), toValue([1], 'i32', [2])];
  expect(compareValues(a, b, { atol: 10 })).toContain('wanted 2');
});

test('shape and dtype are compared first', () => {
  expect(compareValues(toValue([1], 'f32', [0]), toValue([], 'f32', [0]))).toContain('shape');
  expect(compareValues(toValue([1], 'f32', [0]), toValue([1], 'f64', [0]))).toContain('dtype');
});

test('what noise moves may differ by as much', () => {
  const [got, want] = [toValue([2], 'f32', [1.1, 5]), toValue([2], 'f32', [1, 5])];
  expect(compareWithin(got, want, {}, { shaken: [toValue([2], 'f32', [1.05, 5])] })).toBeUndefined();
  expect(compareWithin(got, want, {}, { shaken: [want] })).toContain('element 0');
});
