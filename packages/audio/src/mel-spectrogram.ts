/** Mel spectrograms and their logarithms: what most models of speech and music take instead of samples. */
import { type Tensor, ValueError } from '@dl/tensor';
import { type MelOptions, melFilters } from './mel-filter-bank';
import { powers, type SpectrogramOptions } from './spectrogram';

export interface MelSpectrogramOptions extends SpectrogramOptions, MelOptions {}

/**
 * A spectrogram brought to the mel scale: mel[m, i] = Σ_k filter[k, m] · |X[k, i]|^power.
 *
 * @param x - `[..., time]`, float
 * @param options - those of `spectrogram` and of `melFilterBank`
 * @returns `[..., nMels, frames]`
 * @throws ShapeError, DTypeError, ValueError as `spectrogram` and `melFilterBank`
 */
export function melSpectrogram(x: Tensor, options: MelSpectrogramOptions): Tensor {
  return mels('melSpectrogram', x, options);
}

function mels(operation: string, x: Tensor, options: MelSpectrogramOptions): Tensor {
  const spectra = powers(operation, x, options);
  return melFilters(operation, { ...options, dtype: x.dtype })
    .transpose()
    .matmul(spectra);
}

/** 'ln': ln(m + logFloor); 'db': 10·log10(max(m, logFloor)). */
export type LogKind = 'ln' | 'db';

export interface LogMelSpectrogramOptions extends MelSpectrogramOptions {
  /** 'ln' is ln(m + logFloor), 'db' is 10·log10(max(m, logFloor)). Default 'db'. */
  readonly log?: LogKind;
  /** What keeps the logarithm of silence finite, above 0. Default 1e-6 for 'ln', 1e-10 for 'db'. */
  readonly logFloor?: number;
}

/**
 * The logarithm of a mel spectrogram: ln(m + logFloor), or decibels 10·log10(max(m, logFloor)).
 *
 * @param x - `[..., time]`, float
 * @param options - those of `melSpectrogram`; `log`, default 'db'; `logFloor`, default 1e-10 for 'db' and 1e-6 for 'ln'
 * @returns `[..., nMels, frames]`
 * @throws ShapeError, DTypeError, ValueError as `melSpectrogram`; ValueError if the floor is not above 0
 */
export function logMelSpectrogram(x: Tensor, options: LogMelSpectrogramOptions): Tensor {
  return logMels('logMelSpectrogram', x, options);
}

/** @internal The same under the name of the operation that needs it. */
export function logMels(operation: string, x: Tensor, options: LogMelSpectrogramOptions): Tensor {
  const { log = 'db', ...rest } = options;
  const { logFloor = log === 'db' ? 1e-10 : 1e-6 } = options;
  if (log !== 'ln' && log !== 'db')
    throw new ValueError(`${operation}: log '${String(log)}' is not known. Use 'ln' or 'db'.`);
  if (!(logFloor > 0))
    throw new ValueError(`${operation}: logFloor ${logFloor} leaves silence at −∞. Give a small number above 0.`);
  const energies = mels(operation, x, rest);
  return log === 'ln' ? energies.add(logFloor).log() : energies.maximum(logFloor).log10().mul(10);
}
