import { checkGradients } from '@dl/autograd';
import { rand, setBackend, setSeed, tensor, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { lifter, mfcc, preemphasis } from './mfcc';

beforeAll(() => setBackend(referenceBackend()));

const speech = { nFft: 16, nMels: 4, sampleRate: 8000, nMfcc: 3 };

describe('preemphasis', () => {
  it('takes off a share of the sample before', async () => {
    expect(await preemphasis(tensor([4, 2, 8]), 0.5).array()).toEqual([4, 0, 7]);
    expect(await preemphasis(zeros([2, 0])).array()).toEqual([[], []]);
    await checkGradients((x) => preemphasis(x), [tensor([[1, 2, 3]])]);
  });

  it('says what does not fit', () => {
    expect(() => preemphasis(zeros([]))).toThrow('preemphasis: x is one number');
    expect(() => preemphasis(zeros([3], 'i32'))).toThrow(
      "preemphasis: x is i32, but signals are floats. Use cast('f32').",
    );
    expect(() => preemphasis(zeros([3]), Number.NaN)).toThrow('preemphasis: coefficient NaN is no factor.');
  });
});

describe('lifter', () => {
  it('raises the middle coefficients', async () => {
    const lifted = await lifter(
      tensor([
        [1, 1],
        [1, 2],
        [1, 1],
      ]),
      2,
    ).array(2);
    for (const [n, row] of [
      [1, 1],
      [2, 4],
      [1, 1],
    ].entries())
      for (const [i, value] of row.entries()) expect(lifted[n]![i]).toBeCloseTo(value, 6);
    const x = zeros([3, 2]);
    expect(lifter(x, 0)).toBe(x);
  });

  it('says what does not fit', () => {
    expect(() => lifter(zeros([3]), 22)).toThrow('lifter: x is [3], but cepstra have 2 axes.');
    expect(() => lifter(zeros([3, 2]), -1)).toThrow('lifter: length -1 is below 0.');
  });
});

describe('mfcc', () => {
  it('of a constant spectrum has only the first coefficient', async () => {
    const silence = await mfcc(zeros([16]), speech).array(2);
    expect(silence[0]![0]).toBeCloseTo(-100 * Math.sqrt(4), 2);
    expect(silence[1]![0]).toBeCloseTo(0, 3);
    expect(silence[2]![0]).toBeCloseTo(0, 3);
  });

  it('agrees with finite differences', async () => {
    setSeed(1);
    const options = { ...speech, preemphasis: 0.97, lifter: 22 };
    await checkGradients((x) => mfcc(x, options), [rand([2, 20])]);
    expect(mfcc(zeros([2, 20]), options).shape).toEqual([2, 3, 6]);
  });

  it('says what does not fit', () => {
    expect(() => mfcc(zeros([64]), { ...speech, nMfcc: 5 })).toThrow(
      'mfcc: 5 coefficients of 4 mel bands. Give whole numbers, 1 ≤ nMfcc ≤ nMels.',
    );
    expect(() => mfcc(zeros([4]), speech)).toThrow('mfcc: 8 samples are mirrored on each side, but x is [4] with 4.');
  });
});
