/**
 * Gradients as values: `grad` walks what was recorded for a loss and answers lazy tensors, which can be differentiated
 * again. Nothing is stored and no graph is cut here; that is what `backward` does.
 */
import {
  full,
  handleOf,
  isFloat,
  type Node,
  ShapeError,
  sameShape,
  showShape,
  type Tensor,
  ValueError,
  zerosLike,
} from '@dl/tensor';
import { leafOf } from './scopes';
import { type GradientsOf, mapTensors, type TensorTree, tensorsOf } from './tree';
import { type Pulled, pullBack } from './walk';

export interface GradOptions {
  /** What a tensor gets that the loss does not depend on: an error (the default), or zeros. */
  readonly unused?: 'throw' | 'zero';
  /** The cotangent of a result that is not a scalar: same shape. Default 1 for a scalar. */
  readonly cotangent?: Tensor;
}

/** The cotangent to start from. */
export function startOf(operation: string, loss: Tensor, cotangent: Tensor | undefined): Tensor {
  if (!loss.requiresGrad) {
    throw new ValueError(
      `${operation}: the loss requires no gradient: it depends on no tensor with requiresGrad, or was recorded under noGrad. Create the tensors with { requiresGrad: true }.`,
    );
  }
  if (cotangent !== undefined) {
    if (sameShape(cotangent.shape, loss.shape)) return cotangent.cast(loss.dtype);
    throw new ShapeError(
      `${operation}: the cotangent is ${showShape(cotangent.shape)}, but the loss is ${showShape(loss.shape)}. Give both one shape.`,
    );
  }
  if (loss.size !== 1) {
    throw new ShapeError(
      `${operation}: the loss is ${showShape(loss.shape)}, not one number. Reduce it with sum() or mean(), or pass { cotangent }.`,
    );
  }
  return full(loss.shape, 1, loss.dtype);
}

/** The variable or tensor that a leaf is a value of. */
export const ownerOf = (node: Node): Tensor | undefined => (node.op === 'data' ? handleOf(node) : undefined);

/**
 * What was added up for each tensor that was reached, by leaf, owner and node: a variable's versions count together, and
 * zeros stand for a way on which all derivatives vanish.
 */
export function totals({ reached, cotangents }: Pulled): Map<Tensor | Node, Tensor> {
  const sums = new Map<Tensor | Node, Tensor>();
  for (const node of reached) {
    const part = cotangents.get(node) ?? full(node.shape, 0, node.dtype);
    sums.set(node, part);
    const owner = ownerOf(node);
    if (owner === undefined) continue;
    const sum = sums.get(owner);
    sums.set(owner, sum === undefined ? part : sum.add(part));
  }
  return sums;
}

/** Takes the loss back to the given tensors. */
export function pullTo(loss: Tensor, start: Tensor, wrt: readonly Tensor[]): Pulled {
  const nodes = new Set(wrt.map((t) => t.node));
  const owners = new Set(wrt);
  return pullBack(loss.node, start, (node) => {
    const owner = nodes.has(node) ? undefined : ownerOf(node);
    return nodes.has(node) || (owner !== undefined && owners.has(owner));
  });
}

/**
 * The gradients of a loss: ∂loss/∂x for each x of `wrt`, as lazy tensors that can be differentiated again.
 *
 * @param loss - a scalar, or any float tensor with a `cotangent`
 * @param wrt - tensors and variables, which required gradients when the loss was recorded; also results on the way
 * @returns a gradient of the tensor's shape and dtype for each, in the structure of `wrt`
 * @throws ValueError if the loss does not depend on one of them, unless `unused` is `'zero'`
 * @throws ShapeError if the loss is no scalar and no cotangent is given
 * @example
 * const w = tensor([1, 2, 3], null, { requiresGrad: true });
 * const g = grad(w.square().sum(), w); // 2 · w
 */
export function grad<const T extends TensorTree>(
  loss: Tensor,
  wrt: T,
  { unused = 'throw', cotangent }: GradOptions = {},
): GradientsOf<T> {
  const tensors = tensorsOf('grad', wrt);
  const sums = totals(pullTo(loss, startOf('grad', loss, cotangent), tensors));
  return mapTensors('grad', wrt, (x) => {
    const g = sums.get(x) ?? sums.get(x.node);
    if (g !== undefined) return g;
    if (unused === 'zero') return zerosLike(x);
    throw unreached(x);
  });
}

function unreached(x: Tensor): ValueError {
  const what = `a tensor of ${x.dtype} ${showShape(x.shape)}`;
  const why = x.requiresGrad
    ? `the loss does not depend on ${what}`
    : `${what} did not require gradients when it was used${isFloat(x.dtype) ? '' : ', and only floats can'}`;
  return new ValueError(`grad: ${why}. Pass { unused: 'zero' } to get zeros for it.`);
}

/** The gradients that reach some of the given tensors, and how to give the graph back afterwards. */
export interface Gradients {
  /** Those reached, in the order given. */
  readonly gradients: ReadonlyMap<Tensor, Tensor>;
  /** The recorded nodes on the way. */
  readonly passed: readonly Node[];
}

/** @internal For optimisers: the gradients of those tensors that the loss depends on. */
export function gradientsOf(operation: string, loss: Tensor, wrt: readonly Tensor[]): Gradients {
  const pulled = pullTo(loss, startOf(operation, loss, undefined), wrt);
  const sums = totals(pulled);
  const gradients = new Map<Tensor, Tensor>();
  for (const x of wrt) {
    const g = sums.get(x) ?? sums.get(x.node);
    if (g !== undefined) gradients.set(x, g);
  }
  return { gradients, passed: pulled.passed };
}

/**
 * The function that gives a loss and its gradient with respect to the first argument.
 *
 * @param fn - from a tensor, or a structure of tensors, to a scalar
 * @returns a function of the same arguments; `gradient` has the structure of the first. An argument that requires no
 * gradient gets one for this call.
 * @example
 * const { value, gradient } = valueAndGrad((w: Tensor) => w.square().sum())(tensor([1, 2, 3]));
 */
export function valueAndGrad<T extends TensorTree, Rest extends readonly unknown[]>(
  fn: (wrt: T, ...rest: Rest) => Tensor,
): (wrt: T, ...rest: Rest) => { value: Tensor; gradient: GradientsOf<T> } {
  return (wrt, ...rest) => {
    const inputs = mapTensors('valueAndGrad', wrt, (x) => requiring('valueAndGrad', x)) as unknown as T;
    const value = fn(inputs, ...rest);
    return { value, gradient: grad(value, inputs, { unused: 'zero' }) as GradientsOf<T> };
  };
}

/** x itself if it requires gradients, or a leaf of its value that does. */
export function requiring(operation: string, x: Tensor): Tensor {
  if (!isFloat(x.dtype)) {
    throw new ValueError(
      `${operation}: a tensor of ${x.dtype} has no gradient; only floats do. Close over it, or pass it as a later argument.`,
    );
  }
  return x.requiresGrad ? x : leafOf(x, true);
}
