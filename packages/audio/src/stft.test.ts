import { checkGradients, grad } from '@dl/autograd';
import { iota, ones, rand, setBackend, setSeed, tensor, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { spectrogram } from './spectrogram';
import { stft } from './stft';
import { windowFunction } from './window-function';

beforeAll(() => setBackend(referenceBackend()));

const plain = { nFft: 4, hopLength: 2, window: 'rect', center: false } as const;

describe('stft', () => {
  it('by hand: frames [1, 2, 3, 4] and [3, 4, 5, 6]', async () => {
    const { real, imag } = stft(iota([6], 0, 'f32').add(1), plain);
    const close = async (x: typeof real, wanted: number[]): Promise<void> => {
      for (const [i, value] of (await x.flatten().data()).entries()) expect(value).toBeCloseTo(wanted[i]!, 5);
    };
    expect(real.shape).toEqual([3, 2]);
    await close(real, [10, 18, -2, -2, -2, -2]);
    await close(imag, [0, 0, 2, 2, 0, 0]);
  });

  it('puts a wave of 3 periods a frame into bin 3', async () => {
    const wave = iota([64], 0, 'f32')
      .mul((2 * Math.PI * 3) / 16)
      .cos();
    const energy = await spectrogram(wave, { nFft: 16, hopLength: 16, window: 'rect', center: false }).array(2);
    for (const [k, frames] of energy.entries())
      for (const value of frames) expect(value).toBeCloseTo(k === 3 ? 64 : 0, 3);
  });

  it('keeps any leading axes, also none and empty ones', () => {
    expect(stft(zeros([2, 3, 32]), { nFft: 8 }).real.shape).toEqual([2, 3, 5, 17]);
    expect(stft(zeros([32]), { nFft: 7 }).imag.shape).toEqual([4, 32]);
    expect(stft(zeros([0, 32]), { nFft: 8 }).real.shape).toEqual([0, 5, 17]);
  });

  it('takes a window as a tensor, with its gradient', async () => {
    setSeed(1);
    const x = rand([10]);
    const byName = await stft(x, { ...plain, winLength: 3, window: 'hamming' }).real.array();
    expect(await stft(x, { ...plain, winLength: 3, window: windowFunction('hamming', 3) }).real.array()).toEqual(
      byName,
    );
    const power = (signal: typeof x, window: typeof x) => spectrogram(signal, { ...plain, winLength: 3, window });
    await checkGradients(power, [x, ones([3])], { order: 2 });
  });

  it('says what does not fit', () => {
    const x = zeros([2, 8]);
    expect(() => stft(zeros([]), { nFft: 4 })).toThrow('stft: x is one number, but a signal has a time axis.');
    expect(() => stft(x.cast('i32'), { nFft: 4 })).toThrow("stft: x is i32, but signals are floats. Use cast('f32')");
    expect(() => stft(x, { nFft: 0 })).toThrow('stft: nFft is 0, which is no count of samples.');
    expect(() => stft(x, { nFft: 4, hopLength: 1.5 })).toThrow('stft: hopLength is 1.5');
    expect(() => stft(x, { nFft: 4, winLength: 5 })).toThrow(
      'stft: a window of 5 samples does not fit into frames of 4. Use a winLength of at most nFft.',
    );
    expect(() => stft(x, { nFft: 4, window: zeros([3]) })).toThrow(
      'stft: the window is [3], but winLength is 4. Give a window of [4].',
    );
    expect(() => stft(x, { nFft: 16 })).toThrow(
      "stft: 8 samples are mirrored on each side, but x is [2, 8] with 8. Use a smaller nFft, or padMode 'constant'.",
    );
    expect(() => stft(x, { nFft: 9, center: false })).toThrow(
      'stft: frames of 9 samples do not fit into x, [2, 8], with 8. Use a smaller nFft, or center.',
    );
    expect(() => stft(x, { nFft: 4, window: 'kaiser' as never })).toThrow("'kaiser' is not known");
  });
});

describe('spectrogram', () => {
  it('is the magnitude to a power', async () => {
    const x = tensor([1, 2, 3, 4]);
    const energy = await spectrogram(x, plain).flatten().array(1);
    expect(energy.map((e) => Math.round(e * 1e4) / 1e4)).toEqual([100, 8, 4]);
    const cubes = await spectrogram(x, { ...plain, power: 3 })
      .flatten()
      .array(1);
    for (const [i, value] of cubes.entries()) expect(value).toBeCloseTo(energy[i]! ** 1.5, 2);
  });

  it('has gradient 0 where there is silence', async () => {
    const x = tensor([0, 0, 0, 0], null, { requiresGrad: true });
    expect(await grad(spectrogram(x, { ...plain, power: 1 }).sum(), x).array()).toEqual([0, 0, 0, 0]);
  });

  it('agrees with finite differences, twice', async () => {
    setSeed(2);
    const options = { nFft: 6, hopLength: 3, window: 'hamming', power: 1 } as const;
    await checkGradients((x) => spectrogram(x, options), [rand([12])], { order: 2, rtol: 1e-5, atol: 1e-5 });
  });

  it('says what does not fit', () => {
    expect(() => spectrogram(zeros([8]), { nFft: 4, power: 0 })).toThrow(
      'spectrogram: power 0 is not above 0. Use 1 for magnitudes or 2 for energies.',
    );
    expect(() => spectrogram(zeros([8]), { nFft: 4, winLength: 5 })).toThrow('spectrogram: a window of 5 samples');
  });
});
