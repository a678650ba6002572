/**
 * What a dataset is. A dataset says how many samples it has, what fields a sample consists of, and copies one sample
 * into its place in a batch; it makes no tensors and no objects per sample. Which samples form a batch, in what
 * order, and in which storage, is for `loader.ts`.
 */
import type { DType, Tensor, TypedArray } from '@dl/tensor';

/** One of the values that a sample consists of. */
export interface Field {
  /** What errors and `split({ stratify })` call it; the key in a batch that is a record. */
  readonly name: string;
  readonly dtype: DType;
  /** The shape of one sample, without the batch axis: `[1, 28, 28]`, or `[]` for a number. */
  readonly shape: readonly number[];
}

/** What a batch can be: tensors in a tuple, or under names. Each is `[B, ...field.shape]`. */
export type Batch = readonly Tensor[] | Readonly<Record<string, Tensor>>;

/**
 * Samples that can be had by index.
 *
 * @typeParam B - what a batch is: a tuple such as `[Tensor, Tensor]`, or a record such as `{ image: Tensor }`
 */
export interface Dataset<B = Batch> {
  /** The number of samples. */
  readonly length: number;
  readonly fields: readonly Field[];

  /**
   * Writes sample `index` into place `position` of a batch: field f's elements go to
   * `into[f][position * n]` … `into[f][position * n + n - 1]`, where n is the number of elements of the field.
   *
   * @param index - from 0 to `length` − 1
   * @param into - one array a field, of the field's dtype, with room for the whole batch
   * @param position - the sample's place in the batch
   * @param epoch - how often the loader has been through the dataset; random transforms draw anew from it
   */
  copy(index: number, into: readonly TypedArray[], position: number, epoch: number): void;

  /** Puts the tensors of a batch, one a field, into the form that a batch of this dataset has. */
  assemble(tensors: readonly Tensor[]): B;
}

/** What a batch of a dataset is: `BatchOf<typeof train>`. */
export type BatchOf<D> = D extends Dataset<infer B> ? B : never;

/** The number of elements of one sample of a field: 784 for `[1, 28, 28]`, 1 for `[]`. */
export const fieldSize = (field: Field): number => field.shape.reduce((product, size) => product * size, 1);
