/** Relatives of Adam: Adamax, NAdam, RAdam, and Lion, which keeps only signs. */
import type { Tensor } from '@dl/tensor';
import { betaNumbers, correction } from './adam';
import type { Layout, Member, ParameterGroup, Parameters } from './group';
import { Optimizer } from './optimizer';
import { withPenalty } from './penalty';
import { atLeastZero, checkSettings } from './settings';

export interface AdamVariantOptions {
  /** Learning rate. Default 2e-3 for Adamax and NAdam, 1e-3 for RAdam, 1e-4 for Lion. */
  readonly lr: number;
  /** Decay of the averages. Default [0.9, 0.999]; [0.9, 0.99] for Lion. */
  readonly betas: readonly [number, number];
  /** Default 1e-8. Lion has none. */
  readonly eps: number;
  /** Default 0. */
  readonly weightDecay: number;
}

export interface NAdamOptions extends AdamVariantOptions {
  /** How fast momentum grows to β1. Default 4e-3. */
  readonly momentumDecay: number;
}

const numbers = ({ lr, betas, eps, weightDecay }: AdamVariantOptions) => ({
  lr,
  ...betaNumbers(betas),
  eps,
  weightDecay,
});

/** g = ∇ + λ·p and the new average m = β1·m + (1−β1)·g, stored. */
function average(n: (name: string) => Tensor, { variable, gradient, state }: Member, weightDecay: number) {
  const g = withPenalty(gradient, variable, weightDecay === 0 ? null : n('weightDecay'));
  const mean = state['exp_avg']!.mul(n('beta1')).add(g.mul(n('rest1')));
  state['exp_avg']!.assign(mean);
  return { g, mean };
}

/** v = β2·v + (1−β2)·g², stored. */
function averageSquare(n: (name: string) => Tensor, { state }: Member, g: Tensor): Tensor {
  const square = state['exp_avg_sq']!.mul(n('beta2')).add(g.square().mul(n('rest2')));
  state['exp_avg_sq']!.assign(square);
  return square;
}

const layoutOf = (name: string, state: readonly string[]): Layout<AdamVariantOptions> => ({
  numbers,
  state: () => state,
  check: (options) => checkSettings(name, options),
});

const adamaxLayout = layoutOf('Adamax', ['exp_avg', 'exp_inf']);

/**
 * Adamax: Adam with the maximum norm. u = max(β2·u, |g| + eps);  p ← p − lr / (1−β1^t) · m / u.
 *
 * @see Kingma & Ba 2015, section 7.1
 */
export class Adamax extends Optimizer<AdamVariantOptions> {
  constructor(parameters: Parameters<AdamVariantOptions>, options: Partial<AdamVariantOptions> = {}) {
    super(parameters, { lr: 2e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, ...options }, adamaxLayout);
  }

  protected override update(group: ParameterGroup<AdamVariantOptions>, members: readonly Member[]): void {
    const n = group.numbers();
    const stepSize = n('lr').div(correction(group.countSteps(members), n('log1')));
    for (const member of members) {
      const { g, mean } = average(n, member, group.options.weightDecay);
      const largest = member.state['exp_inf']!.mul(n('beta2')).maximum(g.abs().add(n('eps')));
      member.state['exp_inf']!.assign(largest);
      member.variable.assign(member.variable.sub(mean.div(largest).mul(stepSize.at(member.index))));
    }
  }
}

const nadamLayout: Layout<NAdamOptions> = {
  numbers: (options) => ({ ...numbers(options), logDecay: options.momentumDecay * Math.log(0.96) }),
  state: () => ['exp_avg', 'exp_avg_sq'],
  scalars: { mu_product: 1 },
  check(options) {
    checkSettings('NAdam', options);
    atLeastZero('NAdam', 'momentumDecay', options.momentumDecay);
  },
};

/**
 * Adam with Nesterov's momentum. μ_t = β1·(1 − ½·0.96^(t·momentumDecay)), P_t = Π μ, D = √(v/(1−β2^t)) + eps:
 * p ← p − lr·(1−μ_t)/(1−P_t) · g/D − lr·μ_{t+1}/(1−P_t·μ_{t+1}) · m/D.
 *
 * @see Dozat 2016, "Incorporating Nesterov momentum into Adam"
 */
export class NAdam extends Optimizer<NAdamOptions> {
  constructor(parameters: Parameters<NAdamOptions>, options: Partial<NAdamOptions> = {}) {
    const defaults: NAdamOptions = { lr: 2e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, momentumDecay: 4e-3 };
    super(parameters, { ...defaults, ...options }, nadamLayout);
  }

  protected override update(group: ParameterGroup<NAdamOptions>, members: readonly Member[]): void {
    const n = group.numbers();
    const steps = group.countSteps(members);
    const momentum = (t: Tensor): Tensor => t.mul(n('logDecay')).exp().mul(-0.5).add(1).mul(n('beta1'));
    const [now, next] = [momentum(steps), momentum(steps.add(1))];
    const product = group.advance('mu_product', members, (before) => before.mul(now));
    const ofGradient = n('lr').mul(now.neg().add(1)).div(product.neg().add(1));
    const ofMean = n('lr').mul(next).div(product.mul(next).neg().add(1));
    const spread = correction(steps, n('log2')).rsqrt();
    for (const member of members) {
      const { index, variable } = member;
      const { g, mean } = average(n, member, group.options.weightDecay);
      const scale = averageSquare(n, member, g).sqrt().mul(spread.at(index)).add(n('eps'));
      const direction = g.mul(ofGradient.at(index)).add(mean.mul(ofMean.at(index)));
      variable.assign(variable.sub(direction.div(scale)));
    }
  }
}

const radamLayout: Layout<AdamVariantOptions> = {
  ...layoutOf('RAdam', ['exp_avg', 'exp_avg_sq']),
  numbers: (options) => {
    const longest = 2 / (1 - options.betas[1]) - 1;
    return { ...numbers(options), longest, rectifier: longest / ((longest - 4) * (longest - 2)) };
  },
};

/**
 * Rectified Adam: plain momentum until the average square has seen enough. ρ∞ = 2/(1−β2) − 1;
 * ρ = ρ∞ − 2·t·β2^t/(1−β2^t);  r = √((ρ−4)(ρ−2)ρ∞ / ((ρ∞−4)(ρ∞−2)ρ));
 * p ← p − lr · m/(1−β1^t) · (r·√(1−β2^t)/(√v + eps) if ρ > 5, else 1).
 *
 * @see Liu et al. 2020, "On the variance of the adaptive learning rate and beyond"
 */
export class RAdam extends Optimizer<AdamVariantOptions> {
  constructor(parameters: Parameters<AdamVariantOptions>, options: Partial<AdamVariantOptions> = {}) {
    super(parameters, { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, ...options }, radamLayout);
  }

  protected override update(group: ParameterGroup<AdamVariantOptions>, members: readonly Member[]): void {
    const n = group.numbers();
    const steps = group.countSteps(members);
    const stepSize = n('lr').div(correction(steps, n('log1')));
    const left = correction(steps, n('log2')); // 1 − β2^t
    const length = n('longest').sub(steps.mul(2).mul(left.neg().add(1)).div(left));
    const isLong = length.gt(5);
    const safe = length.maximum(5);
    const rectified = safe.sub(4).mul(safe.sub(2)).div(safe).mul(n('rectifier')).mul(left).sqrt();
    const adaptive = stepSize.mul(isLong.where(rectified, 0));
    const plain = stepSize.mul(isLong.where(0, 1).cast(stepSize.dtype));
    for (const member of members) {
      const { index, variable } = member;
      const { g, mean } = average(n, member, group.options.weightDecay);
      const scale = averageSquare(n, member, g).sqrt().add(n('eps'));
      variable.assign(variable.sub(mean.mul(adaptive.at(index).div(scale).add(plain.at(index)))));
    }
  }
}

export type LionOptions = Omit<AdamVariantOptions, 'eps'>;

const lionLayout: Layout<LionOptions> = {
  numbers: ({ lr, betas, weightDecay }) => ({ lr, ...betaNumbers(betas), keep: 1 - lr * weightDecay }),
  state: () => ['exp_avg'],
  check: (options) => checkSettings('Lion', options),
};

/**
 * Lion: steps of one size, in the direction of a sign. p ← (1 − lr·λ)·p − lr · sign(β1·m + (1−β1)·∇);
 * m = β2·m + (1−β2)·∇.
 *
 * @see Chen et al. 2023, "Symbolic discovery of optimization algorithms"
 */
export class Lion extends Optimizer<LionOptions> {
  constructor(parameters: Parameters<LionOptions>, options: Partial<LionOptions> = {}) {
    super(parameters, { lr: 1e-4, betas: [0.9, 0.99], weightDecay: 0, ...options }, lionLayout);
  }

  protected override update(group: ParameterGroup<LionOptions>, members: readonly Member[]): void {
    const n = group.numbers();
    for (const { variable, gradient, state } of members) {
      const mean = state['exp_avg']!;
      const direction = mean
        .mul(n('beta1'))
        .add(gradient.mul(n('rest1')))
        .sign();
      mean.assign(mean.mul(n('beta2')).add(gradient.mul(n('rest2'))));
      const kept = group.options.weightDecay === 0 ? variable : variable.mul(n('keep'));
      variable.assign(kept.sub(direction.mul(n('lr'))));
    }
  }
}
