import { setBackend } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, expect, it } from 'vitest';
import { type WindowName, windowFunction } from './window-function';

beforeAll(() => setBackend(referenceBackend()));

it.each([
  ['rect', [1, 1, 1, 1]],
  ['hann', [0, 0.5, 1, 0.5]],
  ['hamming', [0.08, 0.54, 1, 0.54]],
  ['blackman', [0, 0.34, 1, 0.34]],
] as [WindowName, number[]][])('%s, one period of 4 samples, by hand', async (name, wanted) => {
  const values = await windowFunction(name, 4).data();
  for (const [i, value] of values.entries()) expect(value).toBeCloseTo(wanted[i]!, 6);
});

it('is symmetric if not periodic, and 1 for one sample', async () => {
  const values = await windowFunction('hann', 5, { periodic: false, dtype: 'f64' }).data('f64');
  for (const [i, value] of values.entries()) expect(value).toBeCloseTo([0, 0.5, 1, 0.5, 0][i]!, 15);
  expect(await windowFunction('hann', 1).array()).toEqual([1]);
  expect(await windowFunction('hamming', 1, { periodic: false }).array()).toEqual([1]);
});

it('says what does not fit', () => {
  expect(() => windowFunction('kaiser' as never, 4)).toThrow(
    "windowFunction: 'kaiser' is not known. Use rect, hann, hamming, blackman, or give the window as a tensor.",
  );
  expect(() => windowFunction('hann', 0)).toThrow('windowFunction: length 0 is no count of samples.');
});
