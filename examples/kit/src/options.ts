/**
 * Options of a command line, as a table. An option says what it takes, what it is if it is not given, and what it may be;
 * `--help` and messages follow from that.
 */
import { parseArgs } from 'node:util';

/** One option, `--name VALUE`. */
export interface Option<T> {
  /** What stands for its value in `--help`; empty for a switch. */
  readonly takes: string;
  readonly initial: T;
  readonly says: string;
  /** What the value must be. */
  readonly expected: string;
  /** The value that a text means; undefined if it means none. */
  read(text: string): T | undefined;
}

export type OptionTable = Readonly<Record<string, Option<unknown>>>;

/** What the options of a table come to. */
export type ValuesOf<T extends OptionTable> = { readonly [K in keyof T]: T[K] extends Option<infer V> ? V : never };

/** A command line that cannot be meant. */
export class UsageError extends Error {}

const numeric = (
  takes: string,
  expected: string,
  isRight: (x: number) => boolean,
  initial: number,
  says: string,
): Option<number> => ({
  takes,
  initial,
  says,
  expected,
  read: (text) => (text.trim() !== '' && isRight(Number(text)) ? Number(text) : undefined),
});

/** A whole number. */
export const whole = (says: string, initial: number, least = 1): Option<number> =>
  numeric('N', `a whole number of at least ${least}`, (x) => Number.isSafeInteger(x) && x >= least, initial, says);

export const positive = (says: string, initial: number): Option<number> =>
  numeric('X', 'a number above 0', (x) => x > 0 && Number.isFinite(x), initial, says);

export const notNegative = (says: string, initial: number): Option<number> =>
  numeric('X', 'a number of at least 0', (x) => x >= 0 && Number.isFinite(x), initial, says);

export const seed = (says: string): Option<number> =>
  numeric(
    'N',
    'a whole number from 0 to 2^32 − 1',
    (x) => Number.isInteger(x) && x >= 0 && x < 2 ** 32,
    0,
    `${says}; the same seed gives the same figures`,
  );

/** A file or folder, or null. */
export const path = (takes: string, says: string): Option<string | null> => ({
  takes,
  initial: null,
  says,
  expected: 'a path',
  read: (text) => text || undefined,
});

/** One of some words, the first of them if none is given. */
export const oneOf = <const W extends readonly [string, ...string[]]>(words: W, says: string): Option<W[number]> => ({
  takes: words.join('|'),
  initial: words[0],
  says,
  expected: words.join(' or '),
  read: (text) => words.find((word) => word === text),
});

export const flag = (says: string): Option<boolean> => ({
  takes: '',
  initial: false,
  says,
  expected: 'given or not',
  read: () => true,
});

/** The values that options have by themselves. */
export const initialOf = <T extends OptionTable>(table: T): ValuesOf<T> =>
  Object.fromEntries(Object.entries(table).map(([name, { initial }]) => [name, initial])) as ValuesOf<T>;

/**
 * Reads a command line.
 *
 * @returns the options that were given, and the words that are none; null if help was asked for
 * @throws UsageError for an option that is unknown or out of range, or a word where none is expected
 */
export function readOptions<T extends OptionTable>(
  table: T,
  args: readonly string[],
  allowWords = false,
): { given: Partial<ValuesOf<T>>; words: readonly string[] } | null {
  const { values, positionals } = parsed(table, args, allowWords);
  if (values['help']) return null;
  const given = Object.entries(values).map(([name, text]) => [name, meant(name, table[name]!, String(text))]);
  return { given: Object.fromEntries(given) as Partial<ValuesOf<T>>, words: positionals };
}

function parsed(table: OptionTable, args: readonly string[], allowPositionals: boolean) {
  const config = Object.entries(table).map(([name, { takes }]) => [
    name,
    { type: takes === '' ? 'boolean' : 'string' } as const,
  ]);
  const options = { ...Object.fromEntries(config), help: { type: 'boolean' } as const };
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, strict: true, allowPositionals });
    return { values: values as Readonly<Record<string, string | boolean>>, positionals };
  } catch (error) {
    throw new UsageError((error as Error).message.split('. ')[0]);
  }
}

function meant(name: string, { expected, read }: Option<unknown>, text: string): unknown {
  const value = read(text);
  if (value === undefined) throw new UsageError(`--${name} is ${expected}, not '${text}'`);
  return value;
}

const HELP_WIDTH = 110;

/** Text as lines that are at most so wide, if its words allow. */
function wrapped(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!;
    if (line !== '' && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines;
}

/** `--help`: what each option takes and does. */
export function helpOf(table: OptionTable): string {
  const heads = Object.entries(table).map(([name, { takes }]) => `--${name}${takes && ` ${takes}`}`);
  const width = Math.max(...heads.map((head) => head.length)) + 4;
  const options = Object.values(table).map(({ says, initial }, i) => {
    const isSaid = typeof initial === 'number' || typeof initial === 'string';
    const lines = wrapped(isSaid ? `${says} (default ${initial})` : says, HELP_WIDTH - width);
    return `  ${heads[i]!}`.padEnd(width) + lines.join(`\n${' '.repeat(width)}`);
  });
  return [...options, '  --help'].join('\n');
}
