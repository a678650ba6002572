/** The partial inverse of max pooling: each maximum back at its place, and zeros elsewhere. */
import { inOperation, ShapeError, sameShape, showShape, type Tensor, zeros } from '@dl/tensor';
import { type PerAxis, perAxis } from './convolution';
import { Module } from './module';

export interface UnpoolOptions {
  /** Of the pooling. Default: the window's size. */
  readonly stride?: PerAxis;
  /** Of the pooling. Default 0. */
  readonly padding?: PerAxis;
  /** Sizes of the plane. Default (n − 1) · stride − 2 · padding + size: what the pooling had, if nothing was rounded off. */
  readonly outputSize?: readonly number[];
}

/**
 * Puts values back where {@link maxPoolIndices} found them.
 *
 * @param x - `[N, C, windows…]`, or without N
 * @param indices - i32, the shape of `x`: flat places in the plane
 * @param size - of the pooling's window; one number, or one for each of the plane's axes
 * @returns `[N, C, outputSize…]`
 * @throws ShapeError if `x` and `indices` differ in shape, or the sizes do not fit; a place outside the plane rejects the next read
 * @see Zeiler & Fergus 2014, section 2.1
 */
export function maxUnpool(
  x: Tensor,
  indices: Tensor,
  size: PerAxis,
  rank: number,
  options: UnpoolOptions = {},
): Tensor {
  const operation = `maxUnpool${rank}d`;
  if (!sameShape(x.shape, indices.shape) || (x.rank !== rank + 1 && x.rank !== rank + 2)) {
    throw new ShapeError(
      `${operation}: x is ${showShape(x.shape)} and the indices are ${showShape(indices.shape)}. Both are [N, C, windows…] with ${rank} axes of windows, or without N.`,
    );
  }
  const kernel = perAxis(operation, 'size', size, rank, 1);
  const stride = perAxis(operation, 'stride', options.stride ?? kernel, rank, 1);
  const padding = perAxis(operation, 'padding', options.padding ?? 0, rank);
  const lead = x.shape.slice(0, x.rank - rank);
  const windows = x.shape.slice(x.rank - rank);
  const plane =
    options.outputSize === undefined
      ? windows.map((n, i) => (n - 1) * stride[i]! - 2 * padding[i]! + kernel[i]!)
      : perAxis(operation, 'outputSize', options.outputSize.slice(-rank), rank);
  const count = plane.reduce((a, b) => a * b, 1);
  const flat = [...lead, windows.reduce((a, b) => a * b, 1)];
  const [values, places] = [x.reshape(flat), indices.reshape(flat)];
  const empty = zeros([...lead, count], x.dtype);
  return inOperation(operation, () => empty.scatter(lead.length, places, values)).reshape([...lead, ...plane]);
}

/** What the three ranks share. */
abstract class MaxUnpool extends Module {
  readonly #rank: number;
  readonly #options: UnpoolOptions;

  constructor(
    rank: number,
    readonly kernelSize: PerAxis,
    options: Omit<UnpoolOptions, 'outputSize'>,
  ) {
    super();
    this.#rank = rank;
    this.#options = options;
  }

  /** @param outputSize - sizes of the plane, where the pooling rounded them off */
  forward(x: Tensor, indices: Tensor, outputSize?: readonly number[]): Tensor {
    const options = outputSize === undefined ? this.#options : { ...this.#options, outputSize };
    return maxUnpool(x, indices, this.kernelSize, this.#rank, options);
  }
}

/** {@link maxUnpool} to `[N, C, L]`. */
export class MaxUnpool1d extends MaxUnpool {
  constructor(kernelSize: PerAxis, options: Omit<UnpoolOptions, 'outputSize'> = {}) {
    super(1, kernelSize, options);
  }
}

/** {@link maxUnpool} to `[N, C, H, W]`. */
export class MaxUnpool2d extends MaxUnpool {
  constructor(kernelSize: PerAxis, options: Omit<UnpoolOptions, 'outputSize'> = {}) {
    super(2, kernelSize, options);
  }
}

/** {@link maxUnpool} to `[N, C, D, H, W]`. */
export class MaxUnpool3d extends MaxUnpool {
  constructor(kernelSize: PerAxis, options: Omit<UnpoolOptions, 'outputSize'> = {}) {
    super(3, kernelSize, options);
  }
}
