/** Datasets of tensors: their elements are read once and kept on the host, where batches are put together. */
import { ShapeError, type Tensor } from '@dl/tensor';
import { ArrayDataset, type Column } from './array-dataset';

/** Tensors in the form that batches are to have: a tuple, or a record. */
export type Tensors = readonly Tensor[] | Readonly<Record<string, Tensor>>;

/** A column in the place of each tensor. */
export type TensorColumns<T extends Tensors> = { readonly [K in keyof T]: Column };

/**
 * A dataset whose samples are the entries of tensors along their first axis.
 *
 * @param tensors - `[N, ...]` each, in an array, if a batch is to be a tuple, or a record
 * @throws ShapeError for a tensor without axes
 * @throws ValueError if the tensors differ in length
 *
 * @example
 * const dataset = await tensorDataset([inputs, targets]);
 */
export async function tensorDataset<const T extends Tensors>(tensors: T): Promise<ArrayDataset<TensorColumns<T>>> {
  const columns: [string, Column][] = [];
  for (const [key, each] of Object.entries(tensors) as [string, Tensor][]) {
    if (each.shape.length === 0) {
      throw new ShapeError(`tensorDataset: '${key}' has no axes, but the first axis is that of the samples`);
    }
    columns.push([key, { data: await each.data(), shape: each.shape, dtype: each.dtype }]);
  }
  const made = Array.isArray(tensors) ? columns.map(([, column]) => column) : Object.fromEntries(columns);
  return new ArrayDataset(made as unknown as TensorColumns<T>);
}
