/** What both modes need for their figures and checkpoints. */
import type { Options, RunOptions } from './options';

export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
export const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

/** Puts the options into the checkpoint. They come out of it before the run is set up. */
export const keptOptions = ({ mode, data, steps, batch, lr, seed }: Options) => ({
  stateDict: (): RunOptions => ({ mode, data, steps, batch, lr, seed }),
  loadStateDict: (): void => {},
});
