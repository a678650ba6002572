/** Pooling by a power mean without the division: between a sum (p = 1) and a maximum (large p). */
import { type Tensor, ValueError } from '@dl/tensor';
import type { PerAxis } from './convolution';
import { Module } from './module';
import { type PoolOptions, poolingOf } from './pooling';

export interface LpPoolOptions extends Omit<PoolOptions, 'padding'> {
  /** The power. Default 2. */
  readonly p?: number;
}

/**
 * (Σ x^p)^(1/p) of each window over the last `rank` axes.
 *
 * @param x - `[N, C, spatial…]`, or without N; not negative where p is no even number
 * @param size - of the window
 * @returns `[N, C, windows…]`; the gradient is 0 where a sum is 0
 * @throws ValueError if p is not above 0
 * @see Estrach, Szlam & LeCun 2014, section 2.1
 */
export function lpPool(x: Tensor, size: PerAxis, rank: number, { p = 2, ...options }: LpPoolOptions = {}): Tensor {
  if (!(p > 0 && p < Number.POSITIVE_INFINITY))
    throw new ValueError(`lpPool${rank}d: p is above 0 and finite, not ${p}. Use maxPool for the largest element.`);
  const { window } = poolingOf(`lpPool${rank}d`, x, size, rank, options);
  if (p === 1) return x.windowSum(window);
  const sums = x.pow(p).windowSum(window);
  const isZero = sums.eq(0);
  return isZero.where(0, isZero.where(1, sums).pow(1 / p));
}

/** What the three ranks share. */
abstract class LPPool extends Module {
  readonly #rank: number;
  readonly #options: LpPoolOptions;

  constructor(
    rank: number,
    readonly p: number,
    readonly kernelSize: PerAxis,
    options: LpPoolOptions,
  ) {
    super();
    this.#rank = rank;
    this.#options = options;
  }

  forward(x: Tensor): Tensor {
    return lpPool(x, this.kernelSize, this.#rank, { ...this.#options, p: this.p });
  }
}

/** {@link lpPool} of `[N, C, L]`. */
export class LPPool1d extends LPPool {
  constructor(p: number, kernelSize: PerAxis, options: Omit<LpPoolOptions, 'p'> = {}) {
    super(1, p, kernelSize, options);
  }
}

/** {@link lpPool} of `[N, C, H, W]`: with p = 2, the L2 pooling of each window. */
export class LPPool2d extends LPPool {
  constructor(p: number, kernelSize: PerAxis, options: Omit<LpPoolOptions, 'p'> = {}) {
    super(2, p, kernelSize, options);
  }
}

/** {@link lpPool} of `[N, C, D, H, W]`. */
export class LPPool3d extends LPPool {
  constructor(p: number, kernelSize: PerAxis, options: Omit<LpPoolOptions, 'p'> = {}) {
    super(3, p, kernelSize, options);
  }
}
