/** Adam and AdamW: steps scaled by running averages of the gradient and of its square. */
import type { Tensor } from '@dl/tensor';
import type { Layout, Member, ParameterGroup, Parameters } from './group';
import { Optimizer } from './optimizer';
import { withPenalty } from './penalty';
import { checkSettings } from './settings';

export interface AdamOptions {
  /** Learning rate. Default 1e-3. */
  readonly lr: number;
  /** Decay of the averages of the gradient and of its square. Default [0.9, 0.999]. */
  readonly betas: readonly [number, number];
  /** Added to the root of the average square. Default 1e-8. */
  readonly eps: number;
  /** Default 0; 0.01 for AdamW. */
  readonly weightDecay: number;
  /** Uses the largest average square so far. Default false. */
  readonly amsgrad: boolean;
}

/** What steps read of two decays: they, what they leave, and their logarithms, from which 1 − β^t keeps its digits in f32. */
export function betaNumbers([beta1, beta2]: readonly [number, number]) {
  return {
    beta1,
    rest1: 1 - beta1,
    log1: Math.log(beta1),
    beta2,
    rest2: 1 - beta2,
    log2: Math.log(beta2),
  };
}

/** 1 − β^t = −expm1(t · log β) for counts of steps. */
export const correction = (steps: Tensor, logBeta: Tensor): Tensor => steps.mul(logBeta).expm1().neg();

const numbers = ({ lr, betas, eps, weightDecay }: AdamOptions) => ({
  lr,
  ...betaNumbers(betas),
  eps,
  weightDecay,
  /** What decoupled decay leaves of a parameter. */
  keep: 1 - lr * weightDecay,
});

const layoutOf = (name: string): Layout<AdamOptions> => ({
  numbers,
  state: ({ amsgrad }) => ['exp_avg', 'exp_avg_sq', ...(amsgrad ? ['max_exp_avg_sq'] : [])],
  check: (options) => checkSettings(name, options),
});

const adamLayout = layoutOf('Adam');
const adamWLayout = layoutOf('AdamW');

/** The update that both share; they differ in how weights decay. */
function adamUpdate(group: ParameterGroup<AdamOptions>, members: readonly Member[], isDecoupled: boolean): void {
  const { weightDecay, amsgrad } = group.options;
  const n = group.numbers();
  const steps = group.countSteps(members);
  const stepSize = n('lr').div(correction(steps, n('log1')));
  const spread = correction(steps, n('log2')).rsqrt();
  for (const { variable, gradient, state, index } of members) {
    const decays = weightDecay !== 0;
    const g = withPenalty(gradient, variable, decays && !isDecoupled ? n('weightDecay') : null);
    const mean = state['exp_avg']!.mul(n('beta1')).add(g.mul(n('rest1')));
    const square = state['exp_avg_sq']!.mul(n('beta2')).add(g.square().mul(n('rest2')));
    state['exp_avg']!.assign(mean);
    state['exp_avg_sq']!.assign(square);
    let scale = square;
    if (amsgrad) {
      scale = state['max_exp_avg_sq']!.maximum(square);
      state['max_exp_avg_sq']!.assign(scale);
    }
    const step = mean.mul(stepSize.at(index)).div(scale.sqrt().mul(spread.at(index)).add(n('eps')));
    variable.assign((decays && isDecoupled ? variable.mul(n('keep')) : variable).sub(step));
  }
}

/**
 * Adam. With g = ∇ + λ·p:
 * m = β1·m + (1−β1)·g;  v = β2·v + (1−β2)·g²;  p ← p − lr · m/(1−β1^t) / (√(v/(1−β2^t)) + eps).
 *
 * @see Kingma & Ba 2015, "Adam: a method for stochastic optimization"; amsgrad: Reddi et al. 2018
 */
export class Adam extends Optimizer<AdamOptions> {
  constructor(parameters: Parameters<AdamOptions>, options: Partial<AdamOptions> = {}) {
    super(
      parameters,
      { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, amsgrad: false, ...options },
      adamLayout,
    );
  }

  protected override update(group: ParameterGroup<AdamOptions>, members: readonly Member[]): void {
    adamUpdate(group, members, false);
  }
}

/**
 * Adam with decoupled weight decay: p ← (1 − lr·λ)·p, then as Adam with g = ∇.
 *
 * @see Loshchilov & Hutter 2019, "Decoupled weight decay regularization"
 */
export class AdamW extends Optimizer<AdamOptions> {
  constructor(parameters: Parameters<AdamOptions>, options: Partial<AdamOptions> = {}) {
    super(
      parameters,
      { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.01, amsgrad: false, ...options },
      adamWLayout,
    );
  }

  protected override update(group: ParameterGroup<AdamOptions>, members: readonly Member[]): void {
    adamUpdate(group, members, true);
  }
}
