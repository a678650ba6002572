/** Spectrograms: how strong each frequency is in each frame. */
import { type Tensor, ValueError } from '@dl/tensor';
import { type StftOptions, transform } from './stft';

export interface SpectrogramOptions extends StftOptions {
  /** The power of the magnitude: 1 for magnitude, 2 for energy. Default 2. */
  readonly power?: number;
}

/**
 * |X|^power of the short-time Fourier transform X.
 *
 * @param x - `[..., time]`, float
 * @param options - those of `stft`, and `power`, default 2
 * @returns `[..., ⌊nFft / 2⌋ + 1, frames]`; where X is 0, the gradient is 0
 * @throws ShapeError, DTypeError, ValueError as `stft`; ValueError if the power is not above 0
 */
export function spectrogram(x: Tensor, options: SpectrogramOptions): Tensor {
  return powers('spectrogram', x, options);
}

/** @internal The same under the name of the operation that needs it. */
export function powers(operation: string, x: Tensor, { power = 2, ...options }: SpectrogramOptions): Tensor {
  if (!(power > 0 && Number.isFinite(power)))
    throw new ValueError(`${operation}: power ${power} is not above 0. Use 1 for magnitudes or 2 for energies.`);
  const { real, imag } = transform(operation, x, options);
  const energy = real.square().add(imag.square());
  if (power === 2) return energy;
  const silent = energy.eq(0); // a root has no gradient there
  return silent.where(0, silent.where(1, energy).pow(power / 2));
}
