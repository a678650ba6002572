import { ValueError } from '@dl/tensor';
import { expect, test } from 'vitest';
import { generateDates } from './index';

test('the same seed gives the same dates, another seed others', () => {
  const count = { train: 20, test: 5 };
  expect(generateDates({ count })).toEqual(generateDates({ count }));
  expect(generateDates({ count, seed: 1 })).not.toEqual(generateDates({ count }));
});

test('no day of the test set occurs in training', () => {
  const { train, test: held } = generateDates({ count: { train: 20000, test: 1000 } });
  const known = new Set(train.map(({ iso }) => iso));
  expect(held.filter(({ iso }) => known.has(iso))).toEqual([]);
});

test('formats say what they mean', () => {
  const { train } = generateDates({ count: { train: 3000, test: 0 } });
  for (const { human, iso } of train) {
    expect(iso).toMatch(/^(19[5-9]|20[0-4])\d-\d\d-\d\d$/);
    expect(human).toContain(iso.slice(2, 4)); // the year's last two digits are always there
    const full = /^\w+day, (\d+ \w+ \d{4})$/.exec(human);
    if (full) expect(new Date(`${full[1]} UTC`).toISOString().slice(0, 10)).toBe(iso);
  }
  const ordinals = train.flatMap(({ human }) => /\d+(?:st|nd|rd|th)/.exec(human) ?? []);
  expect(new Set(ordinals).size).toBe(31);
  for (const each of ordinals) expect(each).toMatch(/^(1?[04-9]th|1[1-3]th|2[04-9]th|30th|[23]?1st|2?2nd|2?3rd)$/);
  expect(() => generateDates({ count: { train: -1, test: 0 } })).toThrow(ValueError);
});
