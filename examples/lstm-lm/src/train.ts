/** The training run: text, model, optimiser and schedule put together, and the figures that come out. */

import { DataLoader, type TextBatch, textStreams } from '@dl/data';
import { nameOf, parameterCount, rounded, type Session, secondsOf, stepMsMedian, type Text } from '@dl/example-kit';
import { crossEntropy } from '@dl/layers';
import { Adam, cosine, Schedule } from '@dl/optim';
import { setSeed } from '@dl/tensor';
import { type Callback, type FitResult, fit } from '@dl/train';
import { CharacterModel } from './model';
import type { Options } from './options';

/** Characters of a stream in one step: as far as the gradient reaches back. */
const STEPS = 64;

/** The line that `--json` prints last. */
export interface Figures {
  readonly example: 'lstm-lm';
  readonly data: string;
  readonly epochs: number;
  /** Nats a character. */
  readonly validationLoss: number;
  /** e to the power of that: among how many characters the model hesitates. */
  readonly perplexity: number;
  readonly trainLoss: number;
  readonly stepMsMedian: number;
  readonly charactersPerSecond: number;
  readonly parameters: number;
}

export interface Trained {
  readonly model: CharacterModel;
  readonly result: FitResult;
  /** Characters in an epoch. */
  readonly characters: number;
}

/** Trains with Adam, a learning rate that falls along a cosine, and gradients clipped at norm 1. */
export async function trainModel(text: Text, options: Options, session: Session): Promise<Trained> {
  const { epochs, batch: batchSize, lr, seed } = options;
  setSeed(seed);
  const model = new CharacterModel(text.tokenizer.vocabulary.size, batchSize);
  const optimizer = new Adam(model.parameters(), { lr });
  const loaderOf = (ids: Int32Array) => new DataLoader(textStreams(ids, { batchSize, steps: STEPS }), { batchSize });
  const train = loaderOf(text.train);
  const result = await fit<TextBatch>(model, {
    train,
    validation: loaderOf(text.validation),
    epochs,
    optimizer,
    schedule: new Schedule(optimizer, cosine(epochs * train.length)),
    forward: ([ids, targets]) => ({
      output: model.forward(ids.transpose(0, 1)),
      target: targets.transpose(0, 1).flatten(),
    }),
    loss: crossEntropy,
    clip: { clipNorm: 1 },
    ...session.fit,
    callbacks: [...session.fit.callbacks, forgetful],
  });
  return { model, result, characters: train.length * batchSize * STEPS };
}

/** At the end of an epoch the streams begin anew. */
const forgetful: Callback = {
  onEpoch(_, run): void {
    const { states } = run.model as CharacterModel;
    states.train.reset();
    states.validation.reset();
  },
};

export function figuresOf({ model, result: { history }, characters }: Trained, { data, epochs }: Options): Figures {
  const last = history.at(-1)!;
  const { loss } = last.validation!;
  return {
    example: 'lstm-lm',
    data: data === null ? 'documentation' : nameOf(data),
    epochs,
    validationLoss: rounded(loss, 4),
    perplexity: rounded(Math.exp(loss), 3),
    trainLoss: rounded(last.train.loss, 4),
    stepMsMedian: stepMsMedian(history),
    charactersPerSecond: Math.round((history.length * characters) / secondsOf(history)),
    parameters: parameterCount(model),
  };
}
