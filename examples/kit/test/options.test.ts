/** Command lines: what options are read as, what is refused, and what help says. */
import { expect, test } from 'vitest';
import { flag, helpOf, initialOf, oneOf, path, positive, readOptions, seed, UsageError, whole } from '../src/options';

const table = {
  data: path('FILE', 'a text'),
  steps: whole('updates', 20),
  lr: positive('learning rate', 0.1),
  seed: seed('of weights'),
  kind: oneOf(['plain', 'fancy'], 'how'),
  json: flag('figures'),
};

test('options that are given have their values, and the others their defaults', () => {
  const read = readOptions(table, ['--steps', '7', '--lr=1e-3', '--kind', 'fancy', '--json', '--data', 'a b.txt']);
  expect(read).toEqual({ given: { steps: 7, lr: 0.001, kind: 'fancy', json: true, data: 'a b.txt' }, words: [] });
  expect(initialOf(table)).toEqual({ data: null, steps: 20, lr: 0.1, seed: 0, kind: 'plain', json: false });
  expect(readOptions(table, ['--help'])).toBeNull();
  expect(readOptions(table, ['word'], true)).toEqual({ given: {}, words: ['word'] });
});

test.each([
  [['--steps', '0'], "--steps is a whole number of at least 1, not '0'"],
  [['--steps', '1.5'], "--steps is a whole number of at least 1, not '1.5'"],
  [['--steps='], "--steps is a whole number of at least 1, not ''"],
  [['--lr', 'Infinity'], "--lr is a number above 0, not 'Infinity'"],
  [['--seed=-1'], "--seed is a whole number from 0 to 2^32 − 1, not '-1'"],
  [['--kind', 'plane'], "--kind is plain or fancy, not 'plane'"],
  [['--data='], "--data is a path, not ''"],
  [['--step', '3'], "Unknown option '--step'"],
  [['word'], "Unexpected argument 'word'"],
])('%j is refused', (args, message) => {
  expect(() => readOptions(table, args)).toThrow(UsageError);
  expect(() => readOptions(table, args)).toThrow(message);
});

test('help has a line for each option', () => {
  expect(helpOf(table).split('\n')).toEqual([
    '  --data FILE         a text',
    '  --steps N           updates (default 20)',
    '  --lr X              learning rate (default 0.1)',
    '  --seed N            of weights; the same seed gives the same figures (default 0)',
    '  --kind plain|fancy  how (default plain)',
    '  --json              figures',
    '  --help',
  ]);
});
