/** Schedules: they set an optimiser's learning rate on the host, between steps. A compiled step reads it as data. */
import { forbidInTrace, ValueError } from '@dl/tensor';
import type { Rate } from './rates';

/** What a schedule needs of an optimiser. */
export interface Scheduled {
  readonly groups: readonly { lr: number; readonly options: object; set(options: { readonly lr?: number }): void }[];
}

export interface ScheduleState {
  readonly epoch: number;
  readonly base: readonly number[];
}

/**
 * Applies a rate to each group of an optimiser, at once for epoch 0 and at each `step()` for the next.
 *
 * @example
 * const schedule = new Schedule(optimizer, linearWarmup(5, cosine(95)));
 * for (let epoch = 0; epoch < 100; epoch++) {
 *   // …
 *   schedule.step();
 * }
 */
export class Schedule {
  readonly #optimizer: Scheduled;
  readonly #rate: Rate;
  #base: readonly number[];
  #epoch = 0;

  /** @param rate - any function of the epoch and the group's first learning rate */
  constructor(optimizer: Scheduled, rate: Rate) {
    this.#optimizer = optimizer;
    this.#rate = rate;
    this.#base = optimizer.groups.map((g) => g.lr);
    this.#apply();
  }

  /** How often it was stepped. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The learning rate now, of the first group. */
  get lr(): number {
    return this.#optimizer.groups[0]!.lr;
  }

  /** Goes on to the next epoch. */
  step(): void {
    forbidInTrace('schedule.step', 'Call it after the compiled function');
    this.#epoch++;
    this.#apply();
  }

  #apply(): void {
    this.#optimizer.groups.forEach((group, i) => {
      const rate = this.#rate(this.#epoch, this.#base[i] ?? this.#base[0]!);
      if (typeof rate === 'number') group.lr = rate;
      else group.set({ lr: rate.lr, ...momentumOf(group.options, rate.momentum) });
    });
  }

  stateDict(): ScheduleState {
    return { epoch: this.#epoch, base: [...this.#base] };
  }

  /** Takes an epoch over, and sets its learning rate. */
  loadStateDict({ epoch, base }: ScheduleState): void {
    forbidInTrace('loadStateDict', 'Call it before the compiled function');
    this.#epoch = epoch;
    this.#base = [...base];
    this.#apply();
  }
}

/** Momentum under the name that the optimiser has for it. */
function momentumOf(options: object, momentum: number): object {
  if ('momentum' in options) return { momentum };
  if ('betas' in options) return { betas: [momentum, (options.betas as readonly number[])[1]] };
  return {};
}

export interface PlateauOptions {
  /** Whether a smaller or a larger metric is better. Default `'min'`. */
  readonly mode?: 'min' | 'max';
  /** What the rate is multiplied by. Default 0.1. */
  readonly factor?: number;
  /** How many epochs without progress are endured. Default 10. */
  readonly patience?: number;
  /** What counts as progress. Default 1e-4. */
  readonly threshold?: number;
  /** Whether the threshold is a share of the best or an amount. Default `'rel'`. */
  readonly thresholdMode?: 'rel' | 'abs';
  /** Epochs after a reduction in which nothing is counted. Default 0. */
  readonly cooldown?: number;
  /** Default 0. */
  readonly minLr?: number;
  /** A smaller change is not made. Default 1e-8. */
  readonly eps?: number;
}

export interface PlateauState {
  readonly best: number | null;
  readonly bad: number;
  readonly cooling: number;
  readonly epoch: number;
}

/** Lowers the learning rate when a metric stops improving. */
export class Plateau {
  readonly #optimizer: Scheduled;
  readonly #options: Required<PlateauOptions>;
  #best: number | null = null;
  #bad = 0;
  #cooling = 0;
  #epoch = 0;

  constructor(optimizer: Scheduled, options: PlateauOptions = {}) {
    const defaults = {
      mode: 'min',
      factor: 0.1,
      patience: 10,
      threshold: 1e-4,
      thresholdMode: 'rel',
      cooldown: 0,
      minLr: 0,
      eps: 1e-8,
    } as const;
    this.#options = { ...defaults, ...options };
    this.#optimizer = optimizer;
    if (!(this.#options.factor < 1))
      throw new ValueError(`Plateau: factor is ${this.#options.factor}, but must be below 1.`);
  }

  get epoch(): number {
    return this.#epoch;
  }

  get lr(): number {
    return this.#optimizer.groups[0]!.lr;
  }

  /** @param metric - of the epoch that ended */
  step(metric: number): void {
    forbidInTrace('schedule.step', 'Call it after the compiled function');
    this.#epoch++;
    const { cooldown, patience } = this.#options;
    if (this.#improves(metric)) {
      this.#best = metric;
      this.#bad = 0;
    } else this.#bad++;
    if (this.#cooling > 0) {
      this.#cooling--;
      this.#bad = 0;
    }
    if (this.#bad <= patience) return;
    this.#reduce();
    this.#cooling = cooldown;
    this.#bad = 0;
  }

  #improves(metric: number): boolean {
    const { mode, threshold, thresholdMode } = this.#options;
    const best = this.#best;
    if (best === null) return !Number.isNaN(metric);
    const sign = mode === 'min' ? -1 : 1;
    const least = thresholdMode === 'rel' ? best * (1 + sign * threshold) : best + sign * threshold;
    return mode === 'min' ? metric < least : metric > least;
  }

  #reduce(): void {
    const { factor, minLr, eps } = this.#options;
    for (const group of this.#optimizer.groups) {
      const lr = Math.max(group.lr * factor, minLr);
      if (group.lr - lr > eps) group.lr = lr;
    }
  }

  stateDict(): PlateauState {
    return { best: this.#best, bad: this.#bad, cooling: this.#cooling, epoch: this.#epoch };
  }

  loadStateDict({ best, bad, cooling, epoch }: PlateauState): void {
    forbidInTrace('loadStateDict', 'Call it before the compiled function');
    [this.#best, this.#bad, this.#cooling, this.#epoch] = [best, bad, cooling, epoch];
  }
}
