/** What `fit` is given, with its defaults and checks. */
import type { StopSignal } from '@dl/data';
import type { Module } from '@dl/layers';
import {
  defaultGenerator,
  type Generator,
  type Tensor,
  Tensor as TensorClass,
  type Tree,
  ValueError,
  type Variable,
} from '@dl/tensor';
import type { Callback } from './callback';
import type { Parts } from './checkpoint/file';
import type { Metric } from './metrics/metric';
import { isStateful, type Stateful } from './stateful';
import type { Minimizer, MinimizerOptions, Prediction } from './steps';

/** A loader, or whatever gives batches. One with `stateDict` can be resumed in the middle of an epoch. */
export interface BatchSource<B> extends AsyncIterable<B> {
  /** Batches of an epoch. */
  readonly length?: number;
}

/** An optimiser of `@dl/optim`, or of one's own. */
export interface FitOptimizer extends Minimizer, Stateful {
  readonly groups?: readonly { readonly params: readonly Variable[] }[];
  readonly lr?: number;
}

/** A learning-rate schedule. */
export interface FitSchedule {
  step(): void;
}

export interface CheckpointOptions {
  readonly file: string;
  /** Also after every so many steps. Default: only after epochs and on interruption. */
  readonly everySteps?: number;
  /** Default 1. */
  readonly everyEpochs?: number;
}

export interface FitOptions<B extends Tree> {
  /** Training batches. Each loop over it is an epoch. */
  readonly train: BatchSource<B>;
  /** Evaluated after each epoch, without dropout and gradients. */
  readonly validation?: BatchSource<B>;
  readonly epochs: number;
  readonly optimizer: FitOptimizer;
  /** A scalar of the model's output and the target. */
  readonly loss: (output: Tensor, target: Tensor) => Tensor;
  /** What a batch becomes. Default: `{ output: model.forward(batch[0]), target: batch[1] }`. */
  readonly forward?: (batch: B) => Prediction;
  /** Figures beside the loss, by name; computed for training and for validation. */
  readonly metrics?: Readonly<Record<string, Metric>>;
  /** How gradients are clipped. */
  readonly clip?: MinimizerOptions;
  /** Stepped after each step, or each epoch. */
  readonly schedule?: FitSchedule;
  /** Default `step`. */
  readonly scheduleEvery?: 'step' | 'epoch';
  readonly callbacks?: readonly Callback[];
  /** Where the state is kept: a file, or more. */
  readonly checkpoint?: string | CheckpointOptions;
  /** What else belongs into the checkpoint: averaged weights, one's own counters. */
  readonly parts?: Parts;
  /** A checkpoint to go on from. The run then ends as if it had not been interrupted. */
  readonly resume?: string;
  /** Ends training after the present step, with a checkpoint. */
  readonly signal?: StopSignal;
  /** Steps between reports. Default 50. */
  readonly reportEvery?: number;
  /** Steps between looks for a loss that is not finite; updates stop at once in any case. Default 25. */
  readonly checkEvery?: number;
  /** False records and runs each step anew, for a `forward` that reads values. Default true. */
  readonly compiled?: boolean;
  /** Random numbers that belong to the run. Default: the ones that `setSeed` seeds. */
  readonly random?: Generator;
}

/** All options, checked. */
export interface Settings<B extends Tree> extends FitOptions<B> {
  readonly forward: (batch: B) => Prediction;
  readonly metrics: Readonly<Record<string, Metric>>;
  readonly callbacks: readonly Callback[];
  readonly clip: MinimizerOptions;
  readonly scheduleEvery: 'step' | 'epoch';
  readonly keep: Required<CheckpointOptions> | null;
  readonly reportEvery: number;
  readonly checkEvery: number;
  readonly compiled: boolean;
  readonly random: Generator;
}

function whole(name: string, value: number, least: number): number {
  if (!Number.isInteger(value) || value < least)
    throw new ValueError(`fit: ${name} is a whole number of at least ${least}, not ${value}.`);
  return value;
}

export function settingsOf<B extends Tree>(model: Module, options: FitOptions<B>): Settings<B> {
  const { checkpoint } = options;
  const given = typeof checkpoint === 'string' ? { file: checkpoint } : checkpoint;
  const keep = given === undefined ? null : { everySteps: 0, everyEpochs: 1, ...given };
  whole('epochs', options.epochs, 0);
  if (keep) whole('checkpoint.everyEpochs', keep.everyEpochs, 1);
  if (keep) whole('checkpoint.everySteps', keep.everySteps, 0);
  if (options.metrics && 'loss' in options.metrics)
    throw new ValueError("fit: a metric cannot be called 'loss', which fit reports itself. Choose another name.");
  warnOfParameters(model, options.optimizer);
  return {
    ...options,
    forward: options.forward ?? ((batch) => predict(model, batch)),
    metrics: options.metrics ?? {},
    callbacks: options.callbacks ?? [],
    clip: options.clip ?? {},
    scheduleEvery: options.scheduleEvery ?? 'step',
    keep,
    reportEvery: whole('reportEvery', options.reportEvery ?? 50, 1),
    // The batch of a failed step is fetched again from a source that can be put back; otherwise it must still be there.
    checkEvery: isStateful(options.train) ? whole('checkEvery', options.checkEvery ?? 25, 1) : 1,
    compiled: options.compiled ?? true,
    random: options.random ?? defaultGenerator,
  };
}

function predict(model: Module, batch: unknown): Prediction {
  if (!Array.isArray(batch) || !(batch[0] instanceof TensorClass) || !(batch[1] instanceof TensorClass)) {
    throw new ValueError(
      'fit: a batch is not a pair of tensors [input, target]. Say what it becomes: forward: (batch) => ({ output, target }).',
    );
  }
  const forward = model.forward as (x: Tensor) => unknown;
  const output = forward(batch[0]);
  if (!(output instanceof TensorClass)) {
    throw new ValueError(
      "fit: the model's output is not one tensor. Say which the loss takes: forward: (batch) => ({ output, target }).",
    );
  }
  return { output, target: batch[1] };
}

/** A #private field, or a layer made after the optimiser, is easily forgotten. */
function warnOfParameters(model: Module, { groups }: FitOptimizer): void {
  if (groups === undefined) return;
  const known = new Set(groups.flatMap((group) => group.params));
  const unknown = model.namedParameters().filter(([, p]) => p.requiresGrad && !known.has(p));
  if (unknown.length === 0) return;
  const names = unknown
    .slice(0, 6)
    .map(([key]) => key)
    .join(', ');
  console.warn(
    `fit: the optimiser lacks ${unknown.length} of the model's parameters, which will not learn: ${names}${unknown.length > 6 ? ', …' : ''}. Pass it model.parameters(), or freeze them.`,
  );
}
