/** The training run: text, model, optimiser and schedule put together, and the figures that come out. */
import { DataLoader, type TextBatch, textStreams } from '@dl/data';
import { crossEntropy } from '@dl/layers';
import { Adam, cosine, Schedule } from '@dl/optim';
import { setSeed } from '@dl/tensor';
import { type Callback, type FitResult, fit, type InterruptSignal, jsonLines, progress } from '@dl/train';
import { CharacterModel } from './model';
import type { Options, RunOptions } from './options';
import type { Text } from './text';

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
  readonly checkpoint: string;
  /** Characters in an epoch. */
  readonly characters: number;
}

/** Trains with Adam, a learning rate that falls along a cosine, and gradients clipped at norm 1. */
export async function trainModel(text: Text, options: Options, signal: InterruptSignal): Promise<Trained> {
  const { epochs, batch: batchSize, lr, seed, resume, out } = options;
  setSeed(seed);
  const model = new CharacterModel(text.tokenizer.vocabulary.size, batchSize);
  const optimizer = new Adam(model.parameters(), { lr });
  const loaderOf = (ids: Int32Array) => new DataLoader(textStreams(ids, { batchSize, steps: STEPS }), { batchSize });
  const train = loaderOf(text.train);
  const checkpoint = `${out}/last.ckpt`;
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
    callbacks: [progress(), jsonLines(`${out}/log.jsonl`), forgetful],
    checkpoint: { file: checkpoint, everySteps: 200 },
    parts: { options: keptOptions(options) },
    ...(resume === null ? {} : { resume }),
    signal,
  });
  return { model, result, checkpoint, characters: train.length * batchSize * STEPS };
}

/** At the end of an epoch the streams begin anew. */
const forgetful: Callback = {
  onEpoch(_, run): void {
    const { states } = run.model as CharacterModel;
    states.train.reset();
    states.validation.reset();
  },
};

/** Puts the options into the checkpoint. They come out of it before the run is set up. */
const keptOptions = ({ data, epochs, batch, lr, seed }: RunOptions) => ({
  stateDict: (): RunOptions => ({ data, epochs, batch, lr, seed }),
  loadStateDict: (): void => {},
});

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

export function figuresOf({ model, result: { history }, characters }: Trained, { data, epochs }: Options): Figures {
  const last = history.at(-1)!;
  const seconds = history.reduce((sum, report) => sum + report.seconds, 0);
  const { loss } = last.validation!;
  return {
    example: 'lstm-lm',
    data: data === null ? 'documentation' : data.replace(/^.*\//, ''),
    epochs,
    validationLoss: rounded(loss, 4),
    perplexity: rounded(Math.exp(loss), 3),
    trainLoss: rounded(last.train.loss, 4),
    stepMsMedian: rounded(median(history.map(({ stepMsMedian }) => stepMsMedian)), 2),
    charactersPerSecond: Math.round((history.length * characters) / seconds),
    parameters: model.parameters().reduce((sum, parameter) => sum + parameter.size, 0),
  };
}
