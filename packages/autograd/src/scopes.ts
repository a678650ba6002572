/** Where gradients are recorded and where they are not: scopes of code, and single values. */
import { Node, Tensor, ValueError, withGrad } from '@dl/tensor';

/** What a scope returns: anything but a promise, for the scope would end before the promise does. */
export type Sync<T> = T extends PromiseLike<unknown> ? never : T;

function scope<T>(name: string, on: boolean, body: () => Sync<T>): T {
  const result: unknown = withGrad(on, body);
  if (result instanceof Promise) {
    result.catch(() => {});
    throw new ValueError(
      `${name}: the function is async, and the scope would end at its first await. Await outside of it.`,
    );
  }
  return result as T;
}

/**
 * Runs `body` without recording gradients: its results require none and keep no graph.
 *
 * @param body - synchronous
 * @returns what `body` returns
 * @throws ValueError if `body` is async
 */
export const noGrad = <T>(body: () => Sync<T>): T => scope('noGrad', false, body);

/** Runs `body` with gradients recorded, as inside a `noGrad` that should not reach it. */
export const enableGrad = <T>(body: () => Sync<T>): T => scope('enableGrad', true, body);

/**
 * The same value as a constant: no gradient flows through it.
 *
 * @returns a tensor that refers to the storage alone if `x` is stored, otherwise to what will be computed for `x`
 */
export function stopGradient(x: Tensor): Tensor {
  return x.requiresGrad ? leafOf(x, false) : x;
}

/** A leaf with the value of x. */
export function leafOf(x: Tensor, requiresGrad: boolean): Tensor {
  const { node } = x;
  const leaf = new Node('data', [], {}, node.shape, node.dtype, requiresGrad);
  // A version of a variable stays known as such, so that a compiled function binds the variable and not its storage.
  if (node.stored !== null && node.op !== 'data') leaf.stored = node.stored;
  else leaf.definition = node;
  return new Tensor(leaf);
}
