/** AdaDelta: steps in units of earlier steps, so that no learning rate has to be found. */
import type { Layout, Member, ParameterGroup, Parameters } from './group';
import { Optimizer } from './optimizer';
import { withPenalty } from './penalty';
import { checkSettings, fraction } from './settings';

export interface AdaDeltaOptions {
  /** Default 1. */
  readonly lr: number;
  /** Decay of both averages. Default 0.9. */
  readonly rho: number;
  /** Default 1e-6. */
  readonly eps: number;
  /** Default 0. */
  readonly weightDecay: number;
}

const layout: Layout<AdaDeltaOptions> = {
  numbers: ({ lr, rho, eps, weightDecay }) => ({ lr, rho, rest: 1 - rho, eps, weightDecay }),
  state: () => ['square_avg', 'acc_delta'],
  check(options) {
    checkSettings('AdaDelta', options);
    fraction('AdaDelta', 'rho', options.rho);
  },
};

/**
 * AdaDelta. With g = ∇ + λ·p:
 * v = ρ·v + (1−ρ)·g²;  d = g · √(u + eps) / √(v + eps);  u = ρ·u + (1−ρ)·d²;  p ← p − lr·d.
 *
 * @see Zeiler 2012, "ADADELTA: an adaptive learning rate method"
 */
export class AdaDelta extends Optimizer<AdaDeltaOptions> {
  constructor(parameters: Parameters<AdaDeltaOptions>, options: Partial<AdaDeltaOptions> = {}) {
    super(parameters, { lr: 1, rho: 0.9, eps: 1e-6, weightDecay: 0, ...options }, layout);
  }

  protected override update(group: ParameterGroup<AdaDeltaOptions>, members: readonly Member[]): void {
    const n = group.numbers();
    for (const { variable, gradient, state } of members) {
      const g = withPenalty(gradient, variable, group.options.weightDecay === 0 ? null : n('weightDecay'));
      const square = state['square_avg']!.mul(n('rho')).add(g.square().mul(n('rest')));
      const before = state['acc_delta']!;
      const delta = g.mul(before.add(n('eps')).sqrt()).div(square.add(n('eps')).sqrt());
      const after = before.mul(n('rho')).add(delta.square().mul(n('rest')));
      state['square_avg']!.assign(square);
      before.assign(after);
      variable.assign(variable.sub(delta.mul(n('lr'))));
    }
  }
}
