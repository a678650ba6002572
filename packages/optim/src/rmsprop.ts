/** RMSProp: gradients divided by a running average of their size. */
import type { Layout, Member, ParameterGroup, Parameters } from './group';
import { Optimizer } from './optimizer';
import { withPenalty } from './penalty';
import { atLeastZero, checkSettings, fraction } from './settings';

export interface RMSPropOptions {
  /** Learning rate. Default 1e-2. */
  readonly lr: number;
  /** Decay of the average square. Default 0.99. */
  readonly alpha: number;
  /** Default 1e-8. */
  readonly eps: number;
  /** Default 0. */
  readonly weightDecay: number;
  /** Default 0. */
  readonly momentum: number;
  /** Divides by the variance rather than the mean square. Default false. */
  readonly centered: boolean;
}

const layout: Layout<RMSPropOptions> = {
  numbers: ({ lr, alpha, eps, weightDecay, momentum }) => ({ lr, alpha, rest: 1 - alpha, eps, weightDecay, momentum }),
  state: ({ centered, momentum }) => [
    'square_avg',
    ...(centered ? ['grad_avg'] : []),
    ...(momentum > 0 ? ['momentum_buffer'] : []),
  ],
  check(options) {
    checkSettings('RMSProp', options);
    fraction('RMSProp', 'alpha', options.alpha);
    atLeastZero('RMSProp', 'momentum', options.momentum);
  },
};

/**
 * RMSProp. With g = ∇ + λ·p: v = α·v + (1−α)·g²;  q = g / (√v + eps);  p ← p − lr·q.
 * Centered: v − m² in place of v, with m = α·m + (1−α)·g. With momentum: b = momentum·b + q;  p ← p − lr·b.
 *
 * @see Tieleman & Hinton 2012, lecture 6.5; centered: Graves 2013
 */
export class RMSProp extends Optimizer<RMSPropOptions> {
  constructor(parameters: Parameters<RMSPropOptions>, options: Partial<RMSPropOptions> = {}) {
    const defaults = { lr: 1e-2, alpha: 0.99, eps: 1e-8, weightDecay: 0, momentum: 0, centered: false };
    super(parameters, { ...defaults, ...options }, layout);
  }

  protected override update(group: ParameterGroup<RMSPropOptions>, members: readonly Member[]): void {
    const { weightDecay, momentum, centered } = group.options;
    const n = group.numbers();
    for (const { variable, gradient, state } of members) {
      const g = withPenalty(gradient, variable, weightDecay === 0 ? null : n('weightDecay'));
      const square = state['square_avg']!.mul(n('alpha')).add(g.square().mul(n('rest')));
      state['square_avg']!.assign(square);
      let spread = square;
      if (centered) {
        const mean = state['grad_avg']!.mul(n('alpha')).add(g.mul(n('rest')));
        state['grad_avg']!.assign(mean);
        spread = square.sub(mean.square()).maximum(0); // rounding may take it below
      }
      let direction = g.div(spread.sqrt().add(n('eps')));
      if (momentum > 0) {
        direction = state['momentum_buffer']!.mul(n('momentum')).add(direction);
        state['momentum_buffer']!.assign(direction);
      }
      variable.assign(variable.sub(direction.mul(n('lr'))));
    }
  }
}
