/**
 * Decoding for connectionist temporal classification: from scores of frames to labels. A path names a class or the blank
 * for each frame; its labelling is what remains when repetitions are merged and then blanks removed. The loss is `ctc` of
 * `@dl/layers`. Decoding runs on the host: how many labels there are depends on the data.
 */
import { ShapeError, showShape, type Tensor, ValueError } from '@dl/tensor';
import { type BeamOptions, beamSearch, type Decoded } from './ctc-beam';

export interface CtcOptions {
  /** The class that stands for no label. Default 0. */
  readonly blank?: number;
  /** How many frames of each sequence count. Default: all. */
  readonly inputLengths?: readonly number[];
}

export interface CtcBeamOptions extends CtcOptions, BeamOptions {}

/** The frames of one sequence, row-major `[frames, classes]`. */
interface Frames {
  readonly values: Float64Array;
  readonly count: number;
}

async function framesOf(
  operation: string,
  logProbs: Tensor,
  { blank = 0, inputLengths }: CtcOptions,
): Promise<Frames[]> {
  if (logProbs.rank !== 3)
    throw new ShapeError(`${operation}: log-probabilities are [T, N, C], but got ${showShape(logProbs.shape)}.`);
  const [steps, batch, classes] = logProbs.dims(3);
  if (!Number.isInteger(blank) || blank < 0 || blank >= classes)
    throw new ValueError(`${operation}: blank is ${blank}, but classes are 0 to ${classes - 1}.`);
  const lengths = inputLengths ?? Array.from({ length: batch }, () => steps);
  if (lengths.length !== batch || lengths.some((n) => !Number.isInteger(n) || n < 0 || n > steps))
    throw new ValueError(
      `${operation}: inputLengths are [${lengths.join(', ')}], but must be ${batch} whole numbers from 0 to ${steps}.`,
    );
  const data = await logProbs.transpose(0, 1).data();
  const size = steps * classes;
  return lengths.map((count, n) => ({
    values: Float64Array.from(data.slice(n * size, n * size + count * classes)),
    count,
  }));
}

/**
 * The labelling of the likeliest path: the best class of each frame, repetitions merged, blanks removed.
 *
 * @param logProbs - `[T, N, C]`: log-probabilities, or any scores
 * @returns the labels of each sequence
 * @throws ShapeError, ValueError if the arguments do not fit
 * @see Graves et al. 2006, section 3.2, best path decoding
 */
export async function ctcGreedy(logProbs: Tensor, options: CtcOptions = {}): Promise<number[][]> {
  const { blank = 0 } = options;
  const classes = logProbs.shape.at(-1)!;
  const sequences = await framesOf('ctcGreedy', logProbs, options);
  return sequences.map(({ values, count }) => {
    const labels: number[] = [];
    let before = blank;
    for (let t = 0; t < count; t++) {
      let best = 0;
      for (let c = 1; c < classes; c++) if (values[t * classes + c]! > values[t * classes + best]!) best = c;
      if (best !== before && best !== blank) labels.push(best);
      before = best;
    }
    return labels;
  });
}

/**
 * The likeliest labellings, each summed over all its paths that the beam keeps.
 *
 * @param logProbs - `[T, N, C]`: log-probabilities, as of `logSoftmax`
 * @param options - `beamWidth` prefixes are kept at each frame (default 10); `score` adds what a language model says
 * @returns for each sequence at most `beamWidth` labellings, the likeliest first
 * @throws ShapeError, ValueError if the arguments do not fit
 * @see Graves & Jaitly 2014, algorithm 1; Hannun et al. 2014
 */
export async function ctcBeamSearch(logProbs: Tensor, options: CtcBeamOptions = {}): Promise<Decoded[][]> {
  const { blank = 0, beamWidth = 10 } = options;
  if (!Number.isInteger(beamWidth) || beamWidth < 1)
    throw new ValueError(`ctcBeamSearch: beamWidth is ${beamWidth}, but must be a whole number above 0.`);
  const sequences = await framesOf('ctcBeamSearch', logProbs, options);
  const classes = logProbs.shape.at(-1)!;
  return sequences.map(({ values, count }) => beamSearch(values, count, classes, blank, options));
}
