/** Axes joined into one. */
import type { Tensor } from '@dl/tensor';
import { Module } from './module';

/** Joins the axes from `start` (default 1, after the batch) to `end` (default the last) into one. */
export class Flatten extends Module {
  constructor(
    readonly start = 1,
    readonly end = -1,
  ) {
    super();
  }

  forward(x: Tensor): Tensor {
    return x.flatten(this.start, this.end);
  }
}
