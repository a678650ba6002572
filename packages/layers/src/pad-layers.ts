/** Padding as layers: zeros or a number, the image mirrored, its edge repeated, or its other end, around the spatial axes. */
import { padWith, ShapeError, showShape, type Tensor, ValueError } from '@dl/tensor';
import { type PerAxis, paddingPairs } from './convolution';
import { Module } from './module';

/** A number for all sides, one for both sides of each axis, or a [before, after] pair an axis; the first axis first. */
export type PadAmount = PerAxis | readonly (readonly [number, number])[];

type Mode = 'constant' | 'reflect' | 'replicate' | 'circular';

/** What the modes and ranks share. */
abstract class Pad extends Module {
  readonly padding: readonly (readonly [number, number])[];

  constructor(
    private readonly mode: Mode,
    private readonly rank: number,
    padding: PadAmount,
    readonly value = 0,
  ) {
    super();
    const { name } = new.target;
    this.padding = paddingPairs(name, padding, Array<number>(rank).fill(1), []);
    if (this.padding.length !== rank)
      throw new ValueError(`${name}: ${this.padding.length} padding pairs are given for ${rank} spatial axes.`);
  }

  /** @param x - `[N, C, spatial…]`, or without N */
  forward(x: Tensor): Tensor {
    const { rank, mode, value } = this;
    if (x.rank !== rank + 1 && x.rank !== rank + 2)
      throw new ShapeError(
        `${this.constructor.name}: x is ${showShape(x.shape)}, but data has ${rank + 2} axes, or ${rank + 1} without a batch.`,
      );
    return padWith(x, this.padding, { mode, value });
  }
}

/** A number around one spatial axis. */
export class ConstantPad1d extends Pad {
  constructor(padding: PadAmount, value: number) {
    super('constant', 1, padding, value);
  }
}

/** A number around two spatial axes. */
export class ConstantPad2d extends Pad {
  constructor(padding: PadAmount, value: number) {
    super('constant', 2, padding, value);
  }
}

/** A number around three spatial axes. */
export class ConstantPad3d extends Pad {
  constructor(padding: PadAmount, value: number) {
    super('constant', 3, padding, value);
  }
}

/** Zeros around one spatial axis. */
export class ZeroPad1d extends Pad {
  constructor(padding: PadAmount) {
    super('constant', 1, padding);
  }
}

/** Zeros around two spatial axes. */
export class ZeroPad2d extends Pad {
  constructor(padding: PadAmount) {
    super('constant', 2, padding);
  }
}

/** Zeros around three spatial axes. */
export class ZeroPad3d extends Pad {
  constructor(padding: PadAmount) {
    super('constant', 3, padding);
  }
}

/** The mirror image around one spatial axis, the edge itself not repeated. */
export class ReflectionPad1d extends Pad {
  constructor(padding: PadAmount) {
    super('reflect', 1, padding);
  }
}

/** The mirror image around two spatial axes, the edge itself not repeated. */
export class ReflectionPad2d extends Pad {
  constructor(padding: PadAmount) {
    super('reflect', 2, padding);
  }
}

/** The mirror image around three spatial axes, the edge itself not repeated. */
export class ReflectionPad3d extends Pad {
  constructor(padding: PadAmount) {
    super('reflect', 3, padding);
  }
}

/** The edge repeated around one spatial axis. */
export class ReplicationPad1d extends Pad {
  constructor(padding: PadAmount) {
    super('replicate', 1, padding);
  }
}

/** The edge repeated around two spatial axes. */
export class ReplicationPad2d extends Pad {
  constructor(padding: PadAmount) {
    super('replicate', 2, padding);
  }
}

/** The edge repeated around three spatial axes. */
export class ReplicationPad3d extends Pad {
  constructor(padding: PadAmount) {
    super('replicate', 3, padding);
  }
}

/** The other end around one spatial axis. */
export class CircularPad1d extends Pad {
  constructor(padding: PadAmount) {
    super('circular', 1, padding);
  }
}

/** The other end around two spatial axes. */
export class CircularPad2d extends Pad {
  constructor(padding: PadAmount) {
    super('circular', 2, padding);
  }
}

/** The other end around three spatial axes. */
export class CircularPad3d extends Pad {
  constructor(padding: PadAmount) {
    super('circular', 3, padding);
  }
}
