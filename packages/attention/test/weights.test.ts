import { checkGradients } from '@dl/autograd';
import { randn, setBackend, tensor } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeEach, expect, test } from 'vitest';
import { causalMask, maskedSoftmax } from '../src/index';

beforeEach(() => setBackend(referenceBackend()));

test('a causal mask shows a query the keys up to its own place', async () => {
  expect(await causalMask(2).array()).toEqual([
    [true, false],
    [true, true],
  ]);
  expect(await causalMask(2, 4, 1).array()).toEqual([
    [true, true, false, false],
    [true, true, true, false],
  ]);
});

test('a masked softmax is the softmax of what is left of a row, and zeros where nothing is', async () => {
  const hidden = Number.NEGATIVE_INFINITY;
  const scores = tensor([
    [0, hidden, 0, hidden],
    [hidden, 1000, hidden, hidden],
    [hidden, hidden, hidden, hidden],
  ]);
  expect(await maskedSoftmax(scores).array()).toEqual([
    [0.5, 0, 0.5, 0],
    [0, 1, 0, 0],
    [0, 0, 0, 0],
  ]);
  const mask = causalMask(3).and(tensor([false, true, true], [3, 1]));
  const f = (x: ReturnType<typeof tensor>) => maskedSoftmax(mask.where(x, hidden)).square();
  await checkGradients(f, [randn([3, 3])], { order: 2 });
});
