/**
 * Convolutions of one, two and three spatial axes, and their transposes. This file decides how options become the one
 * `convolution` of the tensor package: what padding words mean, and that a transposed convolution is a convolution of
 * data spread by the stride with the flipped kernel.
 */
import { type ConvolutionSpec, padWith, ShapeError, showShape, type Tensor, ValueError } from '@dl/tensor';

/** One number for each spatial axis, or one for all. */
export type PerAxis = number | readonly number[];

/**
 * How much is put around the data: a number for both sides of each axis, a [before, after] pair an axis, `valid` for none,
 * `same` so that stride 1 keeps the size (the odd one goes after), `full` so that every overlap counts.
 */
export type Padding = PerAxis | readonly (readonly [number, number])[] | 'valid' | 'same' | 'full';

/** What is put around the data: zeros, its mirror image without the edge, its edge repeated, or its other end. */
export type PaddingMode = 'zeros' | 'reflect' | 'replicate' | 'circular';

export interface ConvolutionOptions {
  /** Default 1. */
  readonly stride?: PerAxis;
  /** Default 0. */
  readonly padding?: Padding;
  /** Default `zeros`. */
  readonly paddingMode?: PaddingMode;
  /** Distance between kernel elements. Default 1. */
  readonly dilation?: PerAxis;
  /** Parts of the channels that do not see each other. Default 1. */
  readonly groups?: number;
}

export interface TransposedOptions extends Omit<ConvolutionOptions, 'padding' | 'paddingMode'> {
  /** What a convolution with the same options would pad. Default 0. */
  readonly padding?: PerAxis;
  /** Added to one side of the result, for the sizes that the stride rounded off. Default 0. */
  readonly outputPadding?: PerAxis;
}

/** A number for each axis. */
export function perAxis(operation: string, what: string, value: PerAxis, rank: number, least = 0): number[] {
  const list = typeof value === 'number' ? Array<number>(rank).fill(value) : [...value];
  if (list.length !== rank) {
    throw new ValueError(
      `${operation}: ${what} is [${list.join(', ')}], but there are ${rank} spatial axes. Give one number, or one an axis.`,
    );
  }
  if (!list.every((n) => Number.isInteger(n) && n >= least)) {
    throw new ValueError(`${operation}: ${what} is [${list.join(', ')}]. It is a whole number of at least ${least}.`);
  }
  return list;
}

/** [before, after] for each axis. */
export function paddingPairs(
  operation: string,
  padding: Padding,
  kernel: readonly number[],
  dilation: readonly number[],
): [number, number][] {
  const reach = kernel.map((k, i) => (k - 1) * dilation[i]!);
  if (padding === 'valid') return kernel.map(() => [0, 0]);
  if (padding === 'full') return reach.map((r) => [r, r]);
  if (padding === 'same') return reach.map((r) => [Math.floor(r / 2), Math.ceil(r / 2)]);
  if (typeof padding === 'string')
    throw new ValueError(`${operation}: padding '${String(padding)}' is none of 'valid', 'same' and 'full'.`);
  if (typeof padding === 'object' && padding.some((p) => typeof p === 'object')) {
    return padding.map((p) => {
      const [low, high] = perAxis(operation, 'a padding pair', p, 2);
      return [low!, high!];
    });
  }
  return perAxis(operation, 'padding', padding as PerAxis, kernel.length).map((p) => [p, p]);
}

/** How a convolution with these options slides over the padded data. */
export function convolutionSpec(
  operation: string,
  kernel: readonly number[],
  options: ConvolutionOptions,
): ConvolutionSpec {
  const rank = kernel.length;
  const stride = perAxis(operation, 'stride', options.stride ?? 1, rank, 1);
  const rhsDilation = perAxis(operation, 'dilation', options.dilation ?? 1, rank, 1);
  if (options.padding === 'same' && stride.some((s) => s !== 1)) {
    throw new ValueError(
      `${operation}: padding 'same' needs stride 1, but the stride is [${stride.join(', ')}]. Give the padding in numbers.`,
    );
  }
  const padding = paddingPairs(operation, options.padding ?? 0, kernel, rhsDilation);
  if (padding.length !== rank)
    throw new ValueError(`${operation}: ${padding.length} padding pairs are given for ${rank} spatial axes.`);
  return { stride, padding, lhsDilation: kernel.map(() => 1), rhsDilation, groups: options.groups ?? 1 };
}

const paddingModes: readonly PaddingMode[] = ['zeros', 'reflect', 'replicate', 'circular'];

/** @throws ValueError for a mode that is none */
export function checkPaddingMode(operation: string, mode: PaddingMode): void {
  if (!paddingModes.includes(mode))
    throw new ValueError(`${operation}: paddingMode '${String(mode)}' is none of '${paddingModes.join("', '")}'.`);
}

/** Zeros are the convolution's own business, as bounds of its loops; other modes are movement before it. */
function padded(data: Tensor, spec: ConvolutionSpec, mode: PaddingMode): [Tensor, ConvolutionSpec] {
  if (mode === 'zeros') return [data, spec];
  return [padWith(data, spec.padding, { mode }), { ...spec, padding: spec.padding.map(() => [0, 0]) }];
}

/** Adds a bias to each channel, `[O]` beside `[N, O, spatial…]`. */
const withBias = (y: Tensor, bias: Tensor | null, rank: number): Tensor =>
  bias === null ? y : y.add(bias.reshape([bias.size, ...Array<number>(rank).fill(1)]));

/** Runs `body` on `[N, C, spatial…]`, adding the batch axis if it is missing. */
function batched(operation: string, x: Tensor, rank: number, body: (x: Tensor) => Tensor): Tensor {
  if (x.rank === rank + 2) return body(x);
  if (x.rank === rank + 1) return body(x.unsqueeze(0)).squeeze(0);
  throw new ShapeError(
    `${operation}: x is ${showShape(x.shape)}, but data is [N, C, ${spatialAxes(rank)}], or without N. Reshape it.`,
  );
}

const spatialAxes = (rank: number): string => ['L', 'H, W', 'D, H, W'][rank - 1] ?? 'spatial…';

function checkChannels(operation: string, x: Tensor, channels: number): void {
  if (x.shape[1] !== channels) {
    throw new ShapeError(
      `${operation}: x ${showShape(x.shape)} has ${x.shape[1]} channels, but the weight takes ${channels} (${x.shape[1]} ≠ ${channels}). Channels are axis 1: [N, C, …].`,
    );
  }
}

/**
 * Cross-correlation with a weight, over as many spatial axes as the weight has.
 *
 * @param x - `[N, C, spatial…]`, or without N
 * @param weight - `[O, C / groups, kernel…]`
 * @param bias - `[O]`, or null
 * @returns `[N, O, spatial…]`; size floor((n + padding − dilation·(k − 1) − 1) / stride) + 1
 * @throws ShapeError if channels or ranks do not fit or a mirror is longer than the data, ValueError for options out of range
 */
export function convolve(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: ConvolutionOptions = {},
): Tensor {
  const rank = weight.rank - 2;
  const operation = `conv${rank}d`;
  const wanted = convolutionSpec(operation, weight.shape.slice(2), options);
  const { paddingMode = 'zeros' } = options;
  checkPaddingMode(operation, paddingMode);
  return batched(operation, x, rank, (inside) => {
    checkChannels(operation, inside, weight.shape[1]! * wanted.groups);
    checkReach(operation, inside, wanted, weight);
    const [data, spec] = padded(inside, wanted, paddingMode);
    return withBias(data.convolution(weight, spec), bias, rank);
  });
}

/** A kernel that does not fit in the padded data has no place at all; a result of no elements would hide that. */
function checkReach(operation: string, data: Tensor, spec: ConvolutionSpec, weight: Tensor): void {
  const padded = data.shape.slice(2).map((n, i) => n + spec.padding[i]![0] + spec.padding[i]![1]);
  const reach = weight.shape.slice(2).map((k, i) => (k - 1) * spec.rhsDilation[i]! + 1);
  if (reach.every((r, i) => r <= padded[i]!)) return;
  throw new ShapeError(
    `${operation}: the kernel reaches over ${showShape(reach)}, but the padded data is ${showShape(padded)}. Pad more, or use a smaller kernel.`,
  );
}

/**
 * The transpose of {@link convolve}: its gradient with respect to the data, as an operation of its own.
 *
 * @param x - `[N, C, spatial…]`, or without N
 * @param weight - `[C, O / groups, kernel…]`
 * @returns `[N, O, spatial…]`; size (n − 1)·stride − 2·padding + dilation·(k − 1) + outputPadding + 1
 */
export function convolveTransposed(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: TransposedOptions = {},
): Tensor {
  const kernel = weight.shape.slice(2);
  const rank = kernel.length;
  const operation = `convTranspose${rank}d`;
  const { groups = 1 } = options;
  const stride = perAxis(operation, 'stride', options.stride ?? 1, rank, 1);
  const dilation = perAxis(operation, 'dilation', options.dilation ?? 1, rank, 1);
  const extra = perAxis(operation, 'outputPadding', options.outputPadding ?? 0, rank);
  const less = perAxis(operation, 'padding', options.padding ?? 0, rank);
  if (extra.some((e, i) => e >= Math.max(stride[i]!, dilation[i]!))) {
    throw new ValueError(
      `${operation}: outputPadding [${extra.join(', ')}] is smaller than the stride or the dilation, [${stride.join(', ')}] or [${dilation.join(', ')}].`,
    );
  }
  const padding = kernel.map((k, i): [number, number] => {
    const reach = (k - 1) * dilation[i]! - less[i]!;
    return [reach, reach + extra[i]!];
  });
  const spec = { stride: kernel.map(() => 1), padding, lhsDilation: stride, rhsDilation: dilation, groups };
  return batched(operation, x, rank, (data) => {
    checkChannels(operation, data, weight.shape[0]!);
    return withBias(data.convolution(flipped(weight, groups), spec), bias, rank);
  });
}

/** `[C, O / groups, kernel…]` as the weight `[O, C / groups, kernel…]` of the convolution, each kernel turned round. */
function flipped(weight: Tensor, groups: number): Tensor {
  const [input, output, ...kernel] = weight.shape as readonly [number, number, ...number[]];
  const turned = weight.flip(kernel.map((_, i) => i + 2));
  if (groups === 1) return turned.transpose(0, 1);
  const parts = turned.reshape([groups, input / groups, output, ...kernel]); // [G, C/G, O/G, kernel…]
  return parts.transpose(1, 2).reshape([groups * output, input / groups, ...kernel]);
}
