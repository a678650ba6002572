/** Normalisation of groups of channels, sample by sample: what batch normalisation is replaced by where batches are small. */
import { full, showShape, type Tensor, ValueError } from '@dl/tensor';
import { Module } from '../module';
import { Parameter } from '../parameter';
import type { LayerNormFunctionOptions } from './layer-norm';
import { checkChannelFactors, scaledChannels, standardized } from './standardize';

function checkGroups(numGroups: number, channels: number, what: string): void {
  if (Number.isInteger(numGroups) && numGroups > 0 && channels % numGroups === 0) return;
  throw new ValueError(
    `groupNorm: ${numGroups} groups do not divide the ${channels} channels of ${what}. Choose a divisor.`,
  );
}

/**
 * Scales each group of channels of each sample to zero mean and unit variance.
 * y = (x − mean) / √(var + eps) · weight + bias, with the biased variance of a group over all positions.
 *
 * @param x - `[N, C, spatial…]`, float
 * @param numGroups - a divisor of C; 1 normalises all channels together
 * @param options - `weight [C]`, `bias [C]`, `eps` (1e-5)
 * @returns same shape and dtype as `x`
 * @throws ValueError if `numGroups` does not divide C; ShapeError if a factor does not have C elements
 * @see Wu & He 2018, eq. 1–4
 */
export function groupNorm(
  x: Tensor,
  numGroups: number,
  { weight, bias, eps = 1e-5 }: LayerNormFunctionOptions = {},
): Tensor {
  const channels = checkChannelFactors('groupNorm', x, { weight, bias });
  checkGroups(numGroups, channels, `x ${showShape(x.shape)}`);
  const size = x.shape.slice(2).reduce((n, k) => n * k, channels / numGroups);
  const groups = x.reshape([x.shape[0]!, numGroups, size]);
  return scaledChannels(standardized(groups, [2], eps).reshape(x.shape), weight, bias);
}

export interface GroupNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Whether `weight` and `bias` are learned. Default true. */
  readonly affine?: boolean;
  /** f32 (the default) or f64. */
  readonly dtype?: 'f32' | 'f64';
}

/** {@link groupNorm} as a layer. Parameters `weight [C]` and `bias [C]`. */
export class GroupNorm extends Module {
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly eps: number;

  constructor(
    readonly numGroups: number,
    readonly numChannels: number,
    { eps = 1e-5, affine = true, dtype = 'f32' }: GroupNormOptions = {},
  ) {
    super();
    checkGroups(numGroups, numChannels, 'the layer');
    this.eps = eps;
    this.weight = affine ? new Parameter(full([numChannels], 1, dtype), { name: 'GroupNorm.weight' }) : null;
    this.bias = affine ? new Parameter(full([numChannels], 0, dtype), { name: 'GroupNorm.bias' }) : null;
  }

  forward(x: Tensor): Tensor {
    const { weight, bias, eps } = this;
    return groupNorm(x, this.numGroups, { weight, bias, eps });
  }
}
