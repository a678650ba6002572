/**
 * Prefix beam search over the frames of one sequence. Each prefix of labels has two probabilities, of paths that end in the
 * blank and of those that end in its last label, for only after a blank may a label be repeated.
 */

export interface BeamOptions {
  /** How many prefixes are kept at each frame. Default 10. */
  readonly beamWidth?: number;
  /** What is added to the log-probability when `label` follows `prefix`: a weighted language model. Default 0. */
  readonly score?: (prefix: readonly number[], label: number) => number;
}

/** A labelling and its log-probability, scores included. */
export interface Decoded {
  readonly labels: readonly number[];
  readonly logProb: number;
}

const NEVER = Number.NEGATIVE_INFINITY;

/** log(e^a + e^b) */
function logSum(a: number, b: number): number {
  const [high, low] = a > b ? [a, b] : [b, a];
  return low === NEVER ? high : high + Math.log1p(Math.exp(low - high));
}

/** A prefix on the beam. */
class Prefix {
  /** Of paths that end in the blank, and of those that end in the last label. */
  blank = NEVER;
  label = NEVER;

  constructor(
    readonly labels: readonly number[],
    /** What scores have added. */
    readonly scored: number,
  ) {}

  get total(): number {
    return logSum(this.blank, this.label);
  }
}

/** The prefixes after one more frame. */
class Beam {
  readonly prefixes = new Map<string, Prefix>();

  at(labels: readonly number[], scored: () => number): Prefix {
    const key = labels.join();
    let prefix = this.prefixes.get(key);
    if (prefix === undefined) {
      prefix = new Prefix(labels, scored());
      this.prefixes.set(key, prefix);
    }
    return prefix;
  }

  best(count: number): Prefix[] {
    return [...this.prefixes.values()].sort((a, b) => b.total + b.scored - (a.total + a.scored)).slice(0, count);
  }
}

/** @param frames - log-probabilities, row-major `[count, classes]` */
export function beamSearch(
  frames: Float64Array,
  count: number,
  classes: number,
  blank: number,
  { beamWidth = 10, score = () => 0 }: BeamOptions,
): Decoded[] {
  const start = new Prefix([], 0);
  start.blank = 0;
  let kept = [start];
  for (let t = 0; t < count; t++) {
    const beam = new Beam();
    for (const prefix of kept) extend(beam, prefix, frames.subarray(t * classes, (t + 1) * classes), blank, score);
    kept = beam.best(beamWidth);
  }
  return kept.map((p) => ({ labels: p.labels, logProb: p.total + p.scored }));
}

function extend(
  beam: Beam,
  prefix: Prefix,
  frame: Float64Array,
  blank: number,
  score: NonNullable<BeamOptions['score']>,
): void {
  const { labels, scored, total } = prefix;
  const last = labels.at(-1);
  for (let c = 0; c < frame.length; c++) {
    const p = frame[c]!;
    if (p === NEVER) continue;
    if (c === blank) {
      const same = beam.at(labels, () => scored);
      same.blank = logSum(same.blank, total + p);
      continue;
    }
    if (c === last) {
      const same = beam.at(labels, () => scored);
      same.label = logSum(same.label, prefix.label + p);
    }
    const from = c === last ? prefix.blank : total;
    if (from === NEVER) continue;
    const longer = beam.at([...labels, c], () => scored + score(labels, c));
    longer.label = logSum(longer.label, from + p);
  }
}
