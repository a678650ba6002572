/**
 * PyTorch's way: `backward` adds each gradient to the leaf that it belongs to. Loss and gradients are stored by one run,
 * and the graph that was walked is given back, so that a loop holds one graph at a time.
 */
import { currentTrace, realize, Tensor, ValueError, withGrad } from '@dl/tensor';
import { ownerOf, startOf, totals } from './grad';
import { consume, pullBack } from './walk';

export interface BackwardOptions {
  /** Keeps the graph, for another walk over it. Default false. */
  readonly retainGraph?: boolean;
  /** The cotangent of a result that is not a scalar: same shape. Default 1 for a scalar. */
  readonly cotangent?: Tensor;
}

/**
 * Adds ∂loss/∂x to `x.grad` of every variable and leaf x that requires gradients and that the loss depends on.
 * Inside a compiled function it only records.
 *
 * @param loss - a scalar, or any float tensor with a `cotangent`
 * @throws ValueError if the loss requires no gradient, or its graph was consumed by an earlier `backward`
 */
export function backward(loss: Tensor, { retainGraph = false, cotangent }: BackwardOptions = {}): void {
  const { holders, passed } = withGrad(false, () => addGradients(loss, cotangent));
  if (holders.length === 0) {
    throw new ValueError(
      'backward: the loss depends on no leaf that requires gradients. Create one with { requiresGrad: true }.',
    );
  }
  if (currentTrace()) return;
  realize([loss.node, ...holders.map((x) => x.grad!.node)], { keep: false });
  if (!retainGraph) consume(passed);
}

function addGradients(loss: Tensor, cotangent: Tensor | undefined) {
  const start = startOf('backward', loss, cotangent);
  const pulled = pullBack(loss.node, start, (node) => ownerOf(node) !== undefined);
  const holders: Tensor[] = [];
  for (const [x, g] of totals(pulled)) {
    if (!(x instanceof Tensor)) continue;
    x.grad = x.grad === null ? g : x.grad.add(g);
    holders.push(x);
  }
  return { holders, passed: pulled.passed };
}
