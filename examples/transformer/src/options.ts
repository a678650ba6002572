/** The command line: which options there are, what they may be, and what is said if they are not. */
import { parseArgs } from 'node:util';

export type Mode = 'gpt' | 'translate';

export interface Options {
  readonly mode: Mode;
  /** A text file (gpt), or a folder with parallel text (translate); null for what the project has itself. */
  readonly data: string | null;
  readonly steps: number;
  readonly batch: number;
  readonly lr: number;
  readonly seed: number;
  /** Characters of the sample that is printed. */
  readonly sample: number;
  readonly temperature: number;
  /** Hypotheses of a sentence. */
  readonly beams: number;
  /** A checkpoint to go on from. */
  readonly resume: string | null;
  readonly json: boolean;
  readonly out: string;
}

/** What decides the outcome of a run; a checkpoint keeps it, and a resumed run takes it from there. */
export type RunOptions = Pick<Options, 'mode' | 'data' | 'steps' | 'batch' | 'lr' | 'seed'>;

const common = { data: null, seed: 0, sample: 500, temperature: 0.8, beams: 4, resume: null, json: false };

const defaults: Readonly<Record<Mode, Options>> = {
  gpt: { ...common, mode: 'gpt', steps: 2000, batch: 12, lr: 2e-3, out: 'out/transformer-gpt' },
  translate: { ...common, mode: 'translate', steps: 1500, batch: 64, lr: 1e-3, out: 'out/transformer-translate' },
};

/** The options that were not given. */
export const defaultsOf = (mode: Mode): Options => defaults[mode];

export const usage = `Trains a GPT that continues a text, or a Transformer that translates.

pnpm example transformer -- gpt [options]
pnpm example transformer -- translate [options]

  --data PATH      gpt: a text, its last tenth is for validation; without it, this project's documentation.
                   translate: a folder with train.de.gz, train.en.gz, val.…, test_2016_flickr.…, as Multi30k has them;
                   without it, generated dates, to be written as YYYY-MM-DD
  --steps N        updates                          (default ${defaults.gpt.steps}; translate ${defaults.translate.steps})
  --batch N        sequences a step                 (default ${defaults.gpt.batch}; translate ${defaults.translate.batch})
  --lr X           the highest learning rate        (default ${defaults.gpt.lr}; translate ${defaults.translate.lr})
  --seed N         of weights, order and sample; the same seed gives the same figures (default ${common.seed})
  --sample N       gpt: characters that are written in the end (default ${common.sample})
  --temperature X  gpt: of that sample: lower is bolder        (default ${common.temperature})
  --beams N        translate: hypotheses of a sentence         (default ${common.beams})
  --resume FILE    goes on from a checkpoint, with the options that it was begun with
  --json           the last line is one JSON object with the figures
  --out DIR        folder for pictures, log, sample and checkpoint (default ${defaults.gpt.out}, …)
  --help
`;

/** A command line that cannot be meant. */
export class UsageError extends Error {}

const config = {
  data: { type: 'string' },
  steps: { type: 'string' },
  batch: { type: 'string' },
  lr: { type: 'string' },
  seed: { type: 'string' },
  sample: { type: 'string' },
  temperature: { type: 'string' },
  beams: { type: 'string' },
  resume: { type: 'string' },
  json: { type: 'boolean' },
  out: { type: 'string' },
  help: { type: 'boolean' },
} as const;

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: config, strict: true, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message.split('. ')[0]);
  }
}

const isWhole =
  (least: number) =>
  (x: number): boolean =>
    Number.isSafeInteger(x) && x >= least;

/** What each number may be. */
const ranges: Readonly<Record<string, readonly [(x: number) => boolean, string]>> = {
  steps: [isWhole(1), 'a whole number of at least 1'],
  batch: [isWhole(1), 'a whole number of at least 1'],
  lr: [(x) => x > 0 && Number.isFinite(x), 'a number above 0'],
  seed: [(x) => Number.isInteger(x) && x >= 0 && x < 2 ** 32, 'a whole number from 0 to 2^32 − 1'],
  sample: [isWhole(0), 'a whole number of at least 0'],
  temperature: [(x) => x >= 0 && Number.isFinite(x), 'a number of at least 0'],
  beams: [isWhole(1), 'a whole number of at least 1'],
};

function numberOf(name: string, text: string): number {
  const [isRight, expected] = ranges[name]!;
  const value = Number(text);
  if (text.trim() === '' || !isRight(value)) throw new UsageError(`--${name} is ${expected}, not '${text}'`);
  return value;
}

function modeOf([mode, ...rest]: readonly string[]): { mode?: Mode } {
  if (mode === undefined) return {};
  if (rest.length > 0) throw new UsageError(`one mode is named, but then comes '${rest[0]}'`);
  if (mode !== 'gpt' && mode !== 'translate') throw new UsageError(`the mode is gpt or translate, not '${mode}'`);
  return { mode };
}

/**
 * Reads the command line.
 *
 * @returns the options that were given, or null if help was asked for
 * @throws UsageError for an option that is unknown or out of range
 */
export function readOptions(args: readonly string[]): Partial<Options> | null {
  const { values, positionals } = parsed(args);
  const { help, ...given } = values;
  if (help) return null;
  const entries = Object.entries(given).map(([name, value]) => [
    name,
    name in ranges ? numberOf(name, String(value)) : value,
  ]);
  return { ...modeOf(positionals), ...(Object.fromEntries(entries) as Partial<Options>) };
}
