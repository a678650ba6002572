import { checkGradients } from '@dl/autograd';
import { DTypeError, rand, ShapeError, setBackend, setSeed, type Tensor, tensor, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { adjustBrightness, adjustContrast, adjustHue, adjustSaturation, grayscale } from './color';

beforeEach(() => {
  setBackend(referenceBackend());
  setSeed(2);
});

/** Images of one pixel. */
const pixels = (...colors: (readonly [number, number, number])[]): Tensor =>
  tensor(colors.flat(), [colors.length, 3, 1, 1]);

async function close(got: Tensor, want: readonly number[]): Promise<void> {
  const values = await got.data();
  expect(values).toHaveLength(want.length);
  want.forEach((w, i) => expect(values[i]!).toBeCloseTo(w, 5));
}

it('grey is a weighted sum of the colours', async () => {
  await close(grayscale(pixels([1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1])), [0.2989, 0.587, 0.114, 0.9999]);
});

it('brightness multiplies, within 0 and 1, by a factor an image', async () => {
  const x = pixels([0.2, 0.5, 0.8], [0.2, 0.5, 0.8]);
  await close(adjustBrightness(x, 0.5), [0.1, 0.25, 0.4, 0.1, 0.25, 0.4]);
  await close(adjustBrightness(x, tensor([0, 2])), [0, 0, 0, 0.4, 1, 1]);
});

it('contrast is the distance from the mean grey of the image', async () => {
  const x = tensor([0.2, 0.6], [1, 1, 1, 2]);
  await close(adjustContrast(x, 0), [0.4, 0.4]);
  await close(adjustContrast(x, 1.5), [0.1, 0.7]);
  await close(adjustContrast(x, 4), [0, 1]);
});

it('saturation is the distance of each pixel from its grey', async () => {
  const x = pixels([0.5, 0.2, 0.2]);
  const grey = 0.5 * 0.2989 + 0.2 * 0.701;
  await close(adjustSaturation(x, 0), [grey, grey, grey]);
  await close(adjustSaturation(x, 2), [1 - grey, 0.4 - grey, 0.4 - grey]);
  await close(adjustSaturation(x, 1), [0.5, 0.2, 0.2]);
});

describe('hue', () => {
  it('goes round the circle as in the hexagonal model of colours', async () => {
    const x = pixels([0.2, 0.5, 0.9], [0.9, 0.3, 0.1], [0.4, 0.8, 0.4], [0.7, 0.1, 0.6]);
    // From Python's colorsys.
    const want = [0.9, 0.2, 0.85, 0.1, 0.22, 0.9, 0.8, 0.4, 0.8, 0.6, 0.7, 0.1];
    await close(adjustHue(x, tensor([0.25, -0.4, 0.5, 1 / 3])), want);
  });

  it('leaves grey alone, and comes back after a whole turn', async () => {
    await close(adjustHue(pixels([0, 0, 0], [0.3, 0.3, 0.3], [1, 1, 1]), 0.3), [0, 0, 0, 0.3, 0.3, 0.3, 1, 1, 1]);
    const x = rand([2, 3, 4, 4]);
    await close(adjustHue(adjustHue(x, 0.3), -0.3), [...(await x.data())]);
  });
});

it('carries gradients, to factors too', async () => {
  const x = rand([2, 3, 2, 2]).mul(0.5).add(0.25).realize();
  const change = (v: Tensor, f: Tensor): Tensor => adjustContrast(adjustSaturation(adjustBrightness(v, f), f), f);
  await checkGradients(change, [x, tensor([0.9, 1.05])]);
  await checkGradients((v, t) => adjustHue(v, t), [x, tensor([0.1, -0.2])]);
});

it('says what does not fit', () => {
  expect(() => adjustSaturation(zeros([1, 1, 2, 2]), 1)).toThrow(
    'adjustSaturation: x is [1, 1, 2, 2], but images are [N, 3, H, W].',
  );
  expect(() => adjustHue(zeros([3, 2, 2]), 0)).toThrow(ShapeError);
  expect(() => adjustBrightness(zeros([1, 3, 2, 2], 'u8'), 1)).toThrow(DTypeError);
  expect(() => adjustContrast(zeros([2, 3, 1, 1]), tensor([1]))).toThrow('the factors are [1] for 2 images.');
});
