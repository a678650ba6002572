/**
 * Learning rates as functions of the epoch: pure formulas on numbers, which compose. A `Schedule` applies one to an
 * optimiser. Epochs count from 0; `base` is the learning rate that the optimiser was created with.
 */
import { ValueError } from '@dl/tensor';

/** What a rate may also set: momentum, or the first of two betas. */
export interface RateAndMomentum {
  readonly lr: number;
  readonly momentum: number;
}

/** The learning rate of an epoch (or of a step, if the schedule is stepped after each). */
export type Rate = (epoch: number, base: number) => number | RateAndMomentum;

type Formula = (epoch: number, base: number) => number;

function positive(name: string, setting: string, value: number): void {
  if (!(value > 0)) throw new ValueError(`${name}: ${setting} is ${value}, but must be above 0.`);
}

/** base · gamma^⌊epoch / every⌋. @param gamma - default 0.1 */
export function stepDecay(every: number, gamma = 0.1): Formula {
  positive('stepDecay', 'every', every);
  return (epoch, base) => base * gamma ** Math.floor(epoch / every);
}

/** base · gamma^(milestones reached). @param gamma - default 0.1 */
export const multiStepDecay =
  (milestones: readonly number[], gamma = 0.1): Formula =>
  (epoch, base) =>
    base * gamma ** milestones.filter((m) => m <= epoch).length;

/** base · gamma^epoch. */
export const exponentialDecay =
  (gamma: number): Formula =>
  (epoch, base) =>
    base * gamma ** epoch;

/** base · (1 − min(epoch, epochs) / epochs)^power. @param power - default 1 */
export function polynomialDecay(epochs: number, power = 1): Formula {
  positive('polynomialDecay', 'epochs', epochs);
  return (epoch, base) => base * (1 - Math.min(epoch, epochs) / epochs) ** power;
}

/** base times a factor that goes from `start` to `end` in the given epochs, and stays. */
export function linearRamp(
  epochs: number,
  { start = 1 / 3, end = 1 }: { readonly start?: number; readonly end?: number } = {},
): Formula {
  positive('linearRamp', 'epochs', epochs);
  return (epoch, base) => base * (start + ((end - start) * Math.min(epoch, epochs)) / epochs);
}

/** base · factor for the given epochs, then base. */
export const constantFactor =
  (epochs: number, factor = 1 / 3): Formula =>
  (epoch, base) =>
    epoch < epochs ? base * factor : base;

/**
 * min + (base − min) · (1 + cos(π · epoch / epochs)) / 2, also past `epochs`.
 *
 * @see Loshchilov & Hutter 2017, "SGDR: stochastic gradient descent with warm restarts"
 */
export function cosine(epochs: number, { min = 0 }: { readonly min?: number } = {}): Formula {
  positive('cosine', 'epochs', epochs);
  return (epoch, base) => min + ((base - min) * (1 + Math.cos((Math.PI * epoch) / epochs))) / 2;
}

/** Cosine from base to min again and again: the first period has `epochs`, each later one `growth` times as many. */
export function warmRestarts(
  epochs: number,
  { growth = 1, min = 0 }: { readonly growth?: number; readonly min?: number } = {},
): Formula {
  positive('warmRestarts', 'epochs', epochs);
  if (!(growth >= 1)) throw new ValueError(`warmRestarts: growth is ${growth}, but must be at least 1.`);
  return (epoch, base) => {
    let [start, length] = [0, epochs];
    if (growth === 1) start = Math.floor(epoch / epochs) * epochs;
    else
      while (epoch >= start + length) {
        start += length;
        length *= growth;
      }
    return cosine(length, { min })(epoch - start, base);
  };
}

export interface CyclicOptions {
  /** Steps in which the rate rises. Default 2000. */
  readonly rise?: number;
  /** Steps in which it falls again. Default: as many. */
  readonly fall?: number;
  /** Each cycle's peak is as high; half as high as the last; or lower by the factor gamma at each step. Default `'triangular'`. */
  readonly mode?: 'triangular' | 'triangular2' | 'expRange';
  /** Default 1. */
  readonly gamma?: number;
}

/**
 * Straight up from base to `maxLr` and down again, over and over; the schedule is stepped after each batch.
 *
 * @see Smith 2017, "Cyclical learning rates for training neural networks"
 */
export function cyclic(maxLr: number, options: CyclicOptions = {}): Formula {
  const { rise = 2000, fall = rise, mode = 'triangular', gamma = 1 } = options;
  positive('cyclic', 'rise', rise);
  positive('cyclic', 'fall', fall);
  const heights: Readonly<Record<string, (cycle: number, step: number) => number>> = {
    triangular: () => 1,
    triangular2: (cycle) => 0.5 ** cycle,
    expRange: (_, step) => gamma ** step,
  };
  const height = heights[mode];
  if (height === undefined)
    throw new ValueError(`cyclic: mode '${mode}' is none of ${Object.keys(heights).join(', ')}.`);
  return (step, base) => {
    const cycle = Math.floor(step / (rise + fall));
    const at = step - cycle * (rise + fall);
    const share = at <= rise ? at / rise : 1 - (at - rise) / fall;
    return base + (maxLr - base) * share * height(cycle, step);
  };
}

/** base · (epoch + 1) / epochs for the given epochs, then the next rate from its beginning (default: base). */
export function linearWarmup(epochs: number, next: Rate = (_, base) => base): Rate {
  positive('linearWarmup', 'epochs', epochs);
  return (epoch, base) => (epoch < epochs ? (base * (epoch + 1)) / epochs : next(epoch - epochs, base));
}

/**
 * base · features^−½ · min(s^−½, s · warmup^−1.5) with s = epoch + 1.
 *
 * @see Vaswani et al. 2017, "Attention is all you need", eq. 3
 */
export function noam(features: number, warmup: number): Formula {
  positive('noam', 'features', features);
  positive('noam', 'warmup', warmup);
  return (epoch, base) => base * features ** -0.5 * Math.min((epoch + 1) ** -0.5, (epoch + 1) * warmup ** -1.5);
}

export interface OneCycleOptions {
  /** Share of the steps in which the rate rises. Default 0.3. */
  readonly rise?: number;
  /** Default `'cos'`. */
  readonly anneal?: 'cos' | 'linear';
  /** The first rate is maxLr / divFactor. Default 25. */
  readonly divFactor?: number;
  /** The last rate is the first / finalDivFactor. Default 1e4. */
  readonly finalDivFactor?: number;
  /** Falls symmetrically first, and to the last rate afterwards. Default false. */
  readonly threePhase?: boolean;
  /** Momentum (or β1) falls from the larger to the smaller as the rate rises, and back. Default [0.85, 0.95]; null leaves it. */
  readonly momentum?: readonly [number, number] | null;
}

/**
 * One rise to `maxLr` and one fall far below the start, while momentum does the opposite. The base rate is not used.
 *
 * @param maxLr - the highest rate
 * @param steps - how many there are; the schedule is stepped after each batch
 * @throws ValueError past the last step
 * @see Smith & Topin 2019, "Super-convergence"
 */
export function oneCycle(maxLr: number, steps: number, options: OneCycleOptions = {}): Rate {
  positive('oneCycle', 'steps', steps);
  const {
    rise = 0.3,
    anneal = 'cos',
    divFactor = 25,
    finalDivFactor = 1e4,
    threePhase = false,
    momentum = [0.85, 0.95],
  } = options;
  const first = maxLr / divFactor;
  const last = first / finalDivFactor;
  const [low, high] = momentum ?? [0, 0];
  const top = { lr: maxLr, momentum: low };
  const peak = rise * steps - 1;
  const knots = [
    { at: 0, lr: first, momentum: high },
    { at: peak, ...top },
  ];
  if (threePhase) knots.push({ at: 2 * peak, lr: first, momentum: high });
  knots.push({ at: steps - 1, lr: last, momentum: high });
  const between = (a: number, b: number, share: number): number =>
    anneal === 'linear' ? a + (b - a) * share : b + ((a - b) * (1 + Math.cos(Math.PI * share))) / 2;
  return (step) => {
    if (step >= steps) throw new ValueError(`oneCycle: step ${step} of ${steps}. Plan for as many steps as are made.`);
    const next = Math.max(
      1,
      knots.findIndex(({ at }) => step <= at),
    );
    const [a, b] = [knots[next - 1]!, knots[next]!];
    const share = (step - a.at) / (b.at - a.at);
    const lr = between(a.lr, b.lr, share);
    return momentum === null ? lr : { lr, momentum: between(a.momentum, b.momentum, share) };
  };
}
