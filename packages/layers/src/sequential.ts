/** Layers one after the other. */
import { type Tensor, ValueError } from '@dl/tensor';
import { type Layer, Module } from './module';

/**
 * Calls layers in order, each with the output of the one before. State keys are the places: `0.weight`.
 *
 * @param layers - modules that take and give one tensor; or one record of them, whose names are then the state keys
 * @throws ValueError if one is no module
 *
 * @example
 * const model = new Sequential(new Flatten(), new Linear(784, 10));
 * const named = new Sequential({ flatten: new Flatten(), out: new Linear(784, 10) });
 */
export class Sequential extends Module {
  /** The layers by place. */
  readonly [index: number]: Layer;

  constructor(layers: Readonly<Record<string, Layer>>);
  constructor(...layers: readonly Layer[]);
  constructor(...layers: readonly (Layer | Readonly<Record<string, Layer>>)[]) {
    super();
    const [first] = layers;
    const named = layers.length === 1 && !(first instanceof Module) ? first! : layers;
    for (const [name, layer] of Object.entries(named)) {
      if (!(layer instanceof Module))
        throw new ValueError(
          `Sequential: layer ${name} is no module. Wrap a function in a class with a forward method.`,
        );
      if (name in this)
        throw new ValueError(
          `Sequential: a layer cannot be called '${name}', which a module has already. Choose another name.`,
        );
      Object.defineProperty(this, name, { value: layer, enumerable: true, writable: true, configurable: true });
    }
  }

  get length(): number {
    return this.children().length;
  }

  forward(x: Tensor): Tensor {
    let y = x;
    for (const [, layer] of this.registered()) y = (layer as Layer).forward(y);
    return y;
  }
}
