/** Convolution layers: the parameters of `convolution.ts`, their first values, and the checks of a constructor. */
import { type Tensor, ValueError } from '@dl/tensor';
import {
  type ConvolutionOptions,
  checkPaddingMode,
  convolutionSpec,
  convolve,
  convolveTransposed,
  type PerAxis,
  perAxis,
  type TransposedOptions,
} from './convolution';
import { fanInUniform } from './init';
import type { WeightOptions } from './linear';
import { Module } from './module';
import { Parameter } from './parameter';

export interface ConvOptions extends ConvolutionOptions, WeightOptions {}
export interface ConvTransposeOptions extends TransposedOptions, WeightOptions {}

function checkChannels(name: string, inChannels: number, outChannels: number, groups: number): void {
  if (!Number.isInteger(groups) || groups < 1 || inChannels % groups !== 0 || outChannels % groups !== 0) {
    throw new ValueError(
      `${name}: ${groups} groups do not divide ${inChannels} input and ${outChannels} output channels. Choose a common divisor.`,
    );
  }
}

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** The parameters of either kind, with first values for the fan of the weight's second axis, as PyTorch has it for both. */
function parametersOf(
  name: string,
  shape: readonly number[],
  outChannels: number,
  { bias = true, dtype = 'f32', weightInit, biasInit }: WeightOptions,
): { readonly weight: Parameter; readonly bias: Parameter | null } {
  const init = fanInUniform(product(shape.slice(1)));
  const weight = new Parameter((weightInit ?? init)(shape, { dtype }), { name: `${name}.weight` });
  if (!bias) return { weight, bias: null };
  return { weight, bias: new Parameter((biasInit ?? init)([outChannels], { dtype }), { name: `${name}.bias` }) };
}

/** What the three ranks share. */
abstract class Conv extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  readonly kernelSize: readonly number[];
  readonly #options: ConvolutionOptions;

  constructor(
    rank: number,
    readonly inChannels: number,
    readonly outChannels: number,
    kernelSize: PerAxis,
    options: ConvOptions,
  ) {
    super();
    const name = `Conv${rank}d`;
    const { groups = 1, paddingMode = 'zeros', stride, padding, dilation } = options;
    this.kernelSize = perAxis(name, 'kernelSize', kernelSize, rank, 1);
    checkChannels(name, inChannels, outChannels, groups);
    checkPaddingMode(name, paddingMode);
    this.#options = { stride, padding, paddingMode, dilation, groups } as ConvolutionOptions;
    convolutionSpec(name, this.kernelSize, this.#options);
    const shape = [outChannels, inChannels / groups, ...this.kernelSize];
    ({ weight: this.weight, bias: this.bias } = parametersOf(name, shape, outChannels, options));
  }

  forward(x: Tensor): Tensor {
    return convolve(x, this.weight, this.bias, this.#options);
  }
}

/**
 * Convolution over one axis: `[N, inChannels, L]` to `[N, outChannels, L']`.
 * Parameters `weight [outChannels, inChannels / groups, k]` and `bias [outChannels]`.
 */
export class Conv1d extends Conv {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvOptions = {}) {
    super(1, inChannels, outChannels, kernelSize, options);
  }
}

/**
 * Convolution over two axes: `[N, inChannels, H, W]` to `[N, outChannels, H', W']`.
 * Parameters `weight [outChannels, inChannels / groups, kH, kW]` and `bias [outChannels]`.
 *
 * @example
 * const conv = new Conv2d(1, 6, 5, { padding: 'same' });
 */
export class Conv2d extends Conv {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvOptions = {}) {
    super(2, inChannels, outChannels, kernelSize, options);
  }
}

/** Convolution over three axes: `[N, inChannels, D, H, W]` to `[N, outChannels, D', H', W']`. */
export class Conv3d extends Conv {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvOptions = {}) {
    super(3, inChannels, outChannels, kernelSize, options);
  }
}

abstract class ConvTranspose extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  readonly kernelSize: readonly number[];
  readonly #options: TransposedOptions;

  constructor(
    rank: number,
    readonly inChannels: number,
    readonly outChannels: number,
    kernelSize: PerAxis,
    options: ConvTransposeOptions,
  ) {
    super();
    const name = `ConvTranspose${rank}d`;
    const { groups = 1, stride, padding, dilation, outputPadding } = options;
    this.kernelSize = perAxis(name, 'kernelSize', kernelSize, rank, 1);
    checkChannels(name, inChannels, outChannels, groups);
    this.#options = { stride, padding, dilation, outputPadding, groups } as TransposedOptions;
    const shape = [inChannels, outChannels / groups, ...this.kernelSize];
    ({ weight: this.weight, bias: this.bias } = parametersOf(name, shape, outChannels, options));
  }

  forward(x: Tensor): Tensor {
    return convolveTransposed(x, this.weight, this.bias, this.#options);
  }
}

/** Transposed convolution over one axis. Parameters `weight [inChannels, outChannels / groups, k]` and `bias`. */
export class ConvTranspose1d extends ConvTranspose {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvTransposeOptions = {}) {
    super(1, inChannels, outChannels, kernelSize, options);
  }
}

/** Transposed convolution over two axes. Parameters `weight [inChannels, outChannels / groups, kH, kW]` and `bias`. */
export class ConvTranspose2d extends ConvTranspose {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvTransposeOptions = {}) {
    super(2, inChannels, outChannels, kernelSize, options);
  }
}

/** Transposed convolution over three axes. */
export class ConvTranspose3d extends ConvTranspose {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvTransposeOptions = {}) {
    super(3, inChannels, outChannels, kernelSize, options);
  }
}
