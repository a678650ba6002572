/** What is kept of a session: everything that training needs to go on, in the bytes of a checkpoint of `@dl/train`. */
import type { DataLoaderState } from '@dl/data';
import { decodeCheckpoint, encodeCheckpoint } from '@dl/train';
import type { Digits, History, Remembered } from '../messages';
import type { TrainerState } from './trainer';

export interface Saved extends TrainerState {
  readonly savedAt: number;
  readonly history: History;
  readonly digits: Digits;
  /** Where training is in its order of the digits; null before the first step. */
  readonly loader: DataLoaderState | null;
  readonly epoch: number;
  readonly epochs: number;
  /** The step at which the last of `epochs` ends. */
  readonly endStep: number;
}

export const encodeSaved = (saved: Saved): Promise<Uint8Array> => encodeCheckpoint(saved);

export const decodeSaved = (bytes: Uint8Array): Saved =>
  decodeCheckpoint(bytes, 'the remembered network') as unknown as Saved;

export const summaryOf = ({ savedAt, step, history }: Saved): Remembered => ({
  savedAt,
  step,
  accuracy: history.test.at(-1)?.accuracy ?? null,
});
