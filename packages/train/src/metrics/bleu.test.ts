import { ValueError } from '@dl/tensor';
import { expect, test } from 'vitest';
import { bleu } from '../index';

test('100 for the reference, the textbook value for a short translation, 0 without a common run', () => {
  expect(bleu(['A b c d e.'], ['a b c d e .'])).toBeCloseTo(100, 6);
  expect(bleu(['a b c d'], ['a b c d e'])).toBeCloseTo(100 * Math.exp(1 - 5 / 4), 6);
  expect(bleu(['x y'], ['a b c d'])).toBe(0);
});

test('a word counts as often as the reference has it, and a corpus is one count', () => {
  // Of 1, 2, 3 and 4 words: 5 of 6, 3 of 5, 2 of 4, 1 of 3.
  const one = 100 * ((5 / 6) * (3 / 5) * (2 / 4) * (1 / 3)) ** (1 / 4);
  expect(bleu(['the cat sat on the mat'], ['the cat sat on a mat'])).toBeCloseTo(one, 6);
  // With a sentence of 4 more words, all of them right: 9 of 10, 6 of 8, 4 of 6, 2 of 4.
  const two = 100 * ((9 / 10) * (6 / 8) * (4 / 6) * (2 / 4)) ** (1 / 4);
  expect(bleu(['the cat sat on the mat', 'a b c d'], ['the cat sat on a mat', 'a b c d'])).toBeCloseTo(two, 6);
  expect(() => bleu(['a'], [])).toThrow(ValueError);
});
