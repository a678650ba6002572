/**
 * Records one node. Every operation ends here, after its own file checked shapes and dtypes; this file decides only
 * whether the result requires a gradient.
 */
import type { DType } from '../dtype';
import { isFloat } from '../dtype';
import { gradEnabled } from '../graph/mode';
import { Node, type Op, type OpAttributes } from '../graph/node';
import type { Shape } from '../shape';

export function record<O extends Op>(
  op: O,
  sources: readonly Node[],
  attrs: OpAttributes[O],
  shape: Shape,
  dtype: DType,
): Node<O> {
  const requiresGrad = isFloat(dtype) && gradEnabled() && sources.some((s) => s.requiresGrad);
  return new Node(op, sources, attrs, shape, dtype, requiresGrad);
}

/** A leaf: `data` whose value the caller attaches. */
export const leaf = (shape: Shape, dtype: DType, requiresGrad: boolean): Node<'data'> =>
  new Node('data', [], {}, shape, dtype, requiresGrad);
