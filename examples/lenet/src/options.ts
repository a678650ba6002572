/** The command line: which options there are, what they may be, and what is said if they are not. */
import { parseArgs } from 'node:util';

export interface Options {
  /** The folder with the four IDX files; null for generated digits. */
  readonly data: string | null;
  readonly epochs: number;
  readonly batch: number;
  readonly lr: number;
  readonly seed: number;
  readonly backend: 'cpu';
  /** A checkpoint to go on from. */
  readonly resume: string | null;
  readonly json: boolean;
  readonly out: string;
}

/** What decides the outcome of a run; a checkpoint keeps it, and a resumed run takes it from there. */
export type RunOptions = Pick<Options, 'data' | 'epochs' | 'batch' | 'lr' | 'seed'>;

export const defaults: Options = {
  data: null,
  epochs: 3,
  batch: 64,
  lr: 2e-3,
  seed: 0,
  backend: 'cpu',
  resume: null,
  json: false,
  out: 'out/lenet',
};

export const usage = `Trains LeNet-5 on handwritten digits.

pnpm example lenet -- [options]

  --data DIR      folder with MNIST's four IDX files, gzipped or not; without it, generated digits
  --epochs N      times through the training set        (default ${defaults.epochs})
  --batch N       pictures a step                       (default ${defaults.batch})
  --lr X          learning rate of the first step       (default ${defaults.lr})
  --seed N        of weights and order; the same seed gives the same figures (default ${defaults.seed})
  --backend cpu   where it is computed                  (default cpu)
  --resume FILE   goes on from a checkpoint, with the options that it was begun with
  --json          the last line is one JSON object with the figures
  --out DIR       folder for pictures, log and checkpoint (default ${defaults.out})
  --help
`;

/** A command line that cannot be meant. */
export class UsageError extends Error {}

const config = {
  data: { type: 'string' },
  epochs: { type: 'string' },
  batch: { type: 'string' },
  lr: { type: 'string' },
  seed: { type: 'string' },
  backend: { type: 'string' },
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

function number(name: string, text: string, isRight: (x: number) => boolean, expected: string): number {
  const value = Number(text);
  if (text.trim() === '' || !isRight(value)) throw new UsageError(`--${name} is ${expected}, not '${text}'`);
  return value;
}

const isWhole =
  (least: number) =>
  (x: number): boolean =>
    Number.isSafeInteger(x) && x >= least;

/**
 * Reads the command line.
 *
 * @returns the options that were given, or null if help was asked for
 * @throws UsageError for an option that is unknown or out of range
 */
export function readOptions(args: readonly string[]): Partial<Options> | null {
  const { help, data, epochs, batch, lr, seed, backend, resume, json, out } = parsed(args);
  if (help) return null;
  if (backend !== undefined && backend !== 'cpu') throw new UsageError(`--backend is cpu, not '${backend}'`);
  const given = {
    data,
    epochs: epochs === undefined ? undefined : number('epochs', epochs, isWhole(1), 'a whole number of at least 1'),
    batch: batch === undefined ? undefined : number('batch', batch, isWhole(1), 'a whole number of at least 1'),
    lr: lr === undefined ? undefined : number('lr', lr, (x) => x > 0 && Number.isFinite(x), 'a number above 0'),
    seed: seed === undefined ? undefined : number('seed', seed, isWhole(0), 'a whole number of at least 0'),
    backend,
    resume,
    json,
    out,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
