/** Callbacks: what happens beside training, at its turns. */
import type { Module } from '@dl/layers';
import type { EpochReport, FitResult, StepReport } from './report';

/** What callbacks may see and do of a run. */
export interface RunControl {
  readonly model: Module;
  /** Steps done before this run, by the one that it resumes; 0 for a new one. */
  readonly resumedAt: number;
  readonly epochs: number;
  /** Ends training after the present epoch. */
  stop(reason: string): void;
}

type Maybe = void | Promise<void>;

/** Each method may be left out. One with state gives it by `stateDict`, and has a name to keep it under. */
export interface Callback {
  /** The key of its state in a checkpoint. */
  readonly name?: string;
  onStart?(run: RunControl): Maybe;
  /** After every `reportEvery` steps, and the last of an epoch. */
  onStep?(report: StepReport, run: RunControl): Maybe;
  /** After training and validation of an epoch. */
  onEpoch?(report: EpochReport, run: RunControl): Maybe;
  onEnd?(result: FitResult, run: RunControl): Maybe;
  stateDict?(): unknown;
  loadStateDict?(state: never): unknown;
}
