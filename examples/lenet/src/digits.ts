/** The digits: MNIST's files, or generated ones. */
import { type Dataset, generateDigits, mnist, split } from '@dl/data';
import type { Tensor } from '@dl/tensor';

/** Pictures f32 `[B, 1, 28, 28]` and labels i32 `[B]`. */
export type DigitBatch = [images: Tensor, labels: Tensor];

export interface Digits {
  readonly train: Dataset<DigitBatch>;
  readonly test: Dataset<DigitBatch>;
}

/** Generated digits: as many as train in well under a minute. */
const GENERATED = { train: 20000, test: 4000 };

/** @param dir - the folder with the four IDX files; null for generated digits, which depend on the seed */
export async function loadDigits(dir: string | null, seed: number): Promise<Digits> {
  if (dir !== null) return mnist({ dir });
  const all = generateDigits({ count: GENERATED.train + GENERATED.test, seed });
  return split(all, GENERATED, { seed, stratify: 'label' });
}
