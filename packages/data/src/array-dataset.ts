/**
 * Datasets that are in memory: columns of equal length, one a field. A column may be kept in a smaller type than
 * its batches have (pixels as bytes, batches as f32) and is then converted, and if asked normalised, as a batch is
 * filled.
 */
import {
  type DType,
  DTypeError,
  dtypeOfArray,
  ShapeError,
  type Tensor,
  type TypedArray,
  ValueError,
  zerosArray,
} from '@dl/tensor';
import { type Dataset, type Field, fieldSize } from './dataset';

/** The arrays that a column can be kept in. */
export type ColumnData = TypedArray | Int8Array | Int16Array | Uint8ClampedArray;

/** How stored values become batch values: out = (value · scale − mean) / std. */
export interface Normalization {
  /** 1/255 for bytes unless told, else 1. */
  readonly scale?: number;
  /** Default 0. */
  readonly mean?: number;
  /** Default 1. */
  readonly std?: number;
}

/** One field of all samples. */
export interface Column {
  /** The elements, sample by sample. */
  readonly data: ColumnData;
  /** The shape of the whole column, the number of samples first: `[60000, 1, 28, 28]`. Default `[data.length]`. */
  readonly shape?: readonly number[];
  /** The dtype of batches. Default: f32 if normalised, else the one of `data` (i32 for small integers). */
  readonly dtype?: DType;
  readonly normalize?: Normalization;
  /** Default: the column's key, or its place as in `field 0`. */
  readonly name?: string;
}

/** Columns in the form that batches have: a tuple, or a record. */
export type Columns = readonly Column[] | Readonly<Record<string, Column>>;

/** The batch of an {@link ArrayDataset}: a tensor in the place of each column. */
export type ColumnBatch<C extends Columns> = { -readonly [K in keyof C]: Tensor };

/** Writes sample `index` of a column into place `position` of a batch. */
type Copier = (index: number, into: TypedArray, position: number) => void;

/**
 * A dataset of arrays in memory.
 *
 * @example
 * const xor = new ArrayDataset([
 *   { data: new Float32Array([0, 0, 0, 1, 1, 0, 1, 1]), shape: [4, 2] },
 *   { data: new Int32Array([0, 1, 1, 0]) },
 * ]);
 * for await (const [x, y] of new DataLoader(xor, { batchSize: 2 })) console.log(x.shape, y.shape);
 */
export class ArrayDataset<const C extends Columns> implements Dataset<ColumnBatch<C>> {
  readonly length: number;
  readonly fields: readonly Field[];
  /** What it was made from: the stored elements, for whoever wants to look at them. */
  readonly columns: C;
  private readonly copiers: readonly Copier[];

  /**
   * @param columns - an array of columns, if a batch is to be a tuple, or a record of them
   * @throws ShapeError if a column's shape does not fit its elements
   * @throws ValueError if there is no column, the columns differ in length, or a normalisation is not finite
   * @throws DTypeError for a dtype that the elements cannot be converted to
   */
  constructor(columns: C) {
    const entries: [string, Column][] = Array.isArray(columns)
      ? columns.map((column: Column, i) => [column.name ?? `field ${i}`, column])
      : Object.entries(columns).map(([key, column]) => [key, column as Column]);
    if (entries.length === 0) throw new ValueError('ArrayDataset: there is no column; give at least one');
    this.columns = columns;
    this.fields = entries.map(([name, column]) => fieldOf(name, column));
    this.length = lengthOf(entries);
    this.copiers = entries.map(([, column], i) => copierOf(column, this.fields[i]!));
  }

  copy(index: number, into: readonly TypedArray[], position: number): void {
    if (!(index >= 0 && index < this.length)) {
      throw new ValueError(`ArrayDataset.copy: there is no sample ${index}; there are ${this.length}, from 0 on`);
    }
    for (let f = 0; f < this.copiers.length; f++) this.copiers[f]!(index, into[f]!, position);
  }

  assemble(tensors: readonly Tensor[]): ColumnBatch<C> {
    const batch = Array.isArray(this.columns)
      ? [...tensors]
      : Object.fromEntries(this.fields.map((field, i) => [field.name, tensors[i]!]));
    return batch as ColumnBatch<C>;
  }
}

const samplesOf = (column: Column): number => (column.shape ? (column.shape[0] ?? 0) : column.data.length);

function lengthOf(entries: readonly [string, Column][]): number {
  const [firstName, first] = entries[0]!;
  for (const [name, column] of entries) {
    if (samplesOf(column) !== samplesOf(first)) {
      throw new ValueError(
        `ArrayDataset: columns differ in length: '${firstName}' has ${samplesOf(first)} samples, ` +
          `'${name}' has ${samplesOf(column)}`,
      );
    }
  }
  return samplesOf(first);
}

function fieldOf(name: string, column: Column): Field {
  const shape = column.shape ?? [column.data.length];
  const count = shape.reduce((product, size) => product * size, 1);
  if (shape.length === 0 || count !== column.data.length) {
    throw new ShapeError(
      `ArrayDataset: the shape of '${name}' does not fit its elements: [${shape.join(', ')}] holds ${count}` +
        `${shape.length === 0 ? ' and lacks the axis of samples' : ''}, but there are ${column.data.length}`,
    );
  }
  return { name, dtype: column.dtype ?? defaultDType(column), shape: shape.slice(1) };
}

function defaultDType(column: Column): DType {
  if (column.normalize) return 'f32';
  return dtypeOfArray(column.data) ?? 'i32';
}

function copierOf(column: Column, field: Field): Copier {
  const size = fieldSize(field);
  const { data, normalize } = column;
  if (field.dtype === 'f16') {
    throw new DTypeError(`ArrayDataset: '${field.name}' asks for f16, which no column converts to; use f32 and cast`);
  }
  if (!normalize && storedAs(data, field.dtype)) return copyOf(data as TypedArray, size);
  const convert = conversion(column, field);
  if (data instanceof Uint8Array && field.dtype === 'f32') {
    return lookup(
      data,
      Float32Array.from({ length: 256 }, (_, byte) => convert(byte)),
      size,
    );
  }
  return (index, into, position) => {
    const from = index * size;
    const to = position * size;
    for (let i = 0; i < size; i++) into[to + i] = convert(data[from + i]!);
  };
}

const storedAs = (data: ColumnData, dtype: DType): boolean =>
  data.constructor === zerosArray(dtype, 0).constructor && dtype !== 'bool';

function conversion(column: Column, field: Field): (value: number) => number {
  const { data, normalize } = column;
  if (!normalize) return field.dtype === 'bool' ? (value) => (value === 0 ? 0 : 1) : (value) => value;
  const bytes = data instanceof Uint8Array || data instanceof Uint8ClampedArray;
  const { scale = bytes ? 1 / 255 : 1, mean = 0, std = 1 } = normalize;
  if (![scale, mean, std].every(Number.isFinite) || std === 0) {
    throw new ValueError(
      `ArrayDataset: '${field.name}' is normalised by finite numbers and a std other than 0, ` +
        `but scale is ${scale}, mean ${mean}, std ${std}`,
    );
  }
  if (field.dtype !== 'f32' && field.dtype !== 'f64') {
    throw new DTypeError(`ArrayDataset: '${field.name}' is normalised and must be f32 or f64, not ${field.dtype}`);
  }
  return (value) => (value * scale - mean) / std;
}

function copyOf(data: TypedArray, size: number): Copier {
  if (size === 1) {
    return (index, into, position) => {
      into[position] = data[index]!;
    };
  }
  return (index, into, position) => into.set(data.subarray(index * size, index * size + size), position * size);
}

/** Bytes become floats through a table of all 256, which is what makes a batch of pictures cheap. */
function lookup(data: Uint8Array, table: Float32Array, size: number): Copier {
  return (index, into, position) => {
    const from = index * size;
    const to = position * size;
    for (let i = 0; i < size; i++) into[to + i] = table[data[from + i]!]!;
  };
}
