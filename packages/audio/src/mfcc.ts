/** Mel-frequency cepstral coefficients, with the two steps around them: pre-emphasis before and liftering after. */
import { DTypeError, isFloat, ShapeError, showShape, type Tensor, tensor, ValueError } from '@dl/tensor';
import { dctMatrix } from './dct';
import { type LogMelSpectrogramOptions, logMels } from './mel-spectrogram';

/**
 * Lifts high frequencies: y[t] = x[t] − c·x[t − 1], y[0] = x[0].
 *
 * @param x - `[..., time]`, float
 * @param coefficient - c, default 0.97
 * @returns the same shape
 * @throws ShapeError if `x` has no axis
 * @throws DTypeError if `x` is not a float
 * @throws ValueError if the coefficient is not finite
 */
export function preemphasis(x: Tensor, coefficient = 0.97): Tensor {
  if (x.rank === 0)
    throw new ShapeError('preemphasis: x is one number, but a signal has a time axis. Give [..., time].');
  if (!isFloat(x.dtype)) throw new DTypeError(`preemphasis: x is ${x.dtype}, but signals are floats. Use cast('f32').`);
  if (!Number.isFinite(coefficient))
    throw new ValueError(`preemphasis: coefficient ${coefficient} is no factor. Give a number, such as 0.97.`);
  const atTime = (amount: number): number[] => x.shape.map((_, i) => (i === x.rank - 1 ? amount : 0));
  const before = x.pad(atTime(1), atTime(-1)); // x[t − 1], and 0 before the first
  return x.sub(before.mul(coefficient));
}

/**
 * Brings cepstral coefficients to like sizes: y[n] = (1 + L/2 · sin(πn / L)) · x[n].
 *
 * @param x - `[..., coefficients, frames]`, float
 * @param length - L, such as 22; 0 leaves `x` as it is
 * @returns the same shape
 * @throws ShapeError if `x` has fewer than 2 axes
 * @throws ValueError if the length is below 0
 * @see Juang, Rabiner & Wilpon 1987, eq. 12
 */
export function lifter(x: Tensor, length: number): Tensor {
  if (x.rank < 2)
    throw new ShapeError(
      `lifter: x is ${showShape(x.shape)}, but cepstra have 2 axes. Give [..., coefficients, frames].`,
    );
  if (!(length >= 0 && Number.isFinite(length)))
    throw new ValueError(`lifter: length ${length} is below 0. Give 0, or a number of coefficients such as 22.`);
  if (length === 0) return x;
  const count = x.shape[x.rank - 2]!;
  const factors = Float64Array.from({ length: count }, (_, n) => 1 + (length / 2) * Math.sin((Math.PI * n) / length));
  return x.mul(tensor(factors, [count, 1], { dtype: x.dtype }));
}

export interface MfccOptions extends LogMelSpectrogramOptions {
  /** How many coefficients are kept, at most `nMels`. */
  readonly nMfcc: number;
  /** Factor of the sample before, taken off each sample first; 0 leaves the signal as it is. Default 0. */
  readonly preemphasis?: number;
  /** L of the lifter; 0 leaves coefficients as they are. Default 0. */
  readonly lifter?: number;
}

/**
 * Mel-frequency cepstral coefficients: pre-emphasis, log-mel spectrogram, orthonormal DCT-II over the mel bands, of which the
 * first `nMfcc` are kept, and liftering.
 *
 * @param x - `[..., time]`, float
 * @param options - those of `logMelSpectrogram`, and `nMfcc`; `preemphasis`, default 0; `lifter`, default 0
 * @returns `[..., nMfcc, frames]`
 * @throws ShapeError, DTypeError, ValueError as `logMelSpectrogram`; ValueError if `nMfcc` is not one of 1 … nMels
 * @see Davis & Mermelstein 1980, section II
 */
export function mfcc(x: Tensor, options: MfccOptions): Tensor {
  const { nMfcc, preemphasis: coefficient = 0, lifter: length = 0, ...rest } = options;
  if (!Number.isInteger(nMfcc) || nMfcc < 1 || nMfcc > rest.nMels)
    throw new ValueError(
      `mfcc: ${nMfcc} coefficients of ${rest.nMels} mel bands. Give whole numbers, 1 ≤ nMfcc ≤ nMels.`,
    );
  const signal = coefficient === 0 ? x : preemphasis(x, coefficient);
  const bands = logMels('mfcc', signal, rest); // [..., nMels, frames]
  const cepstra = dctMatrix(rest.nMels, nMfcc, { dtype: x.dtype }).transpose().matmul(bands);
  return lifter(cepstra, length);
}
