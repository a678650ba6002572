/**
 * A line search for the strong Wolfe conditions: enough decrease, and a slope that became flat enough. First a bracket is
 * found by growing steps, then it is narrowed by cubic interpolation. It works on plain numbers; only the objective waits.
 */

/** What the objective is at one step length. */
export interface Trial {
  readonly t: number;
  readonly f: number;
  readonly gradient: Float64Array;
  /** The slope along the direction. */
  readonly slope: number;
}

export interface SearchResult extends Trial {
  /** How often the objective was evaluated. */
  readonly evaluations: number;
}

type Evaluate = (t: number) => Promise<Trial>;

const enoughDecrease = 1e-4; // c1
const flatEnough = 0.9; // c2
const smallestBracket = 1e-9;
const mostTrials = 25;

/** The minimum of the cubic through two points with their slopes, within bounds. */
function interpolate(a: Trial, b: Trial, [low, high]: readonly [number, number]): number {
  const d1 = a.slope + b.slope - (3 * (a.f - b.f)) / (a.t - b.t);
  const square = d1 ** 2 - a.slope * b.slope;
  if (!(square >= 0)) return (low + high) / 2;
  const d2 = Math.sqrt(square);
  const [first, last] = a.t <= b.t ? [a, b] : [b, a];
  const at = last.t - (last.t - first.t) * ((last.slope + d2 - d1) / (last.slope - first.slope + 2 * d2));
  return Math.min(Math.max(at, low), high);
}

/**
 * Finds a step length along a direction of descent.
 *
 * @param start - the objective at 0
 * @param first - the step length to try first
 * @param length - the largest element of the direction, in magnitude
 * @see Nocedal & Wright 2006, "Numerical optimization", algorithms 3.5 and 3.6, as PyTorch has them
 */
export async function strongWolfe(
  evaluate: Evaluate,
  start: Trial,
  first: number,
  length: number,
): Promise<SearchResult> {
  const tooHigh = ({ t, f }: Trial): boolean => f > start.f + enoughDecrease * t * start.slope;
  const isFlat = ({ slope }: Trial): boolean => Math.abs(slope) <= -flatEnough * start.slope;
  let previous = start;
  let now = await evaluate(first);
  let evaluations = 1;
  let trials = 0;
  let bracket: [Trial, Trial] | null = null;
  for (; trials < mostTrials; trials++) {
    if (tooHigh(now) || (trials > 1 && now.f >= previous.f)) bracket = [previous, now];
    else if (isFlat(now)) return { ...now, evaluations };
    else if (now.slope >= 0) bracket = [previous, now];
    if (bracket !== null) break;
    const t = interpolate(previous, now, [now.t + 0.01 * (now.t - previous.t), now.t * 10]);
    previous = now;
    now = await evaluate(t);
    evaluations++;
  }
  return narrow(bracket ?? [start, now], { evaluate, tooHigh, isFlat, length, trials, evaluations });
}

interface Search {
  readonly evaluate: Evaluate;
  readonly tooHigh: (x: Trial) => boolean;
  readonly isFlat: (x: Trial) => boolean;
  readonly length: number;
  trials: number;
  evaluations: number;
}

/** Narrows a bracket until a point in it meets both conditions, or it is too small. */
async function narrow(bracket: [Trial, Trial], search: Search): Promise<SearchResult> {
  const { evaluate, tooHigh, isFlat, length } = search;
  let [low, high] = bracket[0].f <= bracket[1].f ? bracket : [bracket[1], bracket[0]];
  let wasSlow = false;
  while (search.trials < mostTrials && Math.abs(high.t - low.t) * length >= smallestBracket) {
    const next = within(low, high, wasSlow);
    wasSlow = next.isSlow;
    const trial = await evaluate(next.t);
    search.evaluations++;
    search.trials++;
    if (tooHigh(trial) || trial.f >= low.f) {
      high = trial;
      if (low.f > high.f) [low, high] = [high, low];
      continue;
    }
    if (isFlat(trial)) return { ...trial, evaluations: search.evaluations };
    if (trial.slope * (high.t - low.t) >= 0) high = low;
    low = trial;
  }
  return { ...low, evaluations: search.evaluations };
}

/** A step length inside a bracket; kept off its ends if the last one, too, was close to them. */
function within(low: Trial, high: Trial, wasSlow: boolean): { t: number; isSlow: boolean } {
  const [from, to] = [Math.min(low.t, high.t), Math.max(low.t, high.t)];
  const t = interpolate(low, high, [from, to]);
  const margin = 0.1 * (to - from);
  if (Math.min(to - t, t - from) >= margin) return { t, isSlow: false };
  if (!wasSlow && t < to && t > from) return { t, isSlow: true };
  return { t: Math.abs(t - to) < Math.abs(t - from) ? to - margin : from + margin, isSlow: false };
}
