export {
  ArrayDataset,
  type Column,
  type ColumnBatch,
  type ColumnData,
  type Columns,
  type Normalization,
} from './array-dataset';
export type { ByteSource } from './bytes';
export { type Batch, type BatchOf, type Dataset, type Field, fieldSize } from './dataset';
export { type GenerateDatesOptions, generateDates, type WrittenDate } from './dates';
export { type GenerateDigitsOptions, generateDigits } from './digits/generate';
export { type IdxArray, type IdxArrays, type IdxType, parseIdx, readIdx } from './idx';
export { type Fold, kFold } from './k-fold';
export { DataLoader, type DataLoaderOptions, type DataLoaderState, type StopSignal } from './loader';
export {
  type DigitDataset,
  type DigitOptions,
  digitDataset,
  MNIST_NORMALIZATION,
  type MnistFiles,
  type MnistOptions,
  mnist,
} from './mnist';
export { RandomStream } from './random';
export { type SplitOptions, split } from './split';
export { type TensorColumns, type Tensors, tensorDataset } from './tensor-dataset';
export * from './text';
export { type MapOptions, map, subset, type Transform, take } from './views';
