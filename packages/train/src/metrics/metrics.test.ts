import { compile, setBackend, type Tensor, tensor, ValueError, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { Accuracy, ConfusionMatrix, F1, Mean, Perplexity, Precision, Recall } from '../index';

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
      'the output has 3 classes, but the metric 2.',
    );
    expect(() => new ConfusionMatrix(0)).toThrow(ValueError);
  });
});

describe('precision, recall and F1', () => {
  /** Of class 1 six samples, four of them found; one sample of class 0 is taken for it. */
  type AnyFigure = Precision | Recall | F1;
  const update = (metric: AnyFigure): void => {
    metric.update(scores(2, 1, 1, 1, 1, 0), indices(1, 1, 1, 1, 1));
    metric.update(scores(2, 0, 1, 0, 0), indices(1, 0, 0, -100));
  };
  const figure = async (metric: AnyFigure): Promise<unknown> => {
    expect(await metric.compute()).toSatisfy((v: unknown) => [v].flat().every(Number.isNaN));
    update(metric);
    return metric.compute();
  };

  test('of two classes are those of class 1', async () => {
    expect(await figure(new Precision(2))).toBe(4 / 5);
    expect(await figure(new Recall(2))).toBe(4 / 6);
    expect(await figure(new F1(2))).toBeCloseTo(8 / 11, 12);
  });

  test('as lists, means of the classes, and of all samples together', async () => {
    expect(await figure(new Precision(2, { average: 'none' }))).toEqual([1 / 3, 4 / 5]);
    expect(await figure(new Recall(2, { average: 'none' }))).toEqual([1 / 2, 4 / 6]);
    expect(await figure(new Recall(2, { average: 'macro' }))).toBeCloseTo((1 / 2 + 4 / 6) / 2, 12);
    expect(await figure(new F1(2, { average: 'micro' }))).toBe(5 / 8); // the accuracy
  });

  test('a class that never comes up counts as 0; three classes are averaged', async () => {
    const metric = new F1(3);
    metric.update(scores(3, 0, 1), indices(0, 1));
    expect(await metric.compute()).toBeCloseTo(2 / 3, 12);
  });

  test('count inside a compiled function, and say what they take', async () => {
    const recall = new Recall(2);
    const score = compile((output: Tensor, y: Tensor) => recall.update(output, y));
    for (const best of [0, 1, 1]) score(scores(2, best), indices(1));
    expect(await recall.compute()).toBe(2 / 3);
    expect(() => new Precision(3, { average: 'binary' })).toThrow("Precision: 'binary' is for two classes, not 3.");
    expect(() => new Recall(2, { average: 'some' as 'none' })).toThrow(ValueError);
    expect(() => recall.update(scores(3, 0), indices(0))).toThrow('Recall.update: the output has 3 classes');
    recall.update(scores(2, 0), indices(7));
    await expect(recall.compute()).rejects.toThrow('Recall: 1 targets were outside the classes 0 to 1.');
  });
});

describe('Perplexity', () => {
  test('is C for a guess among C, whatever is ignored, over batches', async () => {
    const perplexity = new Perplexity({ ignoreIndex: 0 });
    expect(await perplexity.compute()).toBeNaN();
    perplexity.update(zeros([2, 5]), indices(1, 0));
    expect(await perplexity.compute()).toBeCloseTo(5, 4);
    perplexity.update(zeros([1, 20, 3]), tensor([[1, 19, 0]], null, { dtype: 'i32' }));
    expect(await perplexity.compute()).toBeCloseTo((5 * 20 * 20) ** (1 / 3), 3);
    const certain = new Perplexity();
    certain.update(tensor([[100, 0]]), indices(0));
    expect(await certain.compute()).toBe(1);
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
