/** The training run of the translator, and its figures. */
import {
  nameOf,
  type PairBatch,
  PairLoader,
  parameterCount,
  rounded,
  type Session,
  secondsOf,
  stepMsMedian,
} from '@dl/example-kit';
import { crossEntropy } from '@dl/layers';
import { Adam, cosine, linearWarmup, Schedule } from '@dl/optim';
import { setSeed, type Tensor } from '@dl/tensor';
import { bleu, type FitResult, fit } from '@dl/train';
import type { Options } from './options';
import { BeamTranslator } from './translate';
import type { Translation } from './translate-data';
import { Translator, type TranslatorSize } from './translator';

/** The line that `--json` prints last. */
export interface TranslateFigures {
  readonly example: 'transformer';
  readonly mode: 'translate';
  readonly data: string;
  readonly steps: number;
  readonly validationLoss: number;
  /** The share of translations that are the reference to the letter. */
  readonly exactMatches: number;
  readonly bleu: number;
  readonly beams: number;
  readonly stepMsMedian: number;
  readonly trainSeconds: number;
  readonly parameters: number;
}

export interface TrainedTranslator {
  readonly model: Translator;
  readonly result: FitResult;
}

const sizes = {
  dates: { width: 64, heads: 4, layers: 2, dropout: 0, context: 48 },
  sentences: { width: 128, heads: 4, layers: 2, dropout: 0.1, context: 64 },
} as const;

/** Sentences that are translated side by side, and how long source and translation may be. */
const searches = {
  dates: { sentences: 100, sourceLength: 32, maxTokens: 16 },
  sentences: { sentences: 50, sourceLength: 48, maxTokens: 48 },
} as const;

/** Sentences and their translations are about equally long; a date is shorter than what says it. */
const buckets = { dates: { multiple: 16 }, sentences: { multiple: 8, joint: true } } as const;

const SMOOTHING = { dates: 0, sentences: 0.1 } as const;

/** Logits of each token from those before it, and what the tokens are. */
function predict(model: Translator, { source, padding, target }: PairBatch): { output: Tensor; target: Tensor } {
  const length = target.shape[1]! - 1;
  const output = model.forward(source, padding, target.narrow(1, 0, length)); // [B, T − 1, V]
  return { output: output.flatten(0, 1), target: target.narrow(1, 1, length).flatten() };
}

export async function trainTranslator(
  data: Translation,
  options: Options,
  session: Session,
): Promise<TrainedTranslator> {
  const { steps, batch: batchSize, lr, seed } = options;
  setSeed(seed);
  const { vocabulary } = data.tokenizer;
  const size: TranslatorSize = { vocabulary: vocabulary.size, ...sizes[data.name] };
  const model = new Translator(size);
  const optimizer = new Adam(model.parameters(), { lr, betas: [0.9, 0.98], eps: 1e-9 });
  const padId = vocabulary.required('translate', 'pad');
  const pairs = data.train.slice(0, steps * batchSize); // fewer steps than an epoch has see fewer pairs
  const batches = { batchSize, padId, seed, ...buckets[data.name] };
  const train = new PairLoader(pairs, batches);
  const epochs = Math.max(1, Math.round(steps / train.length));
  const total = epochs * train.length;
  const warmup = Math.ceil(total / 10);
  const result = await fit<PairBatch>(model, {
    train,
    validation: new PairLoader(data.validation, { ...batches, shuffle: false }),
    epochs,
    optimizer,
    schedule: new Schedule(optimizer, linearWarmup(warmup, cosine(Math.max(1, total - warmup), { min: lr / 20 }))),
    forward: (batch) => predict(model, batch),
    loss: (output, target) =>
      crossEntropy(output, target, { ignoreIndex: padId, labelSmoothing: SMOOTHING[data.name] }),
    clip: { clipNorm: 1 },
    ...session.fit,
  });
  return { model, result };
}

/** Translations of the test texts. */
export async function translateTest(model: Translator, data: Translation, beams: number): Promise<string[]> {
  model.eval();
  const translator = new BeamTranslator(model, data.tokenizer, { ...searches[data.name], beams });
  return translator.translate(data.test.map(([source]) => source));
}

export function translateFigures(
  { model, result: { history, step } }: TrainedTranslator,
  { data: folder, beams }: Options,
  data: Translation,
  translations: readonly string[],
): TranslateFigures {
  const references = data.test.map(([, target]) => target);
  const exact = translations.filter((text, i) => text === references[i]).length;
  return {
    example: 'transformer',
    mode: 'translate',
    data: folder === null ? 'dates' : nameOf(folder),
    steps: step,
    validationLoss: rounded(history.at(-1)!.validation!.loss, 4),
    exactMatches: rounded(exact / references.length, 4),
    bleu: rounded(bleu(translations, references), 2),
    beams,
    stepMsMedian: stepMsMedian(history),
    trainSeconds: rounded(secondsOf(history), 1),
    parameters: parameterCount(model),
  };
}
