/** Window functions: how strongly each sample of a frame counts, so that a frame's edges make no frequencies of their own. */
import { type DType, type Tensor, tensor, ValueError } from '@dl/tensor';

/** Coefficients of Σ_k (−1)^k · a_k · cos(2πki/n). */
const cosines = {
  rect: [1],
  hann: [0.5, 0.5],
  hamming: [0.54, 0.46],
  blackman: [0.42, 0.5, 0.08],
} as const satisfies Record<string, readonly number[]>;

/** Which window: Hann's, Hamming's, Blackman's, or all ones. */
export type WindowName = keyof typeof cosines;

export interface WindowFunctionOptions {
  /** Whether the window is one period of n samples, for spectra, rather than symmetric. Default true. */
  readonly periodic?: boolean;
  /** Default 'f32'. */
  readonly dtype?: DType;
}

/**
 * A window: hann is 0.5 − 0.5·cos(2πi/n), hamming 0.54 − 0.46·cos(2πi/n), blackman 0.42 − 0.5·cos(2πi/n) + 0.08·cos(4πi/n),
 * rect 1. n is the length if periodic, otherwise the length − 1.
 *
 * @param name - 'hann', 'hamming', 'blackman' or 'rect'
 * @param length - how many samples
 * @param options - `periodic`, default true; `dtype`, default f32
 * @returns `[length]`; 1 for a single sample, as in PyTorch
 * @throws ValueError for an unknown name, or a length that is no whole number above 0
 * @see Harris 1978, On the Use of Windows for Harmonic Analysis with the Discrete Fourier Transform, section V
 */
export function windowFunction(
  name: WindowName,
  length: number,
  { periodic = true, dtype = 'f32' }: WindowFunctionOptions = {},
): Tensor {
  if (!Object.hasOwn(cosines, name))
    throw new ValueError(
      `windowFunction: '${String(name)}' is not known. Use ${Object.keys(cosines).join(', ')}, or give the window as a tensor.`,
    );
  if (!Number.isInteger(length) || length < 1)
    throw new ValueError(`windowFunction: length ${length} is no count of samples. Give a whole number above 0.`);
  const period = periodic ? length : length - 1;
  const at = (i: number): number =>
    cosines[name].reduce((sum, a, k) => sum + (k % 2 === 0 ? a : -a) * Math.cos((2 * Math.PI * k * i) / period), 0);
  const values = Float64Array.from({ length }, (_, i) => (length === 1 ? 1 : at(i)));
  return tensor(values, [length], { dtype });
}
