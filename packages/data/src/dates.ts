/**
 * Dates as people write them, with the same dates as YYYY-MM-DD: a small translation task that needs no file. Days of the
 * test set never occur in training, in any format.
 */
import { ValueError } from '@dl/tensor';
import { RandomStream } from './random';

export interface WrittenDate {
  /** As people write it: `Tuesday, 3 March 1987`. */
  readonly human: string;
  /** `1987-03-03` */
  readonly iso: string;
}

export interface GenerateDatesOptions {
  /** How many to train on, and how many to test. */
  readonly count: { readonly train: number; readonly test: number };
  /** Default 0. */
  readonly seed?: number;
}

const MONTHS = 'January February March April May June July August September October November December'.split(' ');
const WEEKDAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');
const FIRST = Date.UTC(1950, 0, 1);
const DAY = 86_400_000;
/** 1950 to 2049: two digits of a year are enough. */
const DAYS = (Date.UTC(2050, 0, 1) - FIRST) / DAY;
/** One day in so many is for testing. */
const HELD_OUT = 10;

const two = (n: number): string => String(n).padStart(2, '0');

function ordinal(day: number): string {
  const isTeen = day > 10 && day < 14;
  return `${day}${isTeen ? 'th' : (['th', 'st', 'nd', 'rd'][day % 10] ?? 'th')}`;
}

interface Parts {
  readonly day: number;
  readonly month: number;
  readonly year: number;
  readonly weekday: string;
}

const name = ({ month }: Parts): string => MONTHS[month - 1]!;
const short = (p: Parts): string => name(p).slice(0, 3);

const formats: readonly ((p: Parts) => string)[] = [
  (p) => `${p.day} ${name(p)} ${p.year}`,
  (p) => `${name(p)} ${p.day}, ${p.year}`,
  (p) => `${p.day} ${short(p)} ${p.year}`,
  (p) => `${short(p)} ${p.day} ${p.year}`,
  (p) => `${name(p)} ${ordinal(p.day)}, ${p.year}`,
  (p) => `the ${ordinal(p.day)} of ${name(p)} ${p.year}`,
  (p) => `${p.weekday}, ${p.day} ${name(p)} ${p.year}`,
  (p) => `${p.weekday.slice(0, 3)} ${p.day} ${short(p)} ${p.year}`,
  (p) => `${name(p).toLowerCase()} ${p.day} ${p.year}`,
  (p) => `${short(p).toUpperCase()} ${p.day}, ${p.year}`,
  (p) => `${p.day}-${short(p)}-${two(p.year % 100)}`,
  (p) => `${short(p)} ${p.day}, '${two(p.year % 100)}`,
  (p) => `${two(p.day)}.${two(p.month)}.${p.year}`,
  (p) => `${p.day}.${p.month}.${two(p.year % 100)}`,
  (p) => `${two(p.month)}/${two(p.day)}/${p.year}`,
  (p) => `${p.year}/${p.month}/${p.day}`,
  (p) => `${p.year}${two(p.month)}${two(p.day)}`,
  (p) => `${p.year}, ${name(p)} ${p.day}`,
];

function written(day: number, format: (p: Parts) => string): WrittenDate {
  const date = new Date(FIRST + day * DAY);
  const parts = {
    day: date.getUTCDate(),
    month: date.getUTCMonth() + 1,
    year: date.getUTCFullYear(),
    weekday: WEEKDAYS[date.getUTCDay()]!,
  };
  return { human: format(parts), iso: date.toISOString().slice(0, 10) };
}

/**
 * Dates from 1950 to 2049 in eighteen formats.
 *
 * @returns `train` and `test`, which share no day; the same for the same seed
 * @throws ValueError for counts that are no whole numbers
 * @example
 * const { train, test } = generateDates({ count: { train: 20000, test: 1000 } });
 */
export function generateDates({ count, seed = 0 }: GenerateDatesOptions): {
  readonly train: readonly WrittenDate[];
  readonly test: readonly WrittenDate[];
} {
  for (const [part, n] of Object.entries(count)) {
    if (!Number.isInteger(n) || n < 0)
      throw new ValueError(`generateDates: count.${part} is ${n}, but must be a whole number of at least 0.`);
  }
  const days = new RandomStream(seed, 0).shuffle(Array.from({ length: DAYS }, (_, i) => i));
  const held = days.slice(0, Math.floor(DAYS / HELD_OUT));
  const known = days.slice(held.length);
  const draw = (from: readonly number[], n: number, stream: number): WrittenDate[] => {
    const random = new RandomStream(seed, stream);
    return Array.from({ length: n }, () =>
      written(from[random.integer(from.length)]!, formats[random.integer(formats.length)]!),
    );
  };
  return { train: draw(known, count.train, 1), test: draw(held, count.test, 2) };
}
