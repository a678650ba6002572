/** Normalisation of each channel of each sample over its positions alone. */
import { full, ShapeError, showShape, type Tensor, ValueError, Variable, withGrad } from '@dl/tensor';
import { Module } from '../module';
import { Parameter } from '../parameter';
import { type BatchNormFunctionOptions, type BatchNormResult, movedTowards } from './batch-norm';
import {
  besideChannels,
  checkChannelFactors,
  momentsOf,
  perChannel,
  range,
  scaledChannels,
  standardizedBy,
} from './standardize';

export interface InstanceNormFunctionOptions extends Omit<BatchNormFunctionOptions, 'training'> {
  /** Normalise by each sample's own statistics, rather than by the running ones. Default true. */
  readonly useInputStats?: boolean;
}

/**
 * Scales each channel of each sample to zero mean and unit variance over its positions.
 * y = (x − mean) / √(var + eps) · weight + bias, with the biased variance.
 *
 * @param x - `[N, C, spatial…]`, float
 * @returns the output; and the new running statistics, which move towards the mean over samples of their means and unbiased variances
 * @throws ValueError if each channel has one position, or if running statistics are to be used and missing
 * @see Ulyanov, Vedaldi & Lempitsky 2016, eq. 3
 */
export function instanceNorm(x: Tensor, options: InstanceNormFunctionOptions = {}): BatchNormResult {
  const { weight, bias, runningMean = null, runningVar = null, momentum = 0.1, eps = 1e-5 } = options;
  checkChannelFactors('instanceNorm', x, { weight, bias, runningMean, runningVar });
  if (options.useInputStats === false) {
    if (runningMean === null || runningVar === null)
      throw new ValueError('instanceNorm: there are no running statistics to use. Pass both, or useInputStats: true.');
    const moments = { mean: besideChannels(runningMean, x.rank), variance: besideChannels(runningVar, x.rank) };
    return { output: scaledChannels(standardizedBy(x, moments, eps), weight, bias), runningMean, runningVar };
  }
  const count = x.shape.slice(2).reduce((n, k) => n * k, 1);
  if (count === 1)
    throw new ValueError(
      `instanceNorm: x ${showShape(x.shape)} has one position a channel, whose variance is 0. Give it at least two.`,
    );
  const moments = momentsOf(x, range(2, x.rank));
  const output = scaledChannels(standardizedBy(x, moments, eps), weight, bias);
  const moved = withGrad(false, () => {
    const overSamples = (t: Tensor): Tensor => perChannel(t.mean(0));
    const unbiased = moments.variance.mul(count / Math.max(count - 1, 1));
    return {
      runningMean: runningMean && movedTowards(runningMean, overSamples(moments.mean), momentum),
      runningVar: runningVar && movedTowards(runningVar, overSamples(unbiased), momentum),
    };
  });
  return { output, ...moved };
}

export interface InstanceNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Share of a batch in the running statistics. Default 0.1. */
  readonly momentum?: number;
  /** Whether `weight` and `bias` are learned. Default false, as in PyTorch. */
  readonly affine?: boolean;
  /** Whether statistics are kept, and used in evaluation. Default false, as in PyTorch. */
  readonly trackRunningStats?: boolean;
  /** f32 (the default) or f64. */
  readonly dtype?: 'f32' | 'f64';
}

/** What the three ranks share. */
abstract class InstanceNorm extends Module {
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly runningMean: Variable | null;
  readonly runningVar: Variable | null;
  readonly numBatchesTracked: Variable | null;
  readonly eps: number;
  readonly momentum: number;
  readonly #rank: number;

  constructor(
    rank: number,
    readonly numFeatures: number,
    options: InstanceNormOptions,
  ) {
    super();
    const { eps = 1e-5, momentum = 0.1, affine = false, trackRunningStats = false, dtype = 'f32' } = options;
    const name = this.constructor.name;
    const all = (value: number): Tensor => full([numFeatures], value, dtype);
    this.#rank = rank;
    this.eps = eps;
    this.momentum = momentum;
    this.weight = affine ? new Parameter(all(1), { name: `${name}.weight` }) : null;
    this.bias = affine ? new Parameter(all(0), { name: `${name}.bias` }) : null;
    this.runningMean = trackRunningStats ? new Variable(all(0), { name: `${name}.runningMean` }) : null;
    this.runningVar = trackRunningStats ? new Variable(all(1), { name: `${name}.runningVar` }) : null;
    this.numBatchesTracked = trackRunningStats
      ? new Variable(full([], 0, 'i32'), { name: `${name}.numBatchesTracked` })
      : null;
  }

  forward(x: Tensor): Tensor {
    if (x.rank !== this.#rank || x.shape[1] !== this.numFeatures) {
      throw new ShapeError(
        `${this.constructor.name}: x is ${showShape(x.shape)}, but data has ${this.#rank} axes and ${this.numFeatures} channels, which are axis 1.`,
      );
    }
    const { weight, bias, runningMean, runningVar, momentum, eps } = this;
    const useInputStats = this.training || runningMean === null;
    const result = instanceNorm(x, { weight, bias, runningMean, runningVar, momentum, eps, useInputStats });
    if (useInputStats && result.runningMean && result.runningVar) {
      runningMean!.assign(result.runningMean);
      runningVar!.assign(result.runningVar);
      this.numBatchesTracked!.assign(this.numBatchesTracked!.add(1));
    }
    return result.output;
  }
}

/** {@link instanceNorm} of `[N, C, L]`. With `affine`, parameters `weight [C]` and `bias [C]`. */
export class InstanceNorm1d extends InstanceNorm {
  constructor(numFeatures: number, options: InstanceNormOptions = {}) {
    super(3, numFeatures, options);
  }
}

/** {@link instanceNorm} of `[N, C, H, W]`. With `affine`, parameters `weight [C]` and `bias [C]`. */
export class InstanceNorm2d extends InstanceNorm {
  constructor(numFeatures: number, options: InstanceNormOptions = {}) {
    super(4, numFeatures, options);
  }
}

/** {@link instanceNorm} of `[N, C, D, H, W]`. With `affine`, parameters `weight [C]` and `bias [C]`. */
export class InstanceNorm3d extends InstanceNorm {
  constructor(numFeatures: number, options: InstanceNormOptions = {}) {
    super(5, numFeatures, options);
  }
}
