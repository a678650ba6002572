/** Cross-validation: every sample is validated on once, by a model that was trained on the others. */
import { ValueError } from '@dl/tensor';
import type { Dataset } from './dataset';
import { dealingOrder, type SplitOptions } from './split';
import { subset } from './views';

/** One of the rounds of a cross-validation. */
export interface Fold<B> {
  readonly train: Dataset<B>;
  readonly validation: Dataset<B>;
}

/**
 * Splits a dataset into `folds` parts of nearly equal size; each is the validation set of one round, the rest its training set.
 *
 * @param options - as of `split`: `seed`, `shuffle` and `stratify`
 * @throws ValueError if there are fewer than two folds, or fewer samples than folds
 * @example
 * for (const { train, validation } of kFold(houses, 5)) scores.push(await trainAndScore(train, validation));
 */
export function kFold<B>(dataset: Dataset<B>, folds: number, options: SplitOptions = {}): Fold<B>[] {
  if (!Number.isInteger(folds) || folds < 2 || folds > dataset.length)
    throw new ValueError(
      `kFold: ${folds} folds of ${dataset.length} samples. Give a whole number from 2 to the number of samples.`,
    );
  const order = [...dealingOrder(dataset, options)];
  const endOf = (k: number): number => Math.ceil((k * dataset.length) / folds);
  return Array.from({ length: folds }, (_, k) => ({
    train: subset(dataset, [...order.slice(0, endOf(k)), ...order.slice(endOf(k + 1))]),
    validation: subset(dataset, order.slice(endOf(k), endOf(k + 1))),
  }));
}
