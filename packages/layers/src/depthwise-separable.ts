/** Convolutions in two steps: each channel by itself in space, then all channels at each place. */
import type { Tensor } from '@dl/tensor';
import { Conv2d, type ConvOptions } from './conv-layers';
import type { PerAxis } from './convolution';
import { Module } from './module';

export interface DepthwiseSeparableOptions extends Omit<ConvOptions, 'groups'> {
  /** Outputs of the first step for each input channel. Default 1. */
  readonly depthMultiplier?: number;
}

/**
 * Depthwise separable convolution of `[N, inChannels, H, W]` to `[N, outChannels, H', W']`: a kernel for each channel, and
 * then a linear map of the channels. It multiplies about k² times less than a convolution with k × k kernels.
 *
 * Parameters of `depthwise` (`weight [inChannels · depthMultiplier, 1, kH, kW]`, `bias`) and of `pointwise`
 * (`weight [outChannels, inChannels · depthMultiplier, 1, 1]`, `bias`).
 *
 * @see Chollet 2017; Howard et al. 2017, section 3.1
 * @example
 * const conv = new DepthwiseSeparableConv2d(32, 64, 3, { padding: 1, stride: 2 });
 */
export class DepthwiseSeparableConv2d extends Module {
  readonly depthwise: Conv2d;
  readonly pointwise: Conv2d;

  /** @param options - of the convolution in space; `bias`, initialisers and dtype are for both steps */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: PerAxis,
    { depthMultiplier = 1, ...options }: DepthwiseSeparableOptions = {},
  ) {
    super();
    const { stride: _, padding: __, dilation: ___, ...weights } = options;
    const middle = inChannels * depthMultiplier;
    this.depthwise = new Conv2d(inChannels, middle, kernelSize, { ...options, groups: inChannels });
    this.pointwise = new Conv2d(middle, outChannels, 1, weights);
  }

  forward(x: Tensor): Tensor {
    return this.pointwise.forward(this.depthwise.forward(x));
  }
}
