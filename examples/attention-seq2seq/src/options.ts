/** The command line: which options there are, what they may be, and what is said if they are not. */
import { parseArgs } from 'node:util';

export interface Options {
  /** Dates to train on. */
  readonly count: number;
  readonly epochs: number;
  readonly batch: number;
  readonly lr: number;
  readonly seed: number;
  /** A checkpoint to go on from. */
  readonly resume: string | null;
  readonly json: boolean;
  readonly out: string;
}

/** What decides the outcome of a run; a checkpoint keeps it, and a resumed run takes it from there. */
export type RunOptions = Pick<Options, 'count' | 'epochs' | 'batch' | 'lr' | 'seed'>;

export const defaults: Options = {
  count: 20000,
  epochs: 5,
  batch: 64,
  lr: 2e-3,
  seed: 0,
  resume: null,
  json: false,
  out: 'out/attention-seq2seq',
};

export const usage = `Trains two recurrent networks with attention between them to write dates as YYYY-MM-DD.

pnpm example attention-seq2seq -- [options]

  --count N      dates to train on                 (default ${defaults.count})
  --epochs N     times through them                (default ${defaults.epochs})
  --batch N      dates a step                      (default ${defaults.batch})
  --lr X         learning rate of the first step   (default ${defaults.lr})
  --seed N       of dates, weights and order; the same seed gives the same figures (default ${defaults.seed})
  --resume FILE  goes on from a checkpoint, with the options that it was begun with
  --json         the last line is one JSON object with the figures
  --out DIR      folder for pictures, log, translations and checkpoint (default ${defaults.out})
  --help
`;

/** A command line that cannot be meant. */
export class UsageError extends Error {}

const config = {
  count: { type: 'string' },
  epochs: { type: 'string' },
  batch: { type: 'string' },
  lr: { type: 'string' },
  seed: { type: 'string' },
  resume: { type: 'string' },
  json: { type: 'boolean' },
  out: { type: 'string' },
  help: { type: 'boolean' },
} as const;

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: config, strict: true }).values;
  } catch (error) {
    throw new UsageError((error as Error).message.split('. ')[0]);
  }
}

/** What each number may be. */
const ranges: Readonly<Record<string, readonly [(x: number) => boolean, string]>> = {
  count: [(x) => Number.isSafeInteger(x) && x >= 1, 'a whole number of at least 1'],
  epochs: [(x) => Number.isSafeInteger(x) && x >= 1, 'a whole number of at least 1'],
  batch: [(x) => Number.isSafeInteger(x) && x >= 1, 'a whole number of at least 1'],
  lr: [(x) => x > 0 && Number.isFinite(x), 'a number above 0'],
  seed: [(x) => Number.isInteger(x) && x >= 0 && x < 2 ** 32, 'a whole number from 0 to 2^32 − 1'],
};

function numberOf(name: string, text: string): number {
  const [isRight, expected] = ranges[name]!;
  const value = Number(text);
  if (text.trim() === '' || !isRight(value)) throw new UsageError(`--${name} is ${expected}, not '${text}'`);
  return value;
}

/**
 * Reads the command line.
 *
 * @returns the options that were given, or null if help was asked for
 * @throws UsageError for an option that is unknown or out of range
 */
export function readOptions(args: readonly string[]): Partial<Options> | null {
  const { help, ...given } = parsed(args);
  if (help) return null;
  const entries = Object.entries(given).map(([name, value]) => [
    name,
    name in ranges ? numberOf(name, String(value)) : value,
  ]);
  return Object.fromEntries(entries) as Partial<Options>;
}
