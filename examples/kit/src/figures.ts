/** What the figures of a run are made of. */
import type { Module } from '@dl/layers';
import type { EpochReport } from '@dl/train';

export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
export const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

/** The median step of the median epoch, in milliseconds. */
export const stepMsMedian = (history: readonly EpochReport[]): number =>
  rounded(median(history.map((report) => report.stepMsMedian)), 2);

/** Seconds of training and validation. */
export const secondsOf = (history: readonly EpochReport[]): number =>
  history.reduce((sum, { seconds }) => sum + seconds, 0);

export const parameterCount = (model: Module): number => model.parameters().reduce((sum, { size }) => sum + size, 0);

/** The last part of a path. */
export const nameOf = (path: string): string => path.replace(/\/+$/, '').replace(/^.*\//, '');
