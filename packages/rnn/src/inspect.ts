/**
 * Looking into a recurrence: the gates at each time step, and how much of a loss's gradient reaches each step's state. The
 * second is how the vanishing gradient is measured: in a plain RNN its norm falls geometrically towards the past.
 */
import { grad } from '@dl/autograd';
import { stack, type Tensor } from '@dl/tensor';
import type { Recurrent } from './layer';
import type { MemoryCall } from './layers';

/** What one layer did in one direction. */
export interface Inspected {
  readonly layer: number;
  readonly isReverse: boolean;
  /** Each gate over time by name, `[T, N, H]`: i, f, g, o of an LSTM; r, z, n of a GRU; h of an RNN. */
  readonly gates: Readonly<Record<string, Tensor>>;
  /** h after each time step, T tensors `[N, P]`: for {@link gradientNorms}. */
  readonly hidden: readonly Tensor[];
}

export interface Inspection {
  /** As `forward` gives it; compute the loss from this one. */
  readonly output: Tensor;
  /** Layer by layer, forward before reverse. */
  readonly layers: readonly Inspected[];
}

/**
 * Runs a layer and keeps what it does inside.
 *
 * @param layer - any recurrent layer
 * @param x - as for its `forward`
 * @example
 * const { output, layers } = inspect(lstm, x);
 * console.log(await layers[0].gates.f.mean([1, 2]).array()); // how much is kept at each step
 */
export function inspect(layer: Recurrent, x: Tensor, options: MemoryCall = {}): Inspection {
  const { output, traces } = layer.trace(x, options);
  const layers = traces.map(({ layer: place, isReverse, hidden, gates }): Inspected => {
    const names = Object.keys(gates[0]!);
    const over = Object.fromEntries(names.map((name) => [name, stack(gates.map((g) => g[name]!))]));
    return { layer: place, isReverse, gates: over, hidden };
  });
  return { output, layers };
}

/**
 * The norm of a loss's gradient with respect to the state after each time step: ‖∂loss / ∂h_t‖ over batch and features.
 *
 * @param loss - a scalar, computed from the `output` that came with `hidden`
 * @param hidden - of one layer and direction, as `inspect` gives it
 * @returns `[T]`
 * @see Bengio, Simard & Frasconi 1994, "Learning long-term dependencies with gradient descent is difficult"
 */
export function gradientNorms(loss: Tensor, hidden: readonly Tensor[]): Tensor {
  const gradients = grad(loss, [...hidden], { unused: 'zero' }) as readonly Tensor[];
  return stack(gradients.map((g) => g.square().sum().sqrt()));
}
