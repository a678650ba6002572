/** The training run of the GPT: windows of a text, AdamW, a learning rate that rises and then falls along a cosine. */
import { DataLoader, type TextBatch, textStreams, textWindows } from '@dl/data';
import { nameOf, parameterCount, rounded, type Session, secondsOf, stepMsMedian, type Text } from '@dl/example-kit';
import { crossEntropy } from '@dl/layers';
import { AdamW, cosine, linearWarmup, Schedule } from '@dl/optim';
import { setSeed } from '@dl/tensor';
import { type FitResult, fit } from '@dl/train';
import { GPT, Gpt } from './gpt-model';
import type { Options } from './options';

/** How often the validation loss is computed. */
const EVALUATIONS = 4;
const VALIDATION_BATCH = 32;
const WARMUP = 100;

/** The line that `--json` prints last. */
export interface GptFigures {
  readonly example: 'transformer';
  readonly mode: 'gpt';
  readonly data: string;
  readonly steps: number;
  /** Nats a character. */
  readonly validationLoss: number;
  readonly perplexity: number;
  readonly trainLoss: number;
  readonly stepMsMedian: number;
  readonly charactersPerSecond: number;
  readonly parameters: number;
  /** Tokens a second, with and without the key/value cache. */
  readonly tokensPerSecond: { readonly cached: number; readonly recomputed: number };
}

export interface TrainedGpt {
  readonly model: Gpt;
  readonly result: FitResult;
}

/** Matrices decay, vectors do not. */
function optimizerOf(model: Gpt, lr: number): AdamW {
  const [matrices, vectors] = [true, false].map((is) => model.parameters().filter((p) => p.rank > 1 === is));
  return new AdamW(
    [
      { params: matrices!, weightDecay: 0.1 },
      { params: vectors!, weightDecay: 0 },
    ],
    { lr, betas: [0.9, 0.99] },
  );
}

export async function trainGpt(text: Text, options: Options, session: Session): Promise<TrainedGpt> {
  const { steps, batch: batchSize, lr, seed } = options;
  setSeed(seed);
  const model = new Gpt(text.tokenizer.vocabulary.size);
  const optimizer = optimizerOf(model, lr);
  const epochs = Math.min(EVALUATIONS, steps);
  const windows = Math.ceil(steps / epochs) * batchSize;
  const train = new DataLoader(textWindows(text.train, { steps: GPT.context, windows, seed }), { batchSize });
  const streams = textStreams(text.validation, { batchSize: VALIDATION_BATCH, steps: GPT.context });
  const warmup = Math.min(WARMUP, Math.ceil(steps / 10));
  const rate = linearWarmup(warmup, cosine(Math.max(1, epochs * train.length - warmup), { min: lr / 10 }));
  const result = await fit<TextBatch>(model, {
    train,
    validation: new DataLoader(streams, { batchSize: VALIDATION_BATCH }),
    epochs,
    optimizer,
    schedule: new Schedule(optimizer, rate),
    forward: ([ids, targets]) => ({ output: model.forward(ids).flatten(0, 1), target: targets.flatten() }),
    loss: crossEntropy,
    clip: { clipNorm: 1 },
    ...session.fit,
  });
  return { model, result };
}

export function gptFigures(
  { model, result: { history, step } }: TrainedGpt,
  { data, batch }: Options,
  tokensPerSecond: GptFigures['tokensPerSecond'],
): GptFigures {
  const last = history.at(-1)!;
  const { loss } = last.validation!;
  return {
    example: 'transformer',
    mode: 'gpt',
    data: data === null ? 'documentation' : nameOf(data),
    steps: step,
    validationLoss: rounded(loss, 4),
    perplexity: rounded(Math.exp(loss), 3),
    trainLoss: rounded(last.train.loss, 4),
    stepMsMedian: stepMsMedian(history),
    charactersPerSecond: Math.round((step * batch * GPT.context) / secondsOf(history)),
    parameters: parameterCount(model),
    tokensPerSecond,
  };
}
