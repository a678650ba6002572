/** Running means of a value a batch, such as the loss. */
import { type Tensor, Variable, zeros } from '@dl/tensor';
import { Metric } from './metric';

/**
 * The mean of numbers, weighted by how many samples each stands for.
 *
 * @example
 * const trainLoss = new Mean();
 * const step = compile((x: Tensor, y: Tensor) => {
 *   const loss = crossEntropy(model.forward(x), y);
 *   trainLoss.update(loss, x.shape[0]);
 * });
 */
export class Mean extends Metric {
  protected override readonly state = {
    total: new Variable(zeros([]), { name: 'Mean.total' }),
    weight: new Variable(zeros([]), { name: 'Mean.weight' }),
  };

  /**
   * @param value - any shape; its elements are averaged
   * @param weight - how much this value counts beside the others. Default 1
   */
  override update(value: Tensor, weight: Tensor | number = 1): void {
    const { total, weight: sum } = this.state;
    total.assign(total.add(value.mean().cast('f32').mul(weight)));
    sum.assign(sum.add(weight));
  }

  /** NaN before the first update. */
  override async compute(): Promise<number> {
    const [[total], [weight]] = await Promise.all([this.state.total.data(), this.state.weight.data()]);
    return total! / weight!;
  }
}
