/** What the example can be told. */
import { oneOf, path, positive, type Settings, seed, whole } from '@dl/example-kit';

export const options = {
  data: path('DIR', "folder with MNIST's four IDX files, gzipped or not; without it, generated digits"),
  epochs: whole('times through the training set', 3),
  batch: whole('pictures a step', 64),
  lr: positive('learning rate of the first step', 2e-3),
  seed: seed('of weights and order'),
  backend: oneOf(['cpu'], 'where it is computed'),
};

export const kept = ['data', 'epochs', 'batch', 'lr', 'seed'] as const;

export type Options = Settings<typeof options>;
