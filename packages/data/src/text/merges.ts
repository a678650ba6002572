/**
 * Learning the merges of byte-pair encoding. Counts of pairs are kept up to date by the words that a merge changes, so that
 * a merge costs what it changes and one look through the counts.
 */

/** Two symbols that become one. */
export type Merge = readonly [number, number];

/** A word as symbols, and how often it occurs. */
export interface CountedWord {
  symbols: readonly number[];
  readonly count: number;
}

const BASE = 2 ** 21;

/** One number for a pair; greater for greater symbols. */
export const pairKey = (a: number, b: number): number => a * BASE + b;

/** Joins every occurrence of a pair, from the left. */
export function mergeIn(symbols: readonly number[], [a, b]: Merge, joined: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < symbols.length; i++) {
    if (symbols[i] === a && symbols[i + 1] === b) {
      out.push(joined);
      i++;
    } else out.push(symbols[i]!);
  }
  return out;
}

/** How often each pair occurs, and in which words. */
class Pairs {
  readonly counts = new Map<number, number>();
  readonly words = new Map<number, Set<number>>();

  /** Counts the pairs of a word in (`sign` 1) or out (−1). */
  add({ symbols, count }: CountedWord, index: number, sign: 1 | -1): void {
    for (let i = 1; i < symbols.length; i++) {
      const key = pairKey(symbols[i - 1]!, symbols[i]!);
      this.counts.set(key, (this.counts.get(key) ?? 0) + sign * count);
      const words = this.words.get(key);
      if (words) words.add(index);
      else this.words.set(key, new Set([index]));
    }
  }

  /** The most frequent pair that occurs at least twice; of several, the one of the smallest symbols. */
  best(): number | null {
    let [best, most] = [-1, 1];
    for (const [key, count] of this.counts) {
      if (count > most || (count === most && best >= 0 && key < best)) [best, most] = [key, count];
    }
    return best < 0 ? null : best;
  }

  forget(key: number): void {
    this.counts.delete(key);
    this.words.delete(key);
  }
}

/** At most `count` merges; their symbols follow the 256 bytes. */
export function learnMerges(words: readonly CountedWord[], count: number): Merge[] {
  const pairs = new Pairs();
  words.forEach((word, i) => pairs.add(word, i, 1));
  const merges: Merge[] = [];
  while (merges.length < count) {
    const key = pairs.best();
    if (key === null) break;
    const merge: Merge = [Math.floor(key / BASE), key % BASE];
    for (const i of pairs.words.get(key)!) {
      const word = words[i]!;
      pairs.add(word, i, -1);
      word.symbols = mergeIn(word.symbols, merge, 256 + merges.length);
      pairs.add(word, i, 1);
    }
    pairs.forget(key);
    merges.push(merge);
  }
  return merges;
}
