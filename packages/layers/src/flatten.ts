/** Axes joined into one, and one taken apart. */
import { checkAxis, type Shape, ShapeError, showShape, type Tensor } from '@dl/tensor';
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

/** Takes one axis apart into several: `new Unflatten(1, [16, 7, 7])` makes `[N, 784]` `[N, 16, 7, 7]`. One size may be −1. */
export class Unflatten extends Module {
  constructor(
    readonly axis: number,
    readonly sizes: Shape,
  ) {
    super();
  }

  forward(x: Tensor): Tensor {
    const at = checkAxis('Unflatten', this.axis, x.rank);
    const known = this.sizes.reduce((product, n) => (n === -1 ? product : product * n), 1);
    const sizes = this.sizes.map((n) => (n === -1 ? x.shape[at]! / known : n));
    if (sizes.reduce((product, n) => product * n, 1) !== x.shape[at] || !sizes.every(Number.isInteger))
      throw new ShapeError(
        `Unflatten: axis ${at} of x ${showShape(x.shape)} cannot become ${showShape(this.sizes)}. Give sizes whose product is ${x.shape[at]}.`,
      );
    return x.reshape([...x.shape.slice(0, at), ...sizes, ...x.shape.slice(at + 1)]);
  }
}
