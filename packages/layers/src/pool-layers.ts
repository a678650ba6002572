/** Pooling layers: the options of `pooling.ts` kept in a module. */
import type { Tensor } from '@dl/tensor';
import type { PerAxis } from './convolution';
import { Module } from './module';
import { type AvgPoolOptions, avgPool, type MaxPoolOptions, maxPool, maxPoolIndices } from './pooling';

abstract class MaxPool extends Module {
  readonly #rank: number;
  readonly #options: MaxPoolOptions;

  constructor(
    rank: number,
    readonly kernelSize: PerAxis,
    options: MaxPoolOptions,
  ) {
    super();
    this.#rank = rank;
    this.#options = options;
  }

  forward(x: Tensor): Tensor {
    return maxPool(x, this.kernelSize, this.#rank, this.#options);
  }

  /** What `forward` gives, and where each maximum was: flat places in the plane of `x`, i32, for `maxUnpool`. */
  withIndices(x: Tensor): { values: Tensor; indices: Tensor } {
    return maxPoolIndices(x, this.kernelSize, this.#rank, this.#options);
  }
}

/** Largest element of each window of `[N, C, L]`. */
export class MaxPool1d extends MaxPool {
  constructor(kernelSize: PerAxis, options: MaxPoolOptions = {}) {
    super(1, kernelSize, options);
  }
}

/** Largest element of each window of `[N, C, H, W]`: `[N, C, H', W']`. */
export class MaxPool2d extends MaxPool {
  constructor(kernelSize: PerAxis, options: MaxPoolOptions = {}) {
    super(2, kernelSize, options);
  }
}

/** Largest element of each window of `[N, C, D, H, W]`. */
export class MaxPool3d extends MaxPool {
  constructor(kernelSize: PerAxis, options: MaxPoolOptions = {}) {
    super(3, kernelSize, options);
  }
}

abstract class AvgPool extends Module {
  readonly #rank: number;
  readonly #options: AvgPoolOptions;

  constructor(
    rank: number,
    readonly kernelSize: PerAxis,
    options: AvgPoolOptions,
  ) {
    super();
    this.#rank = rank;
    this.#options = options;
  }

  forward(x: Tensor): Tensor {
    return avgPool(x, this.kernelSize, this.#rank, this.#options);
  }
}

/** Mean of each window of `[N, C, L]`. */
export class AvgPool1d extends AvgPool {
  constructor(kernelSize: PerAxis, options: AvgPoolOptions = {}) {
    super(1, kernelSize, options);
  }
}

/** Mean of each window of `[N, C, H, W]`: `[N, C, H', W']`. */
export class AvgPool2d extends AvgPool {
  constructor(kernelSize: PerAxis, options: AvgPoolOptions = {}) {
    super(2, kernelSize, options);
  }
}

/** Mean of each window of `[N, C, D, H, W]`. */
export class AvgPool3d extends AvgPool {
  constructor(kernelSize: PerAxis, options: AvgPoolOptions = {}) {
    super(3, kernelSize, options);
  }
}
