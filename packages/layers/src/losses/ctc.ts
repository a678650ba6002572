/**
 * Connectionist temporal classification: the likelihood of a label sequence under frame-wise predictions, summed over
 * all ways to stretch it with repeats and blanks. The forward recursion runs in log space over all samples and label
 * positions at once, one step a frame; its gradient, the posterior of each label at each frame, is the recursion's own.
 *
 * Impossible ways have a large negative logarithm instead of −∞: differences of two of them stay finite, forwards and back.
 */
import {
  full,
  inOperation,
  iota,
  isFloat,
  ShapeError,
  sameShape,
  showShape,
  type Tensor,
  tensor,
  ValueError,
  withGrad,
} from '@dl/tensor';
import { type ReductionOptions, reduced } from './reduction';

/** A whole number for each sample: on the host, where they are checked at once, or as integers `[N]`. */
export type Lengths = readonly number[] | Tensor;

export interface CtcOptions extends ReductionOptions {
  /** Frames of each sample; later ones count for nothing and have gradient 0. Default: all. */
  readonly inputLengths?: Lengths;
  /** Labels of each sample; later ones are not read. Default: all. */
  readonly targetLengths?: Lengths;
  /** The class that stands for no label. Default 0. */
  readonly blank?: number;
  /** Losses of targets that do not fit into their frames become 0, with gradient 0, instead of ∞. Default false. */
  readonly zeroInfinity?: boolean;
}

/** Log-probability of what cannot be; a likelihood below half of it is none. */
const IMPOSSIBLE = -1e30;

/**
 * Negative log likelihood of targets, over all alignments: −log Σ_paths Π_t p_t(path_t).
 *
 * @param logProbs - `[T, N, C]`: log-probabilities, as of `logSoftmax(2)`
 * @param targets - integers `[N, S]`: labels, none of them blank, padded with anything
 * @returns a scalar, for `mean` of each loss divided by max(target length, 1); `[N]` with `reduction: 'none'`
 * @throws ShapeError if the shapes do not fit; ValueError if a length given as a number is out of range, or `blank` is no
 * class; a label or a length out of range in a tensor rejects the next read
 * @see Graves, Fernández, Gomez & Schmidhuber 2006, eq. 6–8
 * @example
 * const loss = ctc(logits.logSoftmax(2), targets, { inputLengths: [50, 42], targetLengths: [10, 8] });
 */
export function ctc(logProbs: Tensor, targets: Tensor, options: CtcOptions = {}): Tensor {
  const { blank = 0, zeroInfinity = false, reduction = 'mean' } = options;
  checkCtc(logProbs, targets, blank);
  const [T, N] = logProbs.dims(3);
  const S = targets.shape[1]!;
  const inputLengths = options.inputLengths ? lengthsOf('inputLengths', options.inputLengths, N, T) : null;
  const targetLengths = options.targetLengths
    ? lengthsOf('targetLengths', options.targetLengths, N, S)
    : full([N], S, 'i32');
  const labels = withBlanks(targets.cast('i32'), targetLengths, blank); // [N, 2S + 1]
  const places = labels.unsqueeze(0).expand([T, ...labels.shape]); // [T, N, 2S + 1]
  const emissions = inOperation('ctc', () => logProbs.gather(2, places)).maximum(IMPOSSIBLE);
  const likelihood = ended(forwardLast(emissions, labels, inputLengths, blank), targetLengths);
  const isPossible = likelihood.gt(IMPOSSIBLE / 2);
  const losses = isPossible.where(likelihood.neg(), zeroInfinity ? 0 : Number.POSITIVE_INFINITY);
  if (reduction !== 'mean') return reduced(losses, reduction);
  return losses.div(targetLengths.maximum(1).cast(losses.dtype)).mean();
}

function checkCtc(logProbs: Tensor, targets: Tensor, blank: number): void {
  const [T, N, C] = logProbs.shape;
  if (logProbs.rank !== 3 || targets.rank !== 2 || targets.shape[0] !== N)
    throw new ShapeError(
      `ctc: logProbs is ${showShape(logProbs.shape)} and targets ${showShape(targets.shape)}. Give [T, N, C] and [N, S] with the same N.`,
    );
  if (isFloat(targets.dtype))
    throw new ValueError(
      `ctc: targets hold class indices, but their dtype is ${targets.dtype}. Cast them with cast('i32').`,
    );
  if (T === 0) throw new ShapeError(`ctc: logProbs ${showShape(logProbs.shape)} has no frames. Give at least one.`);
  if (!Number.isInteger(blank) || blank < 0 || blank >= C!)
    throw new ValueError(`ctc: blank is ${blank}, but the classes are 0 to ${C! - 1}. Choose one of them.`);
}

/** Lengths as i32 `[N]`, all from 0 to `most`. */
function lengthsOf(name: string, lengths: Lengths, N: number, most: number): Tensor {
  const shape = 'shape' in lengths ? lengths.shape : [lengths.length];
  if (!sameShape(shape, [N]))
    throw new ShapeError(`ctc: ${name} is ${showShape(shape)}, but there are ${N} samples. Give one a sample.`);
  // Reading a table at a length is what rejects one that is out of range.
  if ('shape' in lengths) return inOperation('ctc', () => iota([most + 1], 0).gather(0, lengths.cast('i32')));
  const wrong = lengths.find((n) => !Number.isInteger(n) || n < 0 || n > most);
  if (wrong !== undefined)
    throw new ValueError(`ctc: ${name} has ${wrong}, but a length is a whole number from 0 to ${most}.`);
  return tensor(Int32Array.from(lengths));
}

/** Labels with blanks around each: blank, l₁, blank, l₂, …, blank; blanks also for what is past a target's end. */
function withBlanks(targets: Tensor, lengths: Tensor, blank: number): Tensor {
  const [N, S] = targets.dims(2);
  const real = iota([N, S], 1).lt(lengths.unsqueeze(1)).where(targets, blank);
  const pairs = real.unsqueeze(2).pad([0, 0, 1], [0, 0, 0], { value: blank }); // [N, S, 2]: blank, label
  return pairs.reshape([N, 2 * S]).pad([0, 0], [0, 1], { value: blank });
}

/** Each row moved on by some places, with a value for what comes in. */
const later = (x: Tensor, by: number, value: number): Tensor => x.pad([0, by], [0, -by], { value });

/** log α of the last frame: of all ways to be at each label there, `[N, 2S + 1]`. */
function forwardLast(emissions: Tensor, labels: Tensor, inputLengths: Tensor | null, blank: number): Tensor {
  const [T, N, L] = emissions.dims(3);
  // A blank between two labels may be left out unless they are equal.
  const maySkip = labels.ne(blank).and(labels.ne(later(labels, Math.min(2, L), blank)));
  // Before the first frame all is at the first blank.
  let alpha = iota([N, L], 1).eq(0).where(0, IMPOSSIBLE).cast(emissions.dtype);
  for (let t = 0; t < T; t++) {
    const next = later(alpha, 1, IMPOSSIBLE);
    const skipped = maySkip.where(later(alpha, Math.min(2, L), IMPOSSIBLE), IMPOSSIBLE);
    const sum = logSum(alpha, next, skipped).add(emissions.narrow(0, t, 1).squeeze(0));
    alpha = inputLengths === null ? sum : inputLengths.gt(t).unsqueeze(1).where(sum, alpha);
  }
  return alpha;
}

/** log Σ e^x of some tensors; the maximum carries no gradient, because the result does not depend on it. */
function logSum(...parts: readonly [Tensor, ...Tensor[]]): Tensor {
  const most = withGrad(false, () => parts.reduce((m, x) => m.maximum(x)));
  const down = most.neg();
  return parts
    .map((x) => x.add(down).exp())
    .reduce((sum, e) => sum.add(e))
    .log()
    .add(most);
}

/** Σ over the two places where a target may end: its last label and the blank after it. */
function ended(alpha: Tensor, targetLengths: Tensor): Tensor {
  const place = targetLengths.mul(2).unsqueeze(1);
  const atBlank = alpha.gather(1, place);
  const hasLabel = place.gt(0);
  const atLabel = hasLabel.where(alpha.gather(1, hasLabel.where(place.sub(1), 0)), IMPOSSIBLE);
  return logSum(atBlank, atLabel).squeeze(1);
}
