/** Trees of tensors: what a compiled function takes and returns. */
import { ValueError } from './errors';
import { Tensor } from './tensor';

/** Tensors in arrays and records, with plain values between them. */
export type Tree =
  | Tensor
  | number
  | string
  | boolean
  | null
  | undefined
  | readonly Tree[]
  | { readonly [key: string]: Tree };

/** Calls `visit` on each leaf in order, and rebuilds the tree from the answers. */
export function mapTree(tree: unknown, visit: (leaf: unknown, path: string) => unknown, path = ''): unknown {
  if (tree instanceof Tensor || tree === null || typeof tree !== 'object') return visit(tree, path);
  if (Array.isArray(tree)) return tree.map((t, i) => mapTree(t, visit, `${path}[${i}]`));
  const prototype = Object.getPrototypeOf(tree) as object | null;
  if (prototype !== Object.prototype && prototype !== null) {
    throw new ValueError(
      `compile: ${path || 'an argument'} is a ${prototype.constructor.name}. Pass tensors, arrays, plain records and plain values, or close over it.`,
    );
  }
  return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, mapTree(value, visit, `${path}.${key}`)]));
}
