/** What the example can be told. */
import { positive, type Settings, seed, whole } from '@dl/example-kit';

export const options = {
  count: whole('dates to train on', 20000),
  epochs: whole('times through them', 5),
  batch: whole('dates a step', 64),
  lr: positive('learning rate of the first step', 2e-3),
  seed: seed('of dates, weights and order'),
};

export const kept = ['count', 'epochs', 'batch', 'lr', 'seed'] as const;

export type Options = Settings<typeof options>;
