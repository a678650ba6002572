/** AdaGrad: each element's step shrinks with the sum of its squared gradients. */
import type { Layout, Member, ParameterGroup, Parameters } from './group';
import { Optimizer } from './optimizer';
import { withPenalty } from './penalty';
import { atLeastZero, checkSettings } from './settings';

export interface AdaGradOptions {
  /** Learning rate. Default 1e-2. */
  readonly lr: number;
  /** The rate of step t is lr / (1 + (t − 1) · lrDecay). Default 0. */
  readonly lrDecay: number;
  /** Default 0. */
  readonly weightDecay: number;
  /** What the sums start with. Default 0. */
  readonly initialAccumulatorValue: number;
  /** Default 1e-10. */
  readonly eps: number;
}

const layout: Layout<AdaGradOptions> = {
  numbers: ({ lr, lrDecay, weightDecay, eps }) => ({ lr, lrDecay, weightDecay, eps }),
  state: () => ['sum'],
  initial: (_, { initialAccumulatorValue }) => initialAccumulatorValue,
  check(options) {
    checkSettings('AdaGrad', options);
    atLeastZero('AdaGrad', 'lrDecay', options.lrDecay);
    atLeastZero('AdaGrad', 'initialAccumulatorValue', options.initialAccumulatorValue);
  },
};

/**
 * AdaGrad. With g = ∇ + λ·p: s = s + g²;  p ← p − lr / (1 + (t−1)·lrDecay) · g / (√s + eps).
 *
 * @see Duchi, Hazan & Singer 2011, "Adaptive subgradient methods for online learning and stochastic optimization"
 */
export class AdaGrad extends Optimizer<AdaGradOptions> {
  constructor(parameters: Parameters<AdaGradOptions>, options: Partial<AdaGradOptions> = {}) {
    super(
      parameters,
      { lr: 1e-2, lrDecay: 0, weightDecay: 0, initialAccumulatorValue: 0, eps: 1e-10, ...options },
      layout,
    );
  }

  protected override update(group: ParameterGroup<AdaGradOptions>, members: readonly Member[]): void {
    const { lrDecay, weightDecay } = group.options;
    const n = group.numbers();
    const rates = lrDecay === 0 ? null : n('lr').div(group.countSteps(members).sub(1).mul(n('lrDecay')).add(1));
    for (const { variable, gradient, state, index } of members) {
      const g = withPenalty(gradient, variable, weightDecay === 0 ? null : n('weightDecay'));
      const sum = state['sum']!.add(g.square());
      state['sum']!.assign(sum);
      const rate = rates === null ? n('lr') : rates.at(index);
      variable.assign(variable.sub(g.div(sum.sqrt().add(n('eps'))).mul(rate)));
    }
  }
}
