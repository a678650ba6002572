/** What the example can be told. */
import { notNegative, path, positive, type Settings, seed, whole } from '@dl/example-kit';

export const options = {
  data: path('FILE', "a text; the last tenth is for validation. Without it, this project's documentation"),
  epochs: whole('times through the text', 5),
  batch: whole('streams that the text is cut into', 32),
  lr: positive('learning rate of the first step', 4e-3),
  seed: seed('of weights and sample'),
  sample: whole('characters that are written in the end', 500, 0),
  temperature: notNegative('of that sample: lower is bolder', 0.8),
};

export const kept = ['data', 'epochs', 'batch', 'lr', 'seed'] as const;

export type Options = Settings<typeof options>;
