/** The training run: data, model, optimiser and schedule put together, and the figures that come out. */
import { DataLoader } from '@dl/data';
import { crossEntropy } from '@dl/layers';
import { Adam, cosine, Schedule } from '@dl/optim';
import { setSeed } from '@dl/tensor';
import { Accuracy, type FitResult, fit, type InterruptSignal, jsonLines, progress } from '@dl/train';
import type { Digits } from './digits';
import { LeNet } from './model';
import type { Options, RunOptions } from './options';

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
  readonly checkpoint: string;
}

/** Trains LeNet with Adam and a learning rate that falls along a cosine, step by step. */
export async function trainLeNet(digits: Digits, options: Options, signal: InterruptSignal): Promise<Trained> {
  const { epochs, batch: batchSize, lr, seed, resume, out } = options;
  setSeed(seed);
  const model = new LeNet();
  const optimizer = new Adam(model.parameters(), { lr });
  const train = new DataLoader(digits.train, { batchSize, shuffle: true, seed });
  const schedule = new Schedule(optimizer, cosine(epochs * train.length));
  const checkpoint = `${out}/last.ckpt`;
  const result = await fit(model, {
    train,
    validation: new DataLoader(digits.test, { batchSize: 500 }),
    epochs,
    optimizer,
    schedule,
    loss: crossEntropy,
    metrics: { accuracy: new Accuracy() },
    callbacks: [progress(), jsonLines(`${out}/log.jsonl`)],
    checkpoint: { file: checkpoint, everySteps: 200 },
    parts: { options: keptOptions(options) },
    ...(resume === null ? {} : { resume }),
    signal,
  });
  return { model, result, checkpoint };
}

/** Puts the options into the checkpoint. They come out of it before the run is set up. */
const keptOptions = ({ data, epochs, batch, lr, seed }: RunOptions) => ({
  stateDict: (): RunOptions => ({ data, epochs, batch, lr, seed }),
  loadStateDict: (): void => {},
});

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

export function figuresOf({ model, result: { history } }: Trained, { data, epochs }: Options): Figures {
  const last = history.at(-1)!;
  return {
    example: 'lenet',
    data: data === null ? 'generated' : 'mnist',
    epochs,
    testAccuracy: rounded(last.validation!['accuracy'] as number, 6),
    trainLoss: rounded(last.train.loss, 6),
    secondsPerEpoch: rounded(history.reduce((sum, { seconds }) => sum + seconds, 0) / history.length, 3),
    stepMsMedian: rounded(median(history.map(({ stepMsMedian }) => stepMsMedian)), 3),
    parameters: model.parameters().reduce((sum, parameter) => sum + parameter.size, 0),
  };
}
