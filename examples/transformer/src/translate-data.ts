/** What is translated: Multi30k's sentences from German to English, or generated dates to YYYY-MM-DD. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  BytePairTokenizer,
  CharacterTokenizer,
  generateDates,
  SPECIAL_TOKENS,
  type TextPair,
  type Tokenizer,
  type WrittenDate,
} from '@dl/data';
import { encodePairs, type Pair } from '@dl/example-kit';
import { ValueError } from '@dl/tensor';

export interface Translation {
  readonly name: 'dates' | 'sentences';
  readonly tokenizer: Tokenizer;
  readonly train: readonly TextPair[];
  readonly validation: readonly TextPair[];
  /** What the figures are of. */
  readonly test: readonly Pair[];
}

const DATES = { train: 20000, test: 1500 };
/** Test dates that only the loss is computed of, during training. */
const VALIDATION_DATES = 500;
/** Tokens of German and English together, so that both share one embedding. */
const VOCABULARY = 4000;
/** Longer sentences are not trained on. */
const LONGEST = 48;
const SENTENCE_TEST = 1000;

function dates(seed: number): Translation {
  const { train, test } = generateDates({ count: DATES, seed });
  const pairOf = ({ human, iso }: WrittenDate): Pair => [human, iso];
  const [known, held] = [train.map(pairOf), test.map(pairOf)];
  const tokenizer = CharacterTokenizer.train(known.flat().join(''), { specials: SPECIAL_TOKENS });
  return {
    name: 'dates',
    tokenizer,
    train: encodePairs(known, tokenizer),
    validation: encodePairs(held.slice(0, VALIDATION_DATES), tokenizer),
    test: held.slice(VALIDATION_DATES),
  };
}

async function lines(dir: string, name: string): Promise<string[]> {
  for (const [suffix, decode] of [
    ['.gz', gunzipSync],
    ['', (bytes: Buffer) => bytes],
  ] as const) {
    const bytes = await readFile(join(dir, `${name}${suffix}`)).catch(() => null);
    if (bytes) return decode(bytes).toString('utf8').trimEnd().split('\n');
  }
  throw new ValueError(`there is no file ${join(dir, name)}, gzipped or not. Give the folder that has it.`);
}

async function parallel(dir: string, part: string): Promise<Pair[]> {
  const [source, target] = [await lines(dir, `${part}.de`), await lines(dir, `${part}.en`)];
  if (source.length !== target.length)
    throw new ValueError(
      `${part}.de has ${source.length} lines, but ${part}.en ${target.length}. Give files that match.`,
    );
  return source.map((text, i): Pair => [text.toLowerCase(), target[i]!.toLowerCase()]).filter(([a, b]) => a && b);
}

async function sentences(dir: string): Promise<Translation> {
  const train = await parallel(dir, 'train');
  const text = train.flat().join('\n');
  const tokenizer = BytePairTokenizer.train(text, { vocabularySize: VOCABULARY, specials: SPECIAL_TOKENS });
  const short = (pairs: readonly TextPair[]): TextPair[] =>
    pairs.filter(({ source, target }) => source.length <= LONGEST && target.length <= LONGEST);
  return {
    name: 'sentences',
    tokenizer,
    train: short(encodePairs(train, tokenizer)),
    validation: short(encodePairs(await parallel(dir, 'val'), tokenizer)),
    test: (await parallel(dir, 'test_2016_flickr')).slice(0, SENTENCE_TEST),
  };
}

/**
 * @param dir - a folder with Multi30k's files; null for generated dates, which depend on the seed
 * @throws ValueError if a file is missing
 */
export const loadTranslation = async (dir: string | null, seed: number): Promise<Translation> =>
  dir === null ? dates(seed) : sentences(dir);
