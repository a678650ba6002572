/** Layers that add to their input, and the layer that does nothing. */
import { ShapeError, sameShape, showShape, type Tensor } from '@dl/tensor';
import { type Layer, Module } from './module';

/** Gives its input: the linear activation, or a place for a layer to come. */
export class Identity extends Module {
  forward(x: Tensor): Tensor {
    return x;
  }
}

/**
 * body(x) + shortcut(x): what a body has to learn is the difference, and gradients reach the input undiminished.
 * State keys start with `body.` and `shortcut.`.
 *
 * @see He, Zhang, Ren & Sun 2016, eq. 1 and 2
 * @example
 * const block = new Residual(new Sequential(new Linear(8, 8), new ReLU(), new Linear(8, 8)));
 */
export class Residual extends Module {
  readonly body: Layer;
  readonly shortcut: Layer;

  /**
   * @param body - any layer
   * @param shortcut - brings the input to the shape of the body's output, such as a 1 × 1 convolution. Default: nothing
   */
  constructor(body: Layer, shortcut: Layer = new Identity()) {
    super();
    this.body = body;
    this.shortcut = shortcut;
  }

  /** @throws ShapeError if the two shapes differ */
  forward(x: Tensor): Tensor {
    const [learned, passed] = [this.body.forward(x), this.shortcut.forward(x)];
    if (!sameShape(learned.shape, passed.shape))
      throw new ShapeError(
        `Residual: the body gives ${showShape(learned.shape)} and the shortcut ${showShape(passed.shape)} for x ${showShape(x.shape)}. Pass a shortcut that changes the shape alike.`,
      );
    return learned.add(passed);
  }
}
