/**
 * Datasets made of other datasets: some of the samples, or each of them changed. Nothing is copied until a batch is
 * filled.
 */
import { type Tensor, type TypedArray, ValueError, zerosArray } from '@dl/tensor';
import { type Dataset, type Field, fieldSize } from './dataset';
import { RandomStream } from './random';

class Subset<B> implements Dataset<B> {
  readonly length: number;
  readonly fields: readonly Field[];

  constructor(
    private readonly of: Dataset<B>,
    private readonly indices: ArrayLike<number>,
  ) {
    this.length = indices.length;
    this.fields = of.fields;
  }

  copy(index: number, into: readonly TypedArray[], position: number, epoch: number): void {
    const inner = this.indices[index];
    if (inner === undefined) {
      throw new ValueError(`subset: there is no sample ${index}; there are ${this.length}, from 0 on`);
    }
    this.of.copy(inner, into, position, epoch);
  }

  assemble(tensors: readonly Tensor[]): B {
    return this.of.assemble(tensors);
  }
}

/**
 * The samples of a dataset at the given indices, in that order; an index may come more than once.
 *
 * @throws ValueError for an index outside the dataset
 */
export function subset<B>(dataset: Dataset<B>, indices: ArrayLike<number>): Dataset<B> {
  const kept = Float64Array.from(indices);
  for (const index of kept) {
    if (!Number.isInteger(index) || index < 0 || index >= dataset.length) {
      throw new ValueError(`subset: there is no sample ${index}; there are ${dataset.length}, from 0 on`);
    }
  }
  return new Subset(dataset, kept);
}

/**
 * The first `count` samples of a dataset.
 *
 * @throws ValueError if there are fewer
 */
export function take<B>(dataset: Dataset<B>, count: number): Dataset<B> {
  if (!Number.isInteger(count) || count < 0 || count > dataset.length) {
    throw new ValueError(`take: count is an integer from 0 to ${dataset.length}, the dataset's length, not ${count}`);
  }
  return subset(
    dataset,
    Uint32Array.from({ length: count }, (_, i) => i),
  );
}

/**
 * Changes one sample.
 *
 * @param sample - one array a field, holding the sample; without `fields` it is changed in place
 * @param random - a stream of its own for each (seed, epoch, index)
 * @param output - where the new sample is written; without `fields`, the same arrays as `sample`
 */
export type Transform = (sample: readonly TypedArray[], random: RandomStream, output: readonly TypedArray[]) => void;

export interface MapOptions {
  /** What the new samples consist of, in number and order as before. Default: the fields of the dataset. */
  readonly fields?: readonly Field[];
  /** Default 0. */
  readonly seed?: number;
}

class Mapped<B> implements Dataset<B> {
  readonly length: number;
  readonly fields: readonly Field[];
  private readonly sample: readonly TypedArray[];
  private readonly output: readonly TypedArray[];
  private readonly random = new RandomStream(0);
  private readonly seed: number;

  constructor(
    private readonly of: Dataset<B>,
    private readonly transform: Transform,
    options: MapOptions,
  ) {
    this.length = of.length;
    this.fields = options.fields ?? of.fields;
    this.seed = options.seed ?? 0;
    this.sample = of.fields.map((field) => zerosArray(field.dtype, fieldSize(field)));
    this.output = options.fields
      ? options.fields.map((field) => zerosArray(field.dtype, fieldSize(field)))
      : this.sample;
  }

  copy(index: number, into: readonly TypedArray[], position: number, epoch: number): void {
    this.of.copy(index, this.sample, 0, epoch);
    if (this.output !== this.sample) for (const array of this.output) array.fill(0);
    this.transform(this.sample, this.random.reset(this.seed, epoch, index), this.output);
    this.output.forEach((array, f) => into[f]!.set(array, position * array.length));
  }

  assemble(tensors: readonly Tensor[]): B {
    return this.of.assemble(tensors);
  }
}

/**
 * A dataset whose samples are those of another, each changed as it is put into a batch (augmentation, for one). The
 * change may be random: its stream depends on seed, epoch and index alone, so each epoch sees another variant and a
 * resumed run sees the same one.
 *
 * @param transform - changes the arrays it is given, or with `fields` writes to `output`, which begins as zeros
 * @throws ValueError if `fields` are not as many as the dataset's
 *
 * @example
 * const noisy = map(train, ([image], random) => {
 *   for (let i = 0; i < image!.length; i++) image![i]! += random.normal(0, 0.1);
 * });
 */
export function map<B>(dataset: Dataset<B>, transform: Transform, options: MapOptions = {}): Dataset<B> {
  if (options.fields && options.fields.length !== dataset.fields.length) {
    throw new ValueError(
      `map: a sample keeps its number of fields: the dataset has ${dataset.fields.length}, ` +
        `but ${options.fields.length} are given`,
    );
  }
  return new Mapped(dataset, transform, options);
}
