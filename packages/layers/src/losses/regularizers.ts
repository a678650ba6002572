/** Penalties on the size of parameters, to be added to a loss. */
import { type Tensor, ValueError } from '@dl/tensor';

function total(operation: string, parameters: readonly Tensor[], size: (w: Tensor) => Tensor): Tensor {
  const [first, ...rest] = parameters.map(size);
  if (first === undefined)
    throw new ValueError(`${operation}: there are no parameters. Pass those that the penalty is for.`);
  return rest.reduce((sum, part) => sum.add(part), first);
}

/**
 * L1 penalty: strength · Σ |w|, which makes small weights 0.
 *
 * @param parameters - of any shapes, such as `model.parameters()`
 * @param strength - usually 1e-6 to 1e-3
 * @returns a scalar
 * @throws ValueError for no parameters
 * @see Tibshirani 1996
 */
export const l1Penalty = (parameters: readonly Tensor[], strength: number): Tensor =>
  total('l1Penalty', parameters, (w) => w.abs().sum()).mul(strength);

/**
 * L2 penalty: strength / 2 · Σ w², whose gradient is strength · w: the weight decay of plain gradient descent.
 *
 * @param parameters - of any shapes, such as `model.parameters()`
 * @param strength - usually 1e-5 to 1e-2
 * @returns a scalar
 * @throws ValueError for no parameters
 * @see Krogh & Hertz 1991
 */
export const l2Penalty = (parameters: readonly Tensor[], strength: number): Tensor =>
  total('l2Penalty', parameters, (w) => w.square().sum()).mul(strength / 2);
