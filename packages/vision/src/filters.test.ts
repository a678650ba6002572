import { checkGradients } from '@dl/autograd';
import { iota, rand, setBackend, setSeed, tensor, zeros } from '@dl/tensor';
import { readGolden, referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { gramMatrix } from './gram-matrix';
import { type GradientKernel, spatialGradient } from './spatial-gradient';

beforeAll(() => setBackend(referenceBackend()));

describe('gramMatrix', () => {
  it('multiplies channels, by hand', async () => {
    const x = tensor([1, 2, 3, 4], [1, 2, 1, 2]);
    expect(await gramMatrix(x).array()).toEqual([
      [
        [5, 11],
        [11, 25],
      ],
    ]);
    expect(await gramMatrix(x, { normalize: 'hw' }).array()).toEqual([
      [
        [2.5, 5.5],
        [5.5, 12.5],
      ],
    ]);
    expect(await gramMatrix(x, { normalize: 'chw' }).array()).toEqual([
      [
        [1.25, 2.75],
        [2.75, 6.25],
      ],
    ]);
  });

  it('is 0 of no pixels', async () => {
    expect(await gramMatrix(zeros([1, 1, 0, 3]), { normalize: 'chw' }).array()).toEqual([[[0]]]);
  });

  it('agrees with finite differences, twice', async () => {
    setSeed(1);
    await checkGradients((x) => gramMatrix(x, { normalize: 'hw' }), [rand([2, 2, 2, 3])], { order: 2 });
  });

  it('says what does not fit', () => {
    expect(() => gramMatrix(zeros([2, 3, 4]))).toThrow(
      'gramMatrix: x is [2, 3, 4], but feature maps have 4 axes. Give [N, C, H, W].',
    );
    expect(() => gramMatrix(zeros([1, 1, 1, 1]), { normalize: 'n' as never })).toThrow(
      "gramMatrix: normalize 'n' is not known. Use 'none', 'hw' or 'chw'.",
    );
  });
});

describe('spatialGradient', () => {
  it('is the filter that the reference names', async () => {
    const kernels = readGolden('vision').filter(({ op }) => op === 'spatial_gradient');
    for (const { attrs } of kernels) {
      // The response to one pixel is the filter turned about its middle.
      const pulse = tensor([1], [1, 1, 1, 1]).pad([0, 0, 1, 1], [0, 0, 1, 1]);
      const { gx, gy } = spatialGradient(pulse, { kernel: attrs['kernel'] as GradientKernel });
      expect(await gx.flip().at(0, 0).array()).toEqual(attrs['kernel_x']);
      expect(await gy.flip().at(0, 0).array()).toEqual(attrs['kernel_y']);
    }
  });

  it('of a ramp to the right is flat: 8 by Sobel, 6 by Prewitt, 32 by Scharr', async () => {
    const x = iota([1, 1, 3, 3], 3, 'f32');
    for (const [kernel, slope] of [
      ['sobel', 8],
      ['prewitt', 6],
      ['scharr', 32],
    ] as const) {
      const { gx, gy, magnitude } = spatialGradient(x, { kernel, paddingMode: 'none', eps: 0 });
      expect([await gx.item(), await gy.item(), await magnitude.item()]).toEqual([slope, 0, slope]);
    }
  });

  it('agrees with finite differences, twice', async () => {
    setSeed(1);
    const magnitude = (x: Parameters<typeof spatialGradient>[0]) => spatialGradient(x, { kernel: 'scharr' }).magnitude;
    await checkGradients(magnitude, [rand([1, 2, 3, 3])], { order: 2, rtol: 1e-5, atol: 1e-5 }); // second differences
  });

  it('says what does not fit', () => {
    expect(() => spatialGradient(zeros([3, 3]))).toThrow(
      'spatialGradient: x is [3, 3], but images have 4 axes. Give [N, C, H, W].',
    );
    expect(() => spatialGradient(zeros([1, 1, 3, 3], 'u8'))).toThrow('spatialGradient: x is u8');
    const x = zeros([1, 1, 3, 3]);
    expect(() => spatialGradient(x, { kernel: 'canny' as never })).toThrow(
      "spatialGradient: kernel 'canny' is not known. Use 'sobel', 'prewitt' or 'scharr'.",
    );
    expect(() => spatialGradient(x, { paddingMode: 'same' as never })).toThrow("paddingMode 'same' is not known");
    expect(() => spatialGradient(x, { eps: -1 })).toThrow('spatialGradient: eps -1 is below 0.');
  });
});
