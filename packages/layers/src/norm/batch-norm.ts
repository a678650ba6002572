/**
 * Batch normalisation. This file decides which statistics a call uses (the batch's while training, the running ones
 * otherwise) and how running statistics move; the function returns new statistics and the layer assigns them.
 */
import { full, ShapeError, showShape, type Tensor, ValueError, Variable, withGrad } from '@dl/tensor';
import { Module } from '../module';
import { Parameter } from '../parameter';
import {
  besideChannels,
  checkChannelFactors,
  type Moments,
  momentsOf,
  perChannel,
  range,
  scaledChannels,
  standardizedBy,
} from './standardize';

export interface BatchNormFunctionOptions {
  /** `[C]`. Default: no factor. */
  readonly weight?: Tensor | null;
  /** `[C]`. Default: nothing is added. */
  readonly bias?: Tensor | null;
  /** `[C]`: what is used when not training, and moved towards the batch's mean when training. */
  readonly runningMean?: Tensor | null;
  /** `[C]`; as `runningMean`. */
  readonly runningVar?: Tensor | null;
  /** Normalise by the batch's own statistics. Default false. */
  readonly training?: boolean;
  /** Share of the batch in the new running statistics. Default 0.1. */
  readonly momentum?: number | Tensor;
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
}

export interface BatchNormResult {
  readonly output: Tensor;
  /** `[C]`: the new running mean, or null if none was given. */
  readonly runningMean: Tensor | null;
  /** `[C]`: the new running variance, with the unbiased variance of the batch, or null. */
  readonly runningVar: Tensor | null;
}

/** old + momentum · (batch − old) */
export const movedTowards = (old: Tensor, batch: Tensor, momentum: number | Tensor): Tensor =>
  typeof momentum === 'number' && momentum === 1 ? batch : old.add(batch.sub(old).mul(momentum));

/**
 * Scales each channel to zero mean and unit variance over the batch and all positions.
 * y = (x − mean) / √(var + eps) · weight + bias, with the biased variance.
 *
 * @param x - `[N, C, spatial…]`, float
 * @returns the output, and the statistics as they are after this step: (1 − momentum) · old + momentum · batch
 * @throws ShapeError if a factor or statistic does not have C elements
 * @throws ValueError when training on one element a channel, or not training without running statistics
 * @see Ioffe & Szegedy 2015, algorithm 1
 */
export function batchNorm(x: Tensor, options: BatchNormFunctionOptions = {}): BatchNormResult {
  const { weight, bias, runningMean = null, runningVar = null, training = false, momentum = 0.1, eps = 1e-5 } = options;
  const channels = checkChannelFactors('batchNorm', x, { weight, bias, runningMean, runningVar });
  if (!training) {
    if (runningMean === null || runningVar === null)
      throw new ValueError('batchNorm: there are no running statistics to use. Pass both, or training: true.');
    const moments = { mean: besideChannels(runningMean, x.rank), variance: besideChannels(runningVar, x.rank) };
    return { output: scaledChannels(standardizedBy(x, moments, eps), weight, bias), runningMean, runningVar };
  }
  const count = channels === 0 ? 0 : x.size / channels;
  if (count === 1)
    throw new ValueError(
      `batchNorm: x ${showShape(x.shape)} has one element a channel, whose variance is 0. Train on batches of at least two, or call eval().`,
    );
  const moments = momentsOf(x, [0, ...range(2, x.rank)]);
  const output = scaledChannels(standardizedBy(x, moments, eps), weight, bias);
  const moved = withGrad(false, () => movedStatistics(moments, count, { runningMean, runningVar, momentum }));
  return { output, ...moved };
}

interface Running {
  readonly runningMean: Tensor | null;
  readonly runningVar: Tensor | null;
  readonly momentum: number | Tensor;
}

function movedStatistics(moments: Moments, count: number, { runningMean, runningVar, momentum }: Running) {
  const unbiased = perChannel(moments.variance).mul(count / Math.max(count - 1, 1));
  return {
    runningMean: runningMean && movedTowards(runningMean, perChannel(moments.mean), momentum),
    runningVar: runningVar && movedTowards(runningVar, unbiased, momentum),
  };
}

export interface BatchNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Share of a batch in the running statistics; null for the plain mean of all batches. Default 0.1. */
  readonly momentum?: number | null;
  /** Whether `weight` and `bias` are learned. Default true. */
  readonly affine?: boolean;
  /** Whether statistics are kept for evaluation; without, the batch's are used there too. Default true. */
  readonly trackRunningStats?: boolean;
  /** f32 (the default) or f64. */
  readonly dtype?: 'f32' | 'f64';
}

/** What the three ranks share. */
abstract class BatchNorm extends Module {
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly runningMean: Variable | null;
  readonly runningVar: Variable | null;
  readonly numBatchesTracked: Variable | null;
  readonly eps: number;
  readonly momentum: number | null;
  readonly #ranks: readonly number[];

  constructor(
    ranks: readonly number[],
    readonly numFeatures: number,
    options: BatchNormOptions,
  ) {
    super();
    const { eps = 1e-5, momentum = 0.1, affine = true, trackRunningStats = true, dtype = 'f32' } = options;
    const name = this.constructor.name;
    const parameter = (key: string, value: number): Parameter =>
      new Parameter(full([numFeatures], value, dtype), { name: `${name}.${key}` });
    const buffer = (key: string, value: number): Variable =>
      new Variable(full([numFeatures], value, dtype), { name: `${name}.${key}` });
    this.#ranks = ranks;
    this.eps = eps;
    this.momentum = momentum;
    this.weight = affine ? parameter('weight', 1) : null;
    this.bias = affine ? parameter('bias', 0) : null;
    this.runningMean = trackRunningStats ? buffer('runningMean', 0) : null;
    this.runningVar = trackRunningStats ? buffer('runningVar', 1) : null;
    this.numBatchesTracked = trackRunningStats
      ? new Variable(full([], 0, 'i32'), { name: `${name}.numBatchesTracked` })
      : null;
  }

  forward(x: Tensor): Tensor {
    this.#check(x);
    const { weight, bias, runningMean, runningVar, eps } = this;
    const training = this.training || runningMean === null;
    const count = this.numBatchesTracked?.add(1);
    const momentum = this.momentum ?? count?.cast(x.dtype).reciprocal() ?? 0;
    const result = batchNorm(x, { weight, bias, runningMean, runningVar, training, momentum, eps });
    if (training && count !== undefined) {
      this.numBatchesTracked!.assign(count);
      runningMean!.assign(result.runningMean!);
      runningVar!.assign(result.runningVar!);
    }
    return result.output;
  }

  #check(x: Tensor): void {
    if (this.#ranks.includes(x.rank) && x.shape[1] === this.numFeatures) return;
    const spatial = { 2: '', 3: ', L', 4: ', H, W', 5: ', D, H, W' } as Readonly<Record<number, string>>;
    const shapes = this.#ranks.map((rank) => `[N, ${this.numFeatures}${spatial[rank]}]`).join(' or ');
    throw new ShapeError(
      `${this.constructor.name}: x is ${showShape(x.shape)}, but data is ${shapes}. Channels are axis 1.`,
    );
  }
}

/**
 * {@link batchNorm} of `[N, C]` or `[N, C, L]`. Parameters `weight [C]`, `bias [C]`; buffers `running_mean [C]`,
 * `running_var [C]` and `num_batches_tracked []`.
 */
export class BatchNorm1d extends BatchNorm {
  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super([2, 3], numFeatures, options);
  }
}

/**
 * {@link batchNorm} of `[N, C, H, W]`. Parameters and buffers as in {@link BatchNorm1d}.
 *
 * @example
 * const block = new Sequential(new Conv2d(3, 16, 3, { bias: false }), new BatchNorm2d(16), new ReLU());
 */
export class BatchNorm2d extends BatchNorm {
  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super([4], numFeatures, options);
  }
}

/** {@link batchNorm} of `[N, C, D, H, W]`. Parameters and buffers as in {@link BatchNorm1d}. */
export class BatchNorm3d extends BatchNorm {
  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super([5], numFeatures, options);
  }
}
