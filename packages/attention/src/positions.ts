/**
 * Positions that are added to a sequence: sines and cosines, or learned vectors. Both have a longest sequence, the
 * context; what is longer is an error. A start may be an i32 scalar, so that a compiled step of generation reads it as data.
 */
import { type Initializer, Module, normal, Parameter } from '@dl/layers';
import { type RuntimeStart, type Shape, ShapeError, showShape, type Tensor, tensor, ValueError } from '@dl/tensor';

export interface SinusoidalOptions {
  /** Default 10,000. */
  readonly base?: number;
  /** The first position. Default 0. */
  readonly offset?: number;
}

/**
 * A table of sines and cosines of geometrically growing wave lengths.
 * pe[p, 2i] = sin(p / base^(2i/d)), pe[p, 2i + 1] = cos of the same
 *
 * @returns f32 `[length, dModel]`, computed on the host in f64
 * @throws ValueError for a width that is odd
 * @see Vaswani et al. 2017, section 3.5
 */
export function sinusoidal(
  length: number,
  dModel: number,
  { base = 10000, offset = 0 }: SinusoidalOptions = {},
): Tensor {
  if (!Number.isInteger(dModel) || dModel < 2 || dModel % 2 !== 0)
    throw new ValueError(`sinusoidal: the width is ${dModel}, but sines and cosines need an even one, at least 2.`);
  const table = new Float32Array(length * dModel);
  for (let p = 0; p < length; p++) {
    for (let i = 0; i < dModel; i += 2) {
      const angle = (p + offset) / base ** (i / dModel);
      table[p * dModel + i] = Math.sin(angle);
      table[p * dModel + i + 1] = Math.cos(angle);
    }
  }
  return tensor(table, [length, dModel]);
}

export interface PositionOptions {
  /** The position of the first element; an i32 scalar tensor is read when the kernel runs. Default 0. */
  readonly start?: RuntimeStart;
}

/** @throws ShapeError if a sequence is empty or longer than the context */
export function checkContext(operation: string, shape: Shape, length: number, context: number): void {
  if (length === 0)
    throw new ShapeError(`${operation}: the sequence of ${showShape(shape)} is empty. Give at least one token.`);
  if (length > context)
    throw new ShapeError(
      `${operation}: the sequence of ${showShape(shape)} has ${length} tokens, but the context is ${context}. Cut it, or make the model with a longer context.`,
    );
}

function addRows(operation: string, x: Tensor, table: Tensor, { start = 0 }: PositionOptions): Tensor {
  const [context, width] = table.dims(2);
  const length = x.shape.at(-2) ?? 0;
  if (x.rank < 2 || x.shape.at(-1) !== width)
    throw new ShapeError(`${operation}: x is ${showShape(x.shape)}, but must be [..., length, ${width}].`);
  checkContext(operation, x.shape, length + (typeof start === 'number' ? start : 0), context);
  return x.add(table.slice([start, 0], [length, width]).cast(x.dtype));
}

/** Adds {@link sinusoidal} positions to `[..., T, dModel]`. It has no parameters and no state. */
export class SinusoidalPositions extends Module {
  readonly #table: Tensor;

  constructor(
    readonly maxLength: number,
    readonly dModel: number,
    options: SinusoidalOptions = {},
  ) {
    super();
    this.#table = sinusoidal(maxLength, dModel, options);
  }

  /** @throws ShapeError if the sequence is longer than `maxLength` */
  forward(x: Tensor, options: PositionOptions = {}): Tensor {
    return addRows('SinusoidalPositions', x, this.#table, options);
  }
}

export interface LearnedPositionsOptions {
  /** Default: normal with standard deviation 0.02. */
  readonly weightInit?: Initializer;
}

/** Adds learned positions to `[..., T, dModel]`. Parameter `weight [maxLength, dModel]`. */
export class LearnedPositions extends Module {
  readonly weight: Parameter;

  constructor(
    readonly maxLength: number,
    readonly dModel: number,
    { weightInit = normal(0, 0.02) }: LearnedPositionsOptions = {},
  ) {
    super();
    this.weight = new Parameter(weightInit([maxLength, dModel]), { name: 'LearnedPositions.weight' });
  }

  /** @throws ShapeError if the sequence is longer than `maxLength` */
  forward(x: Tensor, options: PositionOptions = {}): Tensor {
    return addRows('LearnedPositions', x, this.weight, options);
  }
}
