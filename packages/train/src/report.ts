/** What the loop reports: plain numbers, fit for `postMessage` and JSON. */
import type { MetricValue } from './metrics/metric';

/** The loss and the metrics, by name. */
export type Figures = Readonly<Record<string, MetricValue>> & { readonly loss: number };

/** Some steps went by. */
export interface StepReport {
  /** From 1 on. */
  readonly epoch: number;
  readonly epochs: number;
  /** Batches of this epoch that are done, and how many there are; null where the source does not say. */
  readonly batch: number;
  readonly batches: number | null;
  /** Steps since training began. */
  readonly step: number;
  /** Over this epoch so far. */
  readonly train: Figures;
  readonly lr: number;
  /** Since the epoch began. */
  readonly seconds: number;
}

/** An epoch is over. */
export interface EpochReport {
  readonly epoch: number;
  readonly epochs: number;
  readonly step: number;
  readonly train: Figures;
  /** Null without a validation set. */
  readonly validation: Figures | null;
  readonly lr: number;
  /** Of training alone; after a resumption, of the part since then. */
  readonly seconds: number;
  /** Median time that a step kept the program busy. */
  readonly stepMsMedian: number;
}

/** Why training ended: all epochs done, a callback asked for it, or the signal did. */
export type FitStatus = 'finished' | 'stopped' | 'interrupted';

export interface FitResult {
  readonly status: FitStatus;
  /** What a callback that stopped it said. */
  readonly reason: string | null;
  /** Steps since training began. */
  readonly step: number;
  /** One report an epoch, those before a resumption included. */
  readonly history: readonly EpochReport[];
}

/** One figure of a report, by its path: `train.loss`, `validation.accuracy`. Undefined if there is none. */
export function figureAt(report: EpochReport, path: string): number | undefined {
  const [part, ...name] = path.split('.');
  const figures = part === 'train' ? report.train : part === 'validation' ? report.validation : null;
  const value = figures?.[name.join('.')];
  return typeof value === 'number' ? value : undefined;
}

/** The paths of all figures of a report that are numbers. */
export function figurePaths(report: EpochReport): string[] {
  const parts = Object.entries({ train: report.train, validation: report.validation });
  return parts
    .flatMap(([part, figures]) => Object.keys(figures ?? {}).map((name) => `${part}.${name}`))
    .filter((path) => figureAt(report, path) !== undefined);
}
