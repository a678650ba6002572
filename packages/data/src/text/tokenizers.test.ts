import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FormatError, ValueError } from '@dl/tensor';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  BytePairTokenizer,
  CharacterTokenizer,
  loadTokenizer,
  SPECIAL_TOKENS,
  saveTokenizer,
  type Tokenizer,
  tokenizerFrom,
  WordTokenizer,
} from '.';

describe('characters', () => {
  test('are numbered by code point, surrogate pairs as one', () => {
    const tokenizer = CharacterTokenizer.train('ba𝄞a\n');
    expect(tokenizer.vocabulary.tokens).toEqual(['\n', 'a', 'b', '𝄞']);
    expect([...tokenizer.encode('a𝄞b')]).toEqual([1, 3, 2]);
    expect(tokenizer.decode([3, 0])).toBe('𝄞\n');
  });

  test('that are not known are an error, or the unknown token', () => {
    expect(() => CharacterTokenizer.train('ab').encode('abc')).toThrow('"c" is not in the vocabulary of 2 tokens');
    const tokenizer = CharacterTokenizer.train('ab', { specials: SPECIAL_TOKENS });
    expect([...tokenizer.encode('abc', { begin: true, end: true })]).toEqual([2, 4, 5, 1, 3]);
    expect(tokenizer.decode([2, 4, 5, 1, 3])).toBe('ab');
    expect(tokenizer.decode([2, 4, 5, 1, 3], { specials: true })).toBe('<bos>ab<unk><eos>');
  });

  test('the text of a special token is only text', () => {
    const tokenizer = CharacterTokenizer.train('<eos>', { specials: { end: '<eos>' } });
    expect(tokenizer.decode(tokenizer.encode('<eos>'))).toBe('<eos>');
    expect(tokenizer.encode('<eos>')).toHaveLength(5);
  });
});

describe('words', () => {
  test('are split from punctuation and numbered by frequency', () => {
    const tokenizer = WordTokenizer.train("the cat, the dog and the cat's 3.5 naïve co-op", { specials: {} });
    expect(tokenizer.vocabulary.tokens).toEqual(['the', ',', '3.5', 'and', 'cat', "cat's", 'co-op', 'dog', 'naïve']);
    expect(tokenizer.decode(tokenizer.encode('the dog, the cat'))).toBe('the dog, the cat');
  });

  test('that are rare are unknown', () => {
    const tokenizer = WordTokenizer.train('a a a b b c', { maxWords: 2, lowercase: true });
    expect(tokenizer.vocabulary.size).toBe(6);
    expect([...tokenizer.encode('A c b')]).toEqual([4, 1, 5]);
    expect(WordTokenizer.train('a a b', { minCount: 2 }).vocabulary.size).toBe(5);
  });
});

describe('byte pairs', () => {
  const text = 'low low low low low lower lower newest newest newest newest newest newest widest widest widest';

  test('joins the most frequent neighbours first', () => {
    const tokenizer = BytePairTokenizer.train(text, { vocabularySize: 259 });
    // e·s and s·t occur 9 times each, and e is the smaller symbol; then es·t 9 times; then l·o 7 times, before o·w.
    expect(tokenizer.vocabulary.tokens.slice(256).map((name) => name.replace(/^\d+:/, ''))).toEqual([
      'es',
      'est',
      'lo',
    ]);
  });

  test('makes fewer tokens of the text that it learned from', () => {
    const tokenizer = BytePairTokenizer.train(text, { vocabularySize: 300 });
    expect(tokenizer.encode('newest low').length).toBeLessThanOrEqual(4);
    expect(tokenizer.encode('newest low').length).toBeLessThan(
      BytePairTokenizer.train('', { vocabularySize: 256 }).encode('newest low').length,
    );
  });

  test('encodes any text, and back', () => {
    const tokenizer = BytePairTokenizer.train(text.repeat(2), { vocabularySize: 280, specials: SPECIAL_TOKENS });
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (any) => {
        const ids = tokenizer.encode(any, { begin: true, end: true });
        expect(tokenizer.decode(ids)).toBe(any);
        expect([ids[0], ids.at(-1)]).toEqual([2, 3]);
      }),
      { seed: 1 },
    );
  });

  test('stops when no pair occurs twice, and refuses a vocabulary without room for the bytes', () => {
    expect(BytePairTokenizer.train('abc', { vocabularySize: 1000 }).vocabulary.size).toBe(256);
    expect(() => BytePairTokenizer.train('abc', { vocabularySize: 200 })).toThrow('too small');
  });
});

describe('every tokeniser', () => {
  const text = 'First Citizen: Before we proceed any further, hear me speak. All: Speak, speak.';
  const tokenizers: [string, Tokenizer][] = [
    ['characters', CharacterTokenizer.train(text, { specials: SPECIAL_TOKENS })],
    ['words', WordTokenizer.train(text)],
    ['byte pairs', BytePairTokenizer.train(text, { vocabularySize: 270, specials: SPECIAL_TOKENS })],
  ];
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dl-text-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test.each(tokenizers)('%s: is the same after saving and loading', async (name, tokenizer) => {
    const file = join(folder, `${name}.json`);
    await saveTokenizer(file, tokenizer);
    const loaded = await loadTokenizer(file);
    expect(loaded.constructor).toBe(tokenizer.constructor);
    expect(loaded.vocabulary.tokens).toEqual(tokenizer.vocabulary.tokens);
    expect(loaded.encode(text, { end: true })).toEqual(tokenizer.encode(text, { end: true }));
  });

  test.each(tokenizers)('%s: says which id is outside the vocabulary', (_, tokenizer) => {
    const { size } = tokenizer.vocabulary;
    expect(() => tokenizer.decode([size])).toThrow(`the id ${size} is outside the vocabulary`);
    expect(() => tokenizer.decode([-1])).toThrow(ValueError);
    expect(() => tokenizer.decode([0.5])).toThrow(ValueError);
  });

  test('needs a token to begin with', () => {
    expect(() => CharacterTokenizer.train('a').encode('a', { begin: true })).toThrow("no token for 'begin'");
  });

  test('files that hold none', async () => {
    expect(() => tokenizerFrom({ kind: 'other' })).toThrow(FormatError);
    expect(() => tokenizerFrom(null)).toThrow(FormatError);
    expect(() => tokenizerFrom({ kind: 'words', version: 1 })).toThrow(
      "'words' of the saved words tokeniser is no list",
    );
    const file = join(folder, 'broken.json');
    await writeFile(file, '{');
    await expect(loadTokenizer(file)).rejects.toThrow('is no JSON');
    await expect(loadTokenizer(join(folder, 'none.json'))).rejects.toThrow('there is no such file');
  });
});
