/**
 * The short-time Fourier transform. Cutting frames, weighing them by the window and multiplying them with cosines and sines is
 * one convolution whose kernels are the windowed waves. With the signal in blocks of one hop, as that many channels, its stride
 * is 1: no frame is copied, and the gradient is as plain a convolution. The cost grows with nFft², which for frames of speech is
 * less than what follows it in a model.
 */
import {
  DTypeError,
  isFloat,
  type PadMode,
  padWith,
  ShapeError,
  showShape,
  Tensor,
  tensor,
  ValueError,
} from '@dl/tensor';
import { type WindowName, windowFunction } from './window-function';

export interface StftOptions {
  /** Samples of a frame, and of the transform. */
  readonly nFft: number;
  /** Samples from frame to frame. Default ⌊nFft / 4⌋. */
  readonly hopLength?: number;
  /** Samples of the window, which is centred in the frame; zero outside. Default nFft. */
  readonly winLength?: number;
  /** A periodic window by name, or a tensor `[winLength]`. Default 'hann'. */
  readonly window?: WindowName | Tensor;
  /** Whether ⌊nFft / 2⌋ samples are added on both sides, so that frame i is centred at i · hopLength. Default true. */
  readonly center?: boolean;
  /** How they are added. Default 'reflect'. */
  readonly padMode?: PadMode;
}

export interface Spectrum {
  readonly real: Tensor;
  readonly imag: Tensor;
}

type Settings = Required<StftOptions>;

/**
 * The spectrum of each frame: X[k] = Σ_t window[t] · x[i · hopLength + t] · e^(−2πi·k·t / nFft), k = 0 … ⌊nFft / 2⌋.
 *
 * @param x - `[..., time]`, float
 * @param options - `nFft`; `hopLength`, default nFft / 4; `winLength`, default nFft; `window`, default 'hann'; `center`, default
 * true; `padMode`, default 'reflect'
 * @returns `real` and `imag`, each `[..., ⌊nFft / 2⌋ + 1, frames]`
 * @throws ShapeError if the signal is shorter than a frame or its padding, or the window is not `[winLength]`
 * @throws DTypeError if `x` is not a float
 * @throws ValueError if a length is no whole number above 0, or the window is longer than a frame
 * @see Allen & Rabiner 1977, eq. 3
 */
export function stft(x: Tensor, options: StftOptions): Spectrum {
  return transform('stft', x, options);
}

/** @internal The same under the name of the operation that needs it. */
export function transform(operation: string, x: Tensor, options: StftOptions): Spectrum {
  const settings = settled(operation, options);
  const signal = framed(operation, x, settings); // [B, time]
  const { nFft, hopLength, winLength } = settings;
  const bins = Math.floor(nFft / 2) + 1;
  const left = Math.floor((nFft - winLength) / 2);
  const frames = Math.floor((signal.shape[1]! - nFft) / hopLength) + 1;
  const waves = wavesOf(nFft, left, winLength, x).mul(windowOf(operation, settings, x)); // [2 · bins, winLength]
  const both = correlate(signal, waves, { left, frames, hopLength }); // [B, 2 · bins, frames]
  const part = (start: number): Tensor => both.narrow(1, start, bins).reshape([...x.shape.slice(0, -1), bins, frames]);
  return { real: part(0), imag: part(bins) };
}

interface Framing {
  /** Where the first window starts. */
  readonly left: number;
  readonly frames: number;
  readonly hopLength: number;
}

/** Σ_t waves[k, t] · signal[left + i · hopLength + t]: [B, waves, frames]. */
function correlate(signal: Tensor, waves: Tensor, { left, frames, hopLength }: Framing): Tensor {
  const [B, time] = signal.dims(2);
  const [count, length] = waves.dims(2);
  const blocks = Math.ceil(length / hopLength); // of a window; the last is filled up with zeros
  const used = (frames - 1 + blocks) * hopLength;
  const channels = signal
    .pad([0, -left], [0, used - (time - left)])
    .reshape([B, frames - 1 + blocks, hopLength])
    .transpose(); // [B, hopLength, blocks of the signal]
  const kernels = waves
    .pad([0, 0], [0, blocks * hopLength - length])
    .reshape([count, blocks, hopLength])
    .transpose();
  return channels.convolution(kernels, {
    stride: [1],
    padding: [[0, 0]],
    lhsDilation: [1],
    rhsDilation: [1],
    groups: 1,
  });
}

function settled(operation: string, options: StftOptions): Settings {
  const { nFft, window = 'hann', center = true, padMode = 'reflect' } = options;
  const { hopLength = Math.max(1, Math.floor(nFft / 4)), winLength = nFft } = options;
  for (const [name, value] of Object.entries({ nFft, hopLength, winLength })) {
    if (!Number.isInteger(value) || value < 1)
      throw new ValueError(
        `${operation}: ${name} is ${value}, which is no count of samples. Give a whole number above 0.`,
      );
  }
  if (winLength > nFft)
    throw new ValueError(
      `${operation}: a window of ${winLength} samples does not fit into frames of ${nFft}. Use a winLength of at most nFft.`,
    );
  return { nFft, hopLength, winLength, window, center, padMode };
}

/** The signal as [B, time], padded so that its first frame starts at 0. */
function framed(operation: string, x: Tensor, { nFft, center, padMode }: Settings): Tensor {
  if (x.rank === 0)
    throw new ShapeError(`${operation}: x is one number, but a signal has a time axis. Give [..., time].`);
  if (!isFloat(x.dtype))
    throw new DTypeError(`${operation}: x is ${x.dtype}, but signals are floats. Use cast('f32'), scaled to −1 … 1.`);
  const time = x.shape[x.rank - 1]!;
  const side = center ? Math.floor(nFft / 2) : 0;
  if (padMode === 'reflect' && side >= time && center)
    throw new ShapeError(
      `${operation}: ${side} samples are mirrored on each side, but x is ${showShape(x.shape)} with ${time}. Use a smaller nFft, or padMode 'constant'.`,
    );
  if (time + 2 * side < nFft)
    throw new ShapeError(
      `${operation}: frames of ${nFft} samples do not fit into x, ${showShape(x.shape)}, with ${time + 2 * side}. Use a smaller nFft, or center.`,
    );
  const signal = x.reshape([x.size / Math.max(1, time), time]);
  return center ? padWith(signal, [[side, side]], { mode: padMode }) : signal;
}

function windowOf(operation: string, { window, winLength }: Settings, x: Tensor): Tensor {
  if (!(window instanceof Tensor)) return windowFunction(window, winLength, { dtype: x.dtype });
  if (window.rank !== 1 || window.shape[0] !== winLength)
    throw new ShapeError(
      `${operation}: the window is ${showShape(window.shape)}, but winLength is ${winLength}. Give a window of [${winLength}].`,
    );
  return window.cast(x.dtype);
}

/** Row k is cos(2πkt / nFft), row bins + k is −sin(2πkt / nFft), for t from `left`: [2 · bins, winLength]. */
function wavesOf(nFft: number, left: number, winLength: number, { dtype }: Tensor): Tensor {
  const bins = Math.floor(nFft / 2) + 1;
  // k · t modulo nFft is exact, so that long frames lose no digits, and there are only nFft values to compute.
  const angles = Float64Array.from({ length: nFft }, (_, i) => (2 * Math.PI * i) / nFft);
  const [cosine, sine] = [angles.map(Math.cos), angles.map(Math.sin)];
  const waves = new Float64Array(2 * bins * winLength);
  for (let k = 0; k < bins; k++) {
    for (let t = 0; t < winLength; t++) {
      const phase = (k * (left + t)) % nFft;
      waves[k * winLength + t] = cosine[phase]!;
      waves[(bins + k) * winLength + t] = -sine[phase]!;
    }
  }
  return tensor(waves, [2 * bins, winLength], { dtype });
}
