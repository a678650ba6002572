import { compile, setBackend, type Tensor, tensor, ValueError, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { Accuracy, ConfusionMatrix, Mean } from '../index';

beforeEach(() => setBackend(referenceBackend()));

const indices = (...data: number[]): Tensor => tensor(data, null, { dtype: 'i32' });
/** Scores whose largest is at the given classes. */
const scores = (classes: number, ...best: number[]): Tensor =>
  tensor(best.map((b) => Array.from({ length: classes }, (_, c) => (c === b ? 1 : 0))));

describe('Mean', () => {
  test('weights values by how many samples they stand for', async () => {
    const mean = new Mean();
    expect(await mean.compute()).toBeNaN();
    mean.update(tensor(2), 30);
    mean.update(tensor([5, 7]), 10);
    expect(await mean.compute()).toBe(3);
    mean.reset();
    mean.update(tensor(4));
    expect(await mean.compute()).toBe(4);
  });
});

describe('Accuracy', () => {
  test('counts over batches, also inside a compiled function, and reads nothing until asked', async () => {
    const accuracy = new Accuracy();
    const score = compile((output: Tensor, y: Tensor) => accuracy.update(output, y));
    score(scores(3, 0, 1, 2), indices(0, 1, 1));
    score(scores(3, 0, 0, 0), indices(0, 1, 2));
    expect(await accuracy.compute()).toBe(0.5);
  });

  test('top 2, ignored targets, one class, probabilities, and more axes', async () => {
    const top = new Accuracy({ topK: 2 });
    top.update(
      tensor([
        [3, 2, 1],
        [3, 2, 1],
      ]),
      indices(1, 2),
    );
    expect(await top.compute()).toBe(0.5);
    const ignoring = new Accuracy();
    ignoring.update(scores(2, 0, 1, 1), indices(0, -100, 0));
    expect(await ignoring.compute()).toBe(0.5);
    const binary = new Accuracy();
    binary.update(tensor([-1, 2, 3, -4]), indices(0, 1, 0, 1));
    expect(await binary.compute()).toBe(0.5);
    const soft = new Accuracy();
    soft.update(
      scores(2, 0, 1),
      tensor([
        [0.9, 0.1],
        [0.8, 0.2],
      ]),
    );
    expect(await soft.compute()).toBe(0.5);
    const pixels = new Accuracy();
    pixels.update(zeros([2, 3, 4]), zeros([2, 4], 'i32'));
    expect(await pixels.compute()).toBe(1);
  });

  test('says which shapes it takes', () => {
    expect(() => new Accuracy().update(zeros([4, 3]), indices(1, 2))).toThrow(
      'Accuracy.update: the output is [4, 3], so the target holds class indices [4], but it is [2].',
    );
  });
});

describe('ConfusionMatrix', () => {
  test('rows are true classes, columns predicted ones', async () => {
    const confusion = new ConfusionMatrix(3);
    confusion.update(scores(3, 0, 1, 2, 2), indices(0, 1, 1, 1));
    confusion.update(scores(3, 0), indices(2));
    expect(await confusion.compute()).toEqual([
      [1, 0, 0],
      [0, 1, 2],
      [1, 0, 0],
    ]);
  });

  test('a class out of range is not silent', async () => {
    const confusion = new ConfusionMatrix(2);
    confusion.update(scores(2, 0), indices(7));
    await expect(confusion.compute()).rejects.toThrow('1 targets were outside the classes 0 to 1.');
    confusion.reset();
    confusion.update(scores(2, 0), indices(-100));
    expect(await confusion.compute()).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(() => new ConfusionMatrix(2).update(scores(3, 0), indices(0))).toThrow(
      'the output has 3 classes, but the matrix 2.',
    );
    expect(() => new ConfusionMatrix(0)).toThrow(ValueError);
  });
});

test('a state is a copy that restores the figure', async () => {
  const accuracy = new Accuracy();
  accuracy.update(scores(2, 0, 1), indices(0, 0));
  const state = accuracy.stateDict();
  accuracy.update(scores(2, 0, 1), indices(0, 1));
  expect(await accuracy.compute()).toBe(0.75);
  accuracy.loadStateDict(state);
  expect(await accuracy.compute()).toBe(0.5);
  expect(() => new Mean().loadStateDict(state)).toThrow(
    'Mean.loadStateDict: total is [] here, but missing in the state.',
  );
});
