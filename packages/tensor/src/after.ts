/** Order where values alone do not give it: what is computed block by block should not be computed for all blocks at once. */
import { record } from './ops/record';
import { Tensor } from './tensor';

/**
 * The value of `x`; whatever reads it is computed once the other tensors are. It is not shared with an equal value, nor is an
 * expression moved across it. So a sum over blocks, each of which reads its operands after the sum so far, holds the intermediate
 * values of one block at a time.
 *
 * @param x - any shape and dtype; it is stored
 * @param others - any shapes and dtypes; none only keeps `x` from being shared
 * @returns same shape and dtype, and the gradient is that of `x`
 * @example
 * const next = block(after(x, [sum]));
 */
export const after = ({ node }: Tensor, others: readonly Tensor[]): Tensor =>
  new Tensor(record('barrier', [node, ...others.map((t) => t.node)], {}, node.shape, node.dtype));
