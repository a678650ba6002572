import { referenceBackend } from '@dl/testing';
import { beforeEach, expect, test } from 'vitest';
import {
  commitWhen,
  compile,
  DTypeError,
  ShapeError,
  setBackend,
  type Tensor,
  tensor,
  ValueError,
  Variable,
} from './index';

beforeEach(() => setBackend(referenceBackend()));

test('assignments before it happen where the condition holds, and those after it always', async () => {
  const total = new Variable(tensor([1, 2]));
  const calls = new Variable(tensor(0));
  const add = compile((x: Tensor) => {
    total.assign(total.add(x));
    commitWhen(x.isFinite().all());
    calls.assign(calls.add(1));
    return total;
  });
  expect(await add(tensor([1, 1])).array()).toEqual([2, 3]);
  expect(await add(tensor([1, Number.NaN])).array()).toEqual([2, 3]);
  expect(await add(tensor([2, 2])).array()).toEqual([4, 5]);
  expect(await total.array()).toEqual([4, 5]);
  expect(await calls.item()).toBe(3);
});

test('says what it needs', () => {
  expect(() => commitWhen(tensor(true))).toThrow(ValueError);
  const wrong = (condition: Tensor) => compile(() => commitWhen(condition));
  expect(() => wrong(tensor(1))()).toThrow(DTypeError);
  expect(() => wrong(tensor([true, false]))()).toThrow(ShapeError);
});
