import { ValueError } from '@dl/tensor';
import { describe, expect, it } from 'vitest';
import { ArrayDataset } from './array-dataset';
import type { Dataset } from './dataset';
import { kFold } from './k-fold';

/** 23 samples: the index, and a class that every fourth has. */
const dataset = new ArrayDataset({
  index: { data: Int32Array.from({ length: 23 }, (_, i) => i) },
  label: { data: Uint8Array.from({ length: 23 }, (_, i) => (i % 4 === 0 ? 1 : 0)) },
});

const indices = (part: Dataset<unknown>): number[] =>
  Array.from({ length: part.length }, (_, i) => {
    const into = [new Int32Array(1), new Uint8Array(1)] as const;
    part.copy(i, into, 0, 0);
    return into[0][0]!;
  });

const rising = (list: readonly number[]): number[] => [...list].sort((a, b) => a - b);
const all = Array.from({ length: 23 }, (_, i) => i);

describe('kFold', () => {
  it('validates on every sample once, and trains on the others', () => {
    const folds = kFold(dataset, 5, { seed: 3 });
    expect(folds.map(({ validation }) => validation.length)).toEqual([5, 5, 4, 5, 4]);
    expect(rising(folds.flatMap(({ validation }) => indices(validation)))).toEqual(all);
    for (const { train, validation } of folds) {
      expect(rising([...indices(train), ...indices(validation)])).toEqual(all);
    }
    expect(indices(kFold(dataset, 5, { seed: 4 })[0]!.validation)).not.toEqual(indices(folds[0]!.validation));
  });

  it('keeps the order if asked, and the share of each class', () => {
    expect(indices(kFold(dataset, 23, { shuffle: false })[4]!.validation)).toEqual([4]);
    for (const { validation } of kFold(dataset, 3, { stratify: 'label' })) {
      expect(indices(validation).filter((i) => i % 4 === 0)).toHaveLength(2);
    }
  });

  it('says how many folds there can be', () => {
    expect(() => kFold(dataset, 1)).toThrow('kFold: 1 folds of 23 samples. Give a whole number from 2');
    expect(() => kFold(dataset, 24)).toThrow(ValueError);
    expect(() => kFold(dataset, 2.5)).toThrow(ValueError);
  });
});
