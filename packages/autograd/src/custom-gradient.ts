/** Functions whose gradient is given by hand. */
import { ShapeError, sameShape, showShape, type Tensor, ValueError } from '@dl/tensor';
import { withRule } from './custom-rule';
import type { Cotangent } from './rules/rule';

/** A value, and the cotangents of the inputs from the value's: one for each input, null for zero. */
export interface WithGradient {
  readonly value: Tensor;
  gradient(g: Tensor): Tensor | readonly (Tensor | null)[];
}

/**
 * Makes a function whose gradient is what it says itself, as for a straight-through estimate. The gradient is written with
 * tensor operations, and is itself differentiated by their rules.
 *
 * @param fn - from tensors to a value and `gradient(g)`, which gives one cotangent for each input
 * @returns the function from the same tensors to the value
 * @throws ValueError or ShapeError, when gradients are taken, if `gradient` gives other cotangents than there are inputs
 * @example
 * const roundThrough = customGradient((x: Tensor) => ({ value: x.round(), gradient: (g) => g }));
 */
export function customGradient<A extends readonly Tensor[]>(
  fn: (...inputs: A) => WithGradient,
): (...inputs: A) => Tensor {
  return (...inputs) => {
    const { value, gradient } = fn(...inputs);
    const apply = (g: Tensor): readonly Cotangent[] => checked(gradient(g), inputs);
    return withRule(value, { sources: inputs.map((x) => x.node), apply });
  };
}

function checked(given: ReturnType<WithGradient['gradient']>, inputs: readonly Tensor[]): readonly Cotangent[] {
  const list = Array.isArray(given) ? (given as readonly Cotangent[]) : [given as Tensor];
  if (list.length !== inputs.length) {
    throw new ValueError(
      `customGradient: ${list.length} cotangents for ${inputs.length} inputs. Give one for each, or null.`,
    );
  }
  return list.map((g, i) => {
    const x = inputs[i]!;
    if (g === null) return null;
    if (sameShape(g.shape, x.shape)) return g.cast(x.dtype);
    throw new ShapeError(
      `customGradient: the cotangent of input ${i} is ${showShape(g.shape)}, but the input is ${showShape(x.shape)}. A cotangent has the shape of its input.`,
    );
  });
}
