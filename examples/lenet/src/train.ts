/** The training run: data, model, optimiser and schedule put together, and the figures that come out. */
import { DataLoader } from '@dl/data';
import { parameterCount, rounded, type Session, secondsOf, stepMsMedian } from '@dl/example-kit';
import { crossEntropy } from '@dl/layers';
import { Adam, cosine, Schedule } from '@dl/optim';
import { setSeed } from '@dl/tensor';
import { Accuracy, type FitResult, fit } from '@dl/train';
import type { Digits } from './digits';
import { LeNet } from './model';
import type { Options } from './options';

/** The line that `--json` prints last. */
export interface Figures {
  readonly example: 'lenet';
  readonly data: 'mnist' | 'generated';
  readonly epochs: number;
  readonly testAccuracy: number;
  readonly trainLoss: number;
  readonly secondsPerEpoch: number;
  readonly stepMsMedian: number;
  readonly parameters: number;
}

export interface Trained {
  readonly model: LeNet;
  readonly result: FitResult;
}

/** Trains LeNet with Adam and a learning rate that falls along a cosine, step by step. */
export async function trainLeNet(digits: Digits, options: Options, session: Session): Promise<Trained> {
  const { epochs, batch: batchSize, lr, seed } = options;
  setSeed(seed);
  const model = new LeNet();
  const optimizer = new Adam(model.parameters(), { lr });
  const train = new DataLoader(digits.train, { batchSize, shuffle: true, seed });
  const schedule = new Schedule(optimizer, cosine(epochs * train.length));
  const result = await fit(model, {
    train,
    validation: new DataLoader(digits.test, { batchSize: 500 }),
    epochs,
    optimizer,
    schedule,
    loss: crossEntropy,
    metrics: { accuracy: new Accuracy() },
    ...session.fit,
  });
  return { model, result };
}

export function figuresOf({ model, result: { history } }: Trained, { data, epochs }: Options): Figures {
  const last = history.at(-1)!;
  return {
    example: 'lenet',
    data: data === null ? 'generated' : 'mnist',
    epochs,
    testAccuracy: rounded(last.validation!['accuracy'] as number, 6),
    trainLoss: rounded(last.train.loss, 6),
    secondsPerEpoch: rounded(secondsOf(history) / history.length, 3),
    stepMsMedian: stepMsMedian(history),
    parameters: parameterCount(model),
  };
}
