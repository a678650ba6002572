/** The digits that were chosen: generated ones, or MNIST's files. */
import { type Dataset, generateDigits, mnist, split } from '@dl/data';
import type { Digits } from '../messages';
import type { DigitBatch } from './trainer';

export interface DigitSets {
  readonly train: Dataset<DigitBatch>;
  readonly test: Dataset<DigitBatch>;
}

/** Digits that the network never trains on. */
const generatedTest = 1000;

/** The same for the same digits. */
export const nameOfDigits = (digits: Digits): string =>
  digits.kind === 'generated' ? `${digits.count} generated` : digits.name;

export async function loadDigits(digits: Digits): Promise<DigitSets> {
  if (digits.kind === 'generated') {
    const all = generateDigits({ count: digits.count + generatedTest, seed: 0 });
    return split(all, { train: digits.count, test: generatedTest }, { seed: 0, stratify: 'label' });
  }
  if (digits.files === null) throw new Error('Choose the four files of MNIST first.');
  return mnist({ files: digits.files });
}
