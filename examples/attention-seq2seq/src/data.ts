/** Dates as people write them, and as YYYY-MM-DD; the days of the test set never occur in training. */
import { CharacterTokenizer, generateDates, SPECIAL_TOKENS, type TextPair, type WrittenDate } from '@dl/data';
import { encodePairs, type Pair } from '@dl/example-kit';

export interface Dates {
  readonly tokenizer: CharacterTokenizer;
  readonly train: readonly TextPair[];
  readonly validation: readonly TextPair[];
  readonly test: readonly Pair[];
}

const VALIDATION = 500;

/** @param count - dates to train on */
export function loadDates(count: number, seed: number): Dates {
  const { train, test } = generateDates({ count: { train: count, test: 1000 + VALIDATION }, seed });
  const pairOf = ({ human, iso }: WrittenDate): Pair => [human, iso];
  const [known, held] = [train.map(pairOf), test.map(pairOf)];
  const tokenizer = CharacterTokenizer.train([...known, ...held].flat().join(''), { specials: SPECIAL_TOKENS });
  return {
    tokenizer,
    train: encodePairs(known, tokenizer),
    validation: encodePairs(held.slice(0, VALIDATION), tokenizer),
    test: held.slice(VALIDATION),
  };
}
