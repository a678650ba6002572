/** What the example can be told. */
import { notNegative, path, positive, type Settings, seed, whole } from '@dl/example-kit';

export const options = {
  data: path(
    'PATH',
    "gpt: a text, whose last tenth is for validation (without it, this project's documentation); translate: a folder with " +
      'train.de.gz, train.en.gz, val.…, test_2016_flickr.…, as Multi30k has them (without it, generated dates)',
  ),
  steps: whole('updates', 2000),
  batch: whole('sequences a step', 12),
  lr: positive('the highest learning rate', 2e-3),
  seed: seed('of weights, order and sample'),
  sample: whole('gpt: characters that are written in the end', 500, 0),
  temperature: notNegative('gpt: of that sample: lower is bolder', 0.8),
  beams: whole('translate: hypotheses of a sentence', 4),
};

/** The defaults that each mode changes. */
export const modes = {
  gpt: {},
  translate: { steps: 1500, batch: 64, lr: 1e-3 },
};

export const kept = ['data', 'steps', 'batch', 'lr', 'seed'] as const;

export type Options = Settings<typeof options, keyof typeof modes>;
