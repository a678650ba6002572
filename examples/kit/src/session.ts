/** What a training run takes besides the model and its data: progress, log, checkpoint, resumption, Ctrl-C. */
import { type Callback, type InterruptSignal, jsonLines, progress, type Stateful } from '@dl/train';

/** Steps between checkpoints; there is one after each epoch too. */
const EVERY = 200;

export interface Session {
  /** Where a run that was interrupted is gone on from. */
  readonly checkpoint: string;
  /** Options of `fit`. */
  readonly fit: {
    readonly callbacks: readonly Callback[];
    readonly checkpoint: { readonly file: string; readonly everySteps: number };
    readonly parts: Readonly<Record<string, Stateful>>;
    readonly resume?: string;
    readonly signal: InterruptSignal;
  };
}

/**
 * @param kept - what decides the outcome of a run: the checkpoint keeps it, and it comes out of it before the run is set up
 * @param resume - a checkpoint to go on from
 */
export function sessionOf(
  { out, resume }: { readonly out: string; readonly resume: string | null },
  kept: Readonly<Record<string, unknown>>,
  signal: InterruptSignal,
): Session {
  const checkpoint = `${out}/last.ckpt`;
  const options = { stateDict: () => kept, loadStateDict: (): void => {} } as Stateful;
  return {
    checkpoint,
    fit: {
      callbacks: [progress(), jsonLines(`${out}/log.jsonl`)],
      checkpoint: { file: checkpoint, everySteps: EVERY },
      parts: { options },
      ...(resume === null ? {} : { resume }),
      signal,
    },
  };
}
