/**
 * Where a run is, as the parts of a checkpoint: everything that the rest of the run depends on. Put back, the run goes on
 * with the batch, the random numbers and the figures that it would have had.
 */
import type { Module } from '@dl/layers';
import type { Tree } from '@dl/tensor';
import type { Parts } from './checkpoint/file';
import type { Settings } from './options';
import type { EpochReport, Figures } from './report';
import { isStateful, type Stateful } from './stateful';
import type { Steps } from './steps';

/** Training figures of the epoch in progress, once its batches are done and only validation is left. */
export interface Trained {
  readonly train: Figures;
  readonly seconds: number;
  readonly stepMsMedian: number;
}

interface ProgressState {
  readonly epoch: number;
  readonly step: number;
  readonly batch: number;
  readonly trained: Trained | null;
  readonly history: readonly EpochReport[];
}

/** Counts of a run. */
export class Progress implements Stateful {
  /** Epochs that are over. */
  epoch = 0;
  /** Steps since training began. */
  step = 0;
  /** Batches of the present epoch that are done. */
  batch = 0;
  trained: Trained | null = null;
  history: EpochReport[] = [];

  stateDict(): ProgressState {
    const { epoch, step, batch, trained, history } = this;
    return { epoch, step, batch, trained, history };
  }

  loadStateDict(state: ProgressState): void {
    this.epoch = state.epoch;
    this.step = state.step;
    this.batch = state.batch;
    this.trained = state.trained;
    this.history = [...state.history];
  }
}

/** Several parts as one. A part that a state lacks stays as it is. */
function together(parts: Readonly<Record<string, Stateful>>): Stateful {
  return {
    stateDict: () => Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part.stateDict()])),
    loadStateDict(state: Readonly<Record<string, unknown>>) {
      for (const [name, part] of Object.entries(parts)) if (name in state) part.loadStateDict(state[name] as never);
    },
  };
}

/** The parts of a run's checkpoint. */
export function partsOf<B extends Tree>(
  model: Module,
  settings: Settings<B>,
  steps: Steps<B>,
  progress: Progress,
): Parts {
  const { train, schedule, optimizer, random, metrics, callbacks, parts } = settings;
  const named: Record<string, Stateful> = {};
  for (const callback of callbacks) {
    const { name } = callback;
    if (name !== undefined && isStateful(callback)) named[name] = callback;
  }
  return {
    model,
    optimizer,
    random,
    ...(isStateful(train) ? { loader: train } : {}),
    ...(isStateful(schedule) ? { schedule } : {}),
    figures: together({ loss: steps.meanLoss, ...metrics }),
    callbacks: together(named),
    ...parts,
    progress,
  };
}

/** What the host changes at each step, as it was before the latest steps, so that a failed one can be done again. */
export class Trail<B extends Tree> {
  readonly #parts: readonly Stateful[];
  #states: unknown[][] = [];
  #first = 0;

  constructor({ train, schedule, random }: Settings<B>) {
    this.#parts = [random, ...(isStateful(train) ? [train] : []), ...(isStateful(schedule) ? [schedule] : [])];
  }

  /** The states as they are now. */
  now(): unknown[] {
    return this.#parts.map((part) => part.stateDict());
  }

  /** Remembers what `now` gave before a step. */
  push(states: unknown[]): void {
    this.#states.push(states);
  }

  /** Forgets steps that are known to have gone well. */
  clear(): void {
    this.#first += this.#states.length;
    this.#states = [];
  }

  /** Puts everything back to before a step; counted from the first that was pushed. */
  restore(index: number): void {
    const states = this.#states[index - this.#first]!;
    for (const [i, part] of this.#parts.entries()) part.loadStateDict(states[i] as never);
  }
}
