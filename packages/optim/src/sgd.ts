/** Stochastic gradient descent, with momentum. */
import { ValueError } from '@dl/tensor';
import type { Layout, Member, ParameterGroup, Parameters } from './group';
import { Optimizer } from './optimizer';
import { withPenalty } from './penalty';
import { atLeastZero, checkSettings } from './settings';

export interface SGDOptions {
  /** Learning rate. Default 1e-3. */
  readonly lr: number;
  /** Share of the last step's direction that is kept. Default 0. */
  readonly momentum: number;
  /** Share of the gradient that the direction leaves out. Default 0. */
  readonly dampening: number;
  /** λ of the L2 penalty ½ λ |p|². Default 0. */
  readonly weightDecay: number;
  /** Looks ahead along the direction. Needs momentum and no dampening. Default false. */
  readonly nesterov: boolean;
}

const layout: Layout<SGDOptions> = {
  numbers: ({ lr, momentum, dampening, weightDecay }) => ({
    lr,
    momentum,
    fresh: 1 - dampening,
    dampening,
    weightDecay,
  }),
  state: ({ momentum }) => (momentum === 0 ? [] : ['momentum_buffer']),
  check(options) {
    checkSettings('SGD', options);
    atLeastZero('SGD', 'momentum', options.momentum);
    if (options.nesterov && (options.momentum === 0 || options.dampening !== 0)) {
      throw new ValueError('SGD: nesterov needs momentum above 0 and dampening 0.');
    }
  },
};

/**
 * Stochastic gradient descent.
 * g = ∇ + λ·p;  b = momentum·b + (1 − dampening)·g (b = g in the first step);  p ← p − lr·(g + momentum·b if nesterov, else b).
 *
 * @see Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning"
 */
export class SGD extends Optimizer<SGDOptions> {
  constructor(parameters: Parameters<SGDOptions>, options: Partial<SGDOptions> = {}) {
    super(parameters, { lr: 1e-3, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false, ...options }, layout);
  }

  protected override update(group: ParameterGroup<SGDOptions>, members: readonly Member[]): void {
    const { momentum, dampening, weightDecay, nesterov } = group.options;
    const n = group.numbers();
    // 1 in a parameter's first step, where the buffer is the gradient itself.
    const fresh = momentum !== 0 && dampening !== 0 ? group.countSteps(members).eq(1).where(1, n('fresh')) : null;
    for (const { variable, gradient, state, index } of members) {
      const g = withPenalty(gradient, variable, weightDecay === 0 ? null : n('weightDecay'));
      let direction = g;
      if (momentum !== 0) {
        const buffer = state['momentum_buffer']!;
        const moved = buffer.mul(n('momentum')).add(fresh === null ? g : g.mul(fresh.at(index)));
        buffer.assign(moved);
        direction = nesterov ? g.add(moved.mul(n('momentum'))) : moved;
      }
      variable.assign(variable.sub(direction.mul(n('lr'))));
    }
  }
}
