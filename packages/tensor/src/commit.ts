/**
 * Conditional assignments: what a compiled function assigned takes effect only where a condition, known when it runs,
 * holds. So a training step refuses its own update (a loss that is not finite) without the host having to look first.
 */
import { DTypeError, ShapeError, ValueError } from './errors';
import { withGrad } from './graph/mode';
import { where } from './ops/elementwise';
import { currentTrace } from './run/trace';
import { showShape } from './shape';
import type { Tensor } from './tensor';

/**
 * Makes every assignment of the compiled function so far conditional: where `condition` is false, each variable keeps
 * the value that it had before the call. Assignments that follow are not concerned.
 *
 * @param condition - bool, one element
 * @throws ValueError outside of a compiled function
 * @example
 * const step = compile((x: Tensor, y: Tensor) => {
 *   const loss = mse(model.forward(x), y);
 *   optimizer.minimize(loss);
 *   commitWhen(loss.isFinite());
 *   return loss;
 * });
 */
export function commitWhen(condition: Tensor): void {
  const trace = currentTrace();
  if (trace === null)
    throw new ValueError(
      'commitWhen: it is used inside a compiled function. Elsewhere, read the condition and assign or not.',
    );
  if (condition.dtype !== 'bool')
    throw new DTypeError(`commitWhen: the condition is ${condition.dtype}. Compare first, for a bool.`);
  if (condition.size !== 1)
    throw new ShapeError(
      `commitWhen: the condition is ${showShape(condition.shape)}, not one element. Reduce it with all().`,
    );
  const holds = condition.reshape([]).node;
  withGrad(false, () => {
    for (const [cell, value] of [...trace.assignments]) cell.assign(where(holds, value, trace.before.get(cell)!));
  });
}
