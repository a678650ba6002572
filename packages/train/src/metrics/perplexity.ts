/** How many classes a language model hesitates between. */
import { crossEntropy } from '@dl/layers';
import { type Tensor, Variable, zeros } from '@dl/tensor';
import { Metric } from './metric';

export interface PerplexityOptions {
  /** Targets of this index do not count. Default −100. */
  readonly ignoreIndex?: number;
}

/**
 * e to the mean cross entropy of the targets: 1 for a model that is always certain and right, C for one that guesses among C.
 *
 * @example
 * const perplexity = new Perplexity({ ignoreIndex: padding });
 */
export class Perplexity extends Metric {
  protected override readonly state = {
    total: new Variable(zeros([]), { name: 'Perplexity.total' }),
    count: new Variable(zeros([], 'i32'), { name: 'Perplexity.count' }),
  };
  readonly #ignoreIndex: number;

  constructor({ ignoreIndex = -100 }: PerplexityOptions = {}) {
    super();
    this.#ignoreIndex = ignoreIndex;
  }

  /**
   * @param output - logits `[N, C, …]`
   * @param target - class indices `[N, …]`
   */
  override update(output: Tensor, target: Tensor): void {
    const { total, count } = this.state;
    const loss = crossEntropy(output, target, { ignoreIndex: this.#ignoreIndex, reduction: 'sum' });
    total.assign(total.add(loss.cast('f32')));
    count.assign(count.add(target.ne(this.#ignoreIndex).cast('i32').sum()));
  }

  /** NaN before the first update. */
  override async compute(): Promise<number> {
    const [[total], [count]] = await Promise.all([this.state.total.data(), this.state.count.data()]);
    return Math.exp(total! / count!);
  }
}
