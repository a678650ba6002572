import { checkGradients } from '@dl/autograd';
import { rand, setBackend, setSeed, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { melFilterBank } from './mel-filter-bank';
import { logMelSpectrogram, melSpectrogram } from './mel-spectrogram';

beforeAll(() => setBackend(referenceBackend()));

const speech = { nFft: 16, nMels: 3, sampleRate: 8000 };

describe('melFilterBank', () => {
  it('has one triangle a filter, by hand', async () => {
    // One filter from 0 to 4000 Hz; HTK's 4000 Hz are 2146.06 mel, whose half is 1114.22 Hz.
    const peak = 700 * (10 ** (Math.log10(1 + 4000 / 700) / 2) - 1);
    const weights = await melFilterBank({ nFft: 8, nMels: 1, sampleRate: 8000 }).flatten().array(1);
    const wanted = [0, 1000 / peak, (4000 - 2000) / (4000 - peak), (4000 - 3000) / (4000 - peak), 0];
    for (const [i, weight] of weights.entries()) expect(weight).toBeCloseTo(wanted[i]!, 6);
  });

  it('divides by half the width under the norm', async () => {
    const options = { nFft: 8, nMels: 1, sampleRate: 8000 };
    const [plain, normed] = [melFilterBank(options), melFilterBank({ ...options, norm: 'slaney' })];
    const want = await plain.mul(2 / 4000).array(2);
    for (const [k, [weight]] of (await normed.array(2)).entries()) expect(weight).toBeCloseTo(want[k]![0]!, 10);
  });

  it("is linear below 1000 Hz on Slaney's scale", async () => {
    // 0, 5, 10 and 15 mel are 0, 333.3, 666.7 and 1000 Hz: filters peak at 333.3 and 666.7 Hz.
    const options = { nFft: 24, nMels: 2, sampleRate: 8000, fMax: 1000, melScale: 'slaney' } as const;
    const [first, second] = (await melFilterBank(options).transpose().array(2)) as [number[], number[]];
    const wanted = [
      [0, 1, 0, 0],
      [0, 0, 1, 0],
    ];
    for (let k = 0; k < 4; k++) {
      expect(first[k]).toBeCloseTo(wanted[0]![k]!, 5);
      expect(second[k]).toBeCloseTo(wanted[1]![k]!, 5);
    }
  });

  it("is logarithmic above 1000 Hz on Slaney's scale", async () => {
    // From 1000 to 6400 Hz, the middle in mel is the geometric mean, 2529.8 Hz.
    const options = { nFft: 128, nMels: 1, sampleRate: 12800, fMin: 1000, fMax: 6400, melScale: 'slaney' } as const;
    const weights = await melFilterBank(options).flatten().array(1);
    const peak = Math.sqrt(1000 * 6400);
    expect(weights[20]).toBeCloseTo((2000 - 1000) / (peak - 1000), 5);
    expect(weights[40]).toBeCloseTo((6400 - 4000) / (6400 - peak), 5);
  });

  it('says what does not fit', () => {
    expect(() => melFilterBank({ ...speech, nMels: 0 })).toThrow(
      'melFilterBank: nMels is 0. Give a whole number above 0.',
    );
    expect(() => melFilterBank({ ...speech, sampleRate: 0 })).toThrow('melFilterBank: sampleRate is 0.');
    expect(() => melFilterBank({ ...speech, fMin: 5000 })).toThrow(
      'melFilterBank: fMin 5000 and fMax 4000 leave no frequencies. Give 0 ≤ fMin < fMax.',
    );
    expect(() => melFilterBank({ ...speech, norm: 'area' as never })).toThrow("norm 'area' is not known");
    expect(() => melFilterBank({ ...speech, melScale: 'bark' as never })).toThrow("melScale 'bark' is not known");
  });
});

describe('mel spectrograms', () => {
  it('keep leading axes', () => {
    expect(melSpectrogram(zeros([2, 5, 64]), speech).shape).toEqual([2, 5, 3, 17]);
    expect(logMelSpectrogram(zeros([64]), speech).shape).toEqual([3, 17]);
  });

  it('give silence the logarithm of the floor', async () => {
    const decibels = await logMelSpectrogram(zeros([16]), speech).array(2);
    expect(decibels[0]![0]).toBeCloseTo(-100, 3);
    const natural = await logMelSpectrogram(zeros([16]), { ...speech, log: 'ln' }).array(2);
    expect(natural[0]![0]).toBeCloseTo(Math.log(1e-6), 4);
  });

  it('agree with finite differences', async () => {
    setSeed(1);
    for (const log of ['ln', 'db'] as const)
      await checkGradients((x) => logMelSpectrogram(x, { ...speech, log }), [rand([24])]);
  });

  it('say what does not fit, under their own names', () => {
    expect(() => melSpectrogram(zeros([64]), { ...speech, fMax: 0 })).toThrow('melSpectrogram: fMin 0 and fMax 0');
    expect(() => melSpectrogram(zeros([64]), { ...speech, power: -1 })).toThrow('melSpectrogram: power -1');
    expect(() => logMelSpectrogram(zeros([64]), { ...speech, log: 'log2' as never })).toThrow(
      "logMelSpectrogram: log 'log2' is not known. Use 'ln' or 'db'.",
    );
    expect(() => logMelSpectrogram(zeros([64]), { ...speech, logFloor: 0 })).toThrow(
      'logMelSpectrogram: logFloor 0 leaves silence at −∞. Give a small number above 0.',
    );
  });
});
