/** Structures of tensors: what gradients are asked for with, and answered in. */
import { Tensor, ValueError } from '@dl/tensor';

/** Tensors in arrays and records. */
export type TensorTree = Tensor | readonly TensorTree[] | { readonly [key: string]: TensorTree };

/** The same structure with a gradient in the place of each tensor. */
export type GradientsOf<T> = T extends Tensor ? Tensor : { -readonly [K in keyof T]: GradientsOf<T[K]> };

/** Rebuilds a structure from what `visit` answers for each tensor, in order. */
export function mapTensors<T extends TensorTree>(
  operation: string,
  tree: T,
  visit: (t: Tensor) => Tensor,
): GradientsOf<T> {
  return rebuilt(operation, tree, visit, '') as GradientsOf<T>;
}

function rebuilt(operation: string, tree: unknown, visit: (t: Tensor) => Tensor, path: string): unknown {
  if (tree instanceof Tensor) return visit(tree);
  if (Array.isArray(tree)) return tree.map((part, i) => rebuilt(operation, part, visit, `${path}[${i}]`));
  const prototype: unknown = typeof tree === 'object' && tree !== null ? Object.getPrototypeOf(tree) : undefined;
  if (prototype !== Object.prototype && prototype !== null) {
    throw new ValueError(
      `${operation}: ${path || 'the argument'} is ${tree === null ? 'null' : typeof tree}, not a tensor. Give tensors, or arrays and plain records of them.`,
    );
  }
  const parts = Object.entries(tree as object).map(([k, part]) => [k, rebuilt(operation, part, visit, `${path}.${k}`)]);
  return Object.fromEntries(parts);
}

/** The tensors of a structure, in order. */
export function tensorsOf(operation: string, tree: TensorTree): Tensor[] {
  const found: Tensor[] = [];
  const collect = (t: Tensor): Tensor => {
    found.push(t);
    return t;
  };
  rebuilt(operation, tree, collect, '');
  return found;
}
