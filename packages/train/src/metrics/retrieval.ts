/**
 * Precision, recall and F1: how much of what a model calls a class is of it, how much of a class it finds, and both in one. Where
 * classes are of unequal size, accuracy says little about the small ones; these do.
 */
import { ValueError } from '@dl/tensor';
import { ClassCounts, type ClassCountsOptions } from './class-counts';

/** How the figures of the classes become one. */
export type Average = 'binary' | 'macro' | 'micro' | 'none';

export interface RetrievalOptions extends ClassCountsOptions {
  /**
   * `binary` is the figure of class 1 of two, `macro` the mean of the classes' figures, `micro` that of all samples in one count,
   * `none` a list of one a class. Default: `binary` for two classes, else `macro`.
   */
  readonly average?: Average;
}

/** Of one class: samples found rightly, found wrongly, and missed. */
interface Found {
  readonly hits: number;
  readonly alarms: number;
  readonly misses: number;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

const foundOf = (rows: readonly (readonly number[])[]): Found[] =>
  rows.map((row, c) => ({
    hits: row[c]!,
    alarms: sum(rows.map((other) => other[c]!)) - row[c]!,
    misses: sum(row) - row[c]!,
  }));

const inAll = (found: readonly Found[]): Found => ({
  hits: sum(found.map((f) => f.hits)),
  alarms: sum(found.map((f) => f.alarms)),
  misses: sum(found.map((f) => f.misses)),
});

/** 0 for a class that does not come up. */
const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);

abstract class Retrieval extends ClassCounts {
  readonly #average: Average;

  constructor(classes: number, { average, ...options }: RetrievalOptions = {}) {
    super(classes, options);
    this.#average = average ?? (classes === 2 ? 'binary' : 'macro');
    if (!['binary', 'macro', 'micro', 'none'].includes(this.#average))
      throw new ValueError(`${new.target.name}: average '${this.#average}' is none of binary, macro, micro and none.`);
    if (this.#average === 'binary' && classes !== 2)
      throw new ValueError(`${new.target.name}: 'binary' is for two classes, not ${classes}. Use 'macro' or 'micro'.`);
  }

  /** The figure of one class, or of all in one count. */
  protected abstract figure(found: Found): number;

  /**
   * The figure, or one a class with `average: 'none'`; NaN before the first update.
   *
   * @throws ValueError if a target was outside the classes
   */
  override async compute(): Promise<number | number[]> {
    const rows = await this.rows();
    const found = foundOf(rows);
    const figures = sum(rows.map(sum)) === 0 ? found.map(() => Number.NaN) : found.map((f) => this.figure(f));
    switch (this.#average) {
      case 'none':
        return figures;
      case 'binary':
        return figures[1]!;
      case 'macro':
        return sum(figures) / figures.length;
      case 'micro':
        return Number.isNaN(figures[0]!) ? Number.NaN : this.figure(inAll(found));
    }
  }
}

/**
 * Of the samples that were taken for a class, the share that is of it.
 *
 * @example
 * const { history } = await fit(model, { …, metrics: { precision: new Precision(2), recall: new Recall(2) } });
 */
export class Precision extends Retrieval {
  protected override figure({ hits, alarms }: Found): number {
    return share(hits, hits + alarms);
  }
}

/** Of the samples of a class, the share that was found. */
export class Recall extends Retrieval {
  protected override figure({ hits, misses }: Found): number {
    return share(hits, hits + misses);
  }
}

/** The harmonic mean of precision and recall: 2 · hits / (2 · hits + alarms + misses). */
export class F1 extends Retrieval {
  protected override figure({ hits, alarms, misses }: Found): number {
    return share(2 * hits, 2 * hits + alarms + misses);
  }
}
