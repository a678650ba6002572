/** Vectors for indices: rows of a table that is learned. */
import { stopGradient } from '@dl/autograd';
import { type DType, DTypeError, inOperation, isFloat, type Tensor, ValueError } from '@dl/tensor';
import { type Initializer, normal } from './init';
import { Module } from './module';
import { Parameter } from './parameter';

export interface EmbedOptions {
  /** A row that indices of padding name: it gets no gradient. Negative counts from the end. Default: none. */
  readonly paddingIdx?: number | null;
}

function rowOf(paddingIdx: number, rows: number): number {
  const row = paddingIdx < 0 ? paddingIdx + rows : paddingIdx;
  if (!Number.isInteger(row) || row < 0 || row >= rows)
    throw new ValueError(
      `embedding: paddingIdx is ${paddingIdx}, but the table has ${rows} rows. Give one from ${-rows} to ${rows - 1}.`,
    );
  return row;
}

/**
 * The rows of a table that indices name.
 *
 * @param indices - integers of any shape, in [0, rows)
 * @param weight - `[rows, dim]`
 * @returns `[...indices.shape, dim]`
 * @throws DTypeError if the indices are floats, ValueError if `paddingIdx` is no row; an index out of range rejects the next read
 * @example
 * const vectors = embed(tensor([3, 1], null, { dtype: 'i32' }), table);
 */
export function embed(indices: Tensor, weight: Tensor, { paddingIdx = null }: EmbedOptions = {}): Tensor {
  const [rows] = weight.dims(2);
  if (isFloat(indices.dtype))
    throw new DTypeError(`embedding: indices are integers, but got ${indices.dtype}. Use cast('i32').`);
  const vectors = inOperation('embedding', () => weight.take(0, indices));
  if (paddingIdx === null) return vectors;
  return indices.eq(rowOf(paddingIdx, rows)).unsqueeze(-1).where(stopGradient(vectors), vectors);
}

export interface EmbeddingOptions extends EmbedOptions {
  /** Default: normal with standard deviation 1; the row of padding is 0 in either case. */
  readonly weightInit?: Initializer;
  /** f32 (the default) or f64. */
  readonly dtype?: DType;
}

/**
 * {@link embed} as a layer: integers of any shape to `[..., embeddingDim]`.
 * Parameter `weight [numEmbeddings, embeddingDim]`.
 *
 * @example
 * const tokens = new Embedding(10_000, 256, { paddingIdx: 0 });
 */
export class Embedding extends Module {
  readonly weight: Parameter;
  readonly paddingIdx: number | null;

  constructor(
    readonly numEmbeddings: number,
    readonly embeddingDim: number,
    { paddingIdx = null, weightInit = normal(), dtype = 'f32' }: EmbeddingOptions = {},
  ) {
    super();
    this.paddingIdx = paddingIdx === null ? null : rowOf(paddingIdx, numEmbeddings);
    const drawn = weightInit([numEmbeddings, embeddingDim], { dtype });
    const initial = this.paddingIdx === null ? drawn : drawn.with([this.paddingIdx], 0);
    this.weight = new Parameter(initial, { name: 'Embedding.weight' });
  }

  forward(indices: Tensor): Tensor {
    return embed(indices, this.weight, { paddingIdx: this.paddingIdx });
  }
}
