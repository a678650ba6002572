/** The training run, and its figures. */
import {
  type PairBatch,
  PairLoader,
  parameterCount,
  rounded,
  type Session,
  secondsOf,
  stepMsMedian,
} from '@dl/example-kit';
import { crossEntropy } from '@dl/layers';
import { Adam, cosine, Schedule } from '@dl/optim';
import { setSeed, type Tensor } from '@dl/tensor';
import { type FitResult, fit } from '@dl/train';
import type { Dates } from './data';
import { Seq2Seq } from './model';
import type { Options } from './options';

/** The line that `--json` prints last. */
export interface Figures {
  readonly example: 'attention-seq2seq';
  readonly data: 'dates';
  readonly epochs: number;
  readonly steps: number;
  readonly validationLoss: number;
  /** The share of translations that are right to the letter. */
  readonly exactMatches: number;
  readonly stepMsMedian: number;
  readonly trainSeconds: number;
  readonly parameters: number;
}

export interface Trained {
  readonly model: Seq2Seq;
  readonly result: FitResult;
}

function predict(model: Seq2Seq, { source, padding, target }: PairBatch): { output: Tensor; target: Tensor } {
  const length = target.shape[1]! - 1;
  const { logits } = model.forward(source, padding, target.narrow(1, 0, length)); // [B, T − 1, V]
  return { output: logits.flatten(0, 1), target: target.narrow(1, 1, length).flatten() };
}

export async function trainModel(dates: Dates, options: Options, session: Session): Promise<Trained> {
  const { epochs, batch: batchSize, lr, seed } = options;
  setSeed(seed);
  const { vocabulary } = dates.tokenizer;
  const model = new Seq2Seq(vocabulary.size);
  const optimizer = new Adam(model.parameters(), { lr });
  const padId = vocabulary.required('train', 'pad');
  const train = new PairLoader(dates.train, { batchSize, padId, seed });
  const result = await fit<PairBatch>(model, {
    train,
    validation: new PairLoader(dates.validation, { batchSize, padId, seed, shuffle: false }),
    epochs,
    optimizer,
    schedule: new Schedule(optimizer, cosine(epochs * train.length, { min: lr / 20 })),
    forward: (batch) => predict(model, batch),
    loss: (output, target) => crossEntropy(output, target, { ignoreIndex: padId }),
    clip: { clipNorm: 1 },
    ...session.fit,
  });
  return { model, result };
}

export function figuresOf(
  { model, result: { history, step } }: Trained,
  { epochs }: Options,
  dates: Dates,
  translations: readonly string[],
): Figures {
  const exact = dates.test.filter(([, iso], i) => translations[i] === iso).length;
  return {
    example: 'attention-seq2seq',
    data: 'dates',
    epochs,
    steps: step,
    validationLoss: rounded(history.at(-1)!.validation!.loss, 4),
    exactMatches: rounded(exact / dates.test.length, 4),
    stepMsMedian: stepMsMedian(history),
    trainSeconds: rounded(secondsOf(history), 1),
    parameters: parameterCount(model),
  };
}
