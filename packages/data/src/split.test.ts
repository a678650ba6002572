import { ValueError } from '@dl/tensor';
import { describe, expect, it } from 'vitest';
import { ArrayDataset } from './array-dataset';
import type { Dataset } from './dataset';
import { split } from './split';

/** 100 samples: the index, and a class that 80, 15 and 5 of them have. */
const dataset = new ArrayDataset({
  index: { data: Int32Array.from({ length: 100 }, (_, i) => i) },
  label: { data: Uint8Array.from({ length: 100 }, (_, i) => (i < 80 ? 0 : i < 95 ? 1 : 2)) },
  wide: { data: new Float32Array(200), shape: [100, 2] },
});

const read = (part: Dataset<unknown>) =>
  Array.from({ length: part.length }, (_, i) => {
    const into = [new Int32Array(1), new Uint8Array(1), new Float32Array(2)] as const;
    part.copy(i, into, 0, 0);
    return { index: into[0][0]!, label: into[1][0]! };
  });
const indices = (part: Dataset<unknown>) => read(part).map(({ index }) => index);

describe('split', () => {
  it('shares all samples out, none twice', () => {
    const { train, dev, test } = split(dataset, { train: 0.7, dev: 0.2, test: 0.1 });
    expect([train.length, dev.length, test.length]).toEqual([70, 20, 10]);
    const all = [...indices(train), ...indices(dev), ...indices(test)].sort((a, b) => a - b);
    expect(all).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  it('is a function of the seed, and keeps the order if asked', () => {
    const parts = { a: 60, b: 30 };
    expect(indices(split(dataset, parts, { seed: 4 }).b)).toEqual(indices(split(dataset, parts, { seed: 4 }).b));
    expect(indices(split(dataset, parts, { seed: 4 }).b)).not.toEqual(indices(split(dataset, parts, { seed: 5 }).b));
    expect(indices(split(dataset, parts, { shuffle: false }).b)).toEqual(Array.from({ length: 30 }, (_, i) => 60 + i));
  });

  it('gives every sample to some part when fractions add up to 1', () => {
    const thirds = split(dataset, { a: 1 / 3, b: 1 / 3, c: 1 / 3 });
    expect([thirds.a.length, thirds.b.length, thirds.c.length]).toEqual([34, 33, 33]);
    const sevenths = split(dataset, { a: 0.07, b: 0.93 });
    expect([sevenths.a.length, sevenths.b.length]).toEqual([7, 93]);
    expect(split(dataset, { all: 1 }).all.length).toBe(100);
    expect(split(dataset, { some: 0.25 }).some.length).toBe(25);
    expect(split(dataset, { none: 0, all: 1 }).none.length).toBe(0);
  });

  it('keeps the proportions of a field, or of a function', () => {
    for (const stratify of ['label', (i: number) => (i < 80 ? 'many' : i < 95 ? 'some' : 'few')]) {
      const { train, test } = split(dataset, { train: 0.8, test: 0.2 }, { stratify });
      const counts = (part: Dataset<unknown>) =>
        [0, 1, 2].map((label) => read(part).filter((sample) => sample.label === label).length);
      expect(counts(train)).toEqual([64, 12, 4]);
      expect(counts(test)).toEqual([16, 3, 1]);
    }
  });

  it('refuses sizes that do not fit', () => {
    expect(() => split(dataset, { a: 90, b: 20 })).toThrow(
      'split: {"a":90,"b":20} asks for 110 samples, but the dataset has 100',
    );
    expect(() => split(dataset, { a: 0.5, b: 20 })).toThrow(ValueError);
    expect(() => split(dataset, { a: 0.8, b: 0.4 })).toThrow('{"a":0.8,"b":0.4}, 1.2');
    expect(() => split(dataset, { a: -1 })).toThrow(ValueError);
    expect(() => split(dataset, { a: Number.NaN })).toThrow(ValueError);
  });

  it('refuses to stratify by a field that is not there, or is no single number', () => {
    expect(() => split(dataset, { a: 0.5 }, { stratify: 'class' })).toThrow(
      "split: stratify names a field of one element, but 'class' is no field; there are 'index' [], 'label' [], 'wide' [2]",
    );
    expect(() => split(dataset, { a: 0.5 }, { stratify: 'wide' })).toThrow("'wide' has more");
  });
});
