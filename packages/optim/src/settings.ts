/** Checks of settings that several optimisers share. */
import { ValueError } from '@dl/tensor';

/** @throws ValueError unless lr, weight decay and eps (where given) are at least 0 and betas within [0, 1) */
export function checkSettings(
  name: string,
  options: {
    readonly lr: number;
    readonly weightDecay?: number;
    readonly eps?: number;
    readonly betas?: readonly [number, number];
  },
): void {
  atLeastZero(name, 'lr', options.lr);
  if (options.weightDecay !== undefined) atLeastZero(name, 'weightDecay', options.weightDecay);
  if (options.eps !== undefined) atLeastZero(name, 'eps', options.eps);
  for (const beta of options.betas ?? []) fraction(name, 'betas', beta);
}

export function atLeastZero(name: string, setting: string, value: number): void {
  if (!(value >= 0)) throw new ValueError(`${name}: ${setting} is ${value}, but must be at least 0.`);
}

/** @throws ValueError unless 0 ≤ value < 1 */
export function fraction(name: string, setting: string, value: number): void {
  if (!(value >= 0 && value < 1))
    throw new ValueError(`${name}: ${setting} is ${value}, but must be from 0 to below 1.`);
}
