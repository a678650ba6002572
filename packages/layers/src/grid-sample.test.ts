import { grad } from '@dl/autograd';
import { DTypeError, ShapeError, setBackend, type Tensor, tensor, ValueError, zeros } from '@dl/tensor';
import { compareGolden, type GoldenCase, readGolden, referenceBackend, type Value } from '@dl/testing';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { affineGrid, type GridSampleOptions, gridSample } from './grid-sample';

beforeAll(() => setBackend(referenceBackend()));

const toTensor = ({ data, shape, dtype }: Value, requiresGrad = false): Tensor =>
  tensor(data, shape, { dtype, requiresGrad });

async function difference(got: Tensor, want: Value, golden: GoldenCase): Promise<string | undefined> {
  const data = Float64Array.from(await got.data());
  return compareGolden({ shape: got.shape, dtype: got.dtype, data }, want, golden);
}

function apply(golden: GoldenCase, inputs: Record<string, Tensor>): Tensor {
  const { mode, padding_mode, align_corners, size } = golden.attrs;
  const alignCorners = align_corners === true;
  if (golden.op === 'affine_grid') return affineGrid(inputs['theta']!, size as never, { alignCorners });
  const options = { mode, paddingMode: padding_mode, alignCorners } as GridSampleOptions;
  return gridSample(inputs['x']!, inputs['grid']!, options);
}

describe('reference vectors', () => {
  const cases = readGolden('pooling').filter(({ op }) => op === 'grid_sample' || op === 'affine_grid');
  test.each(cases.map((golden) => [golden.name, golden] as const))('%s', async (_, golden) => {
    const named = Object.entries(golden.inputs).map(([name, value]) => [name, toTensor(value, true)] as const);
    const inputs = Object.fromEntries(named);
    const out = apply(golden, inputs);
    expect(await difference(out, golden.outputs['out']!, golden)).toBeUndefined();
    const wrt = Object.keys(golden.grads).map((name) => inputs[name]!);
    const grads = grad(out, wrt, { unused: 'zero', cotangent: toTensor(golden.cotangents['out']!) });
    for (const [i, name] of Object.keys(golden.grads).entries())
      expect(await difference(grads[i]!, golden.grads[name]!, golden)).toBeUndefined();
  });
});

describe('gridSample', () => {
  const x = tensor([1, 2, 3, 4], [1, 1, 2, 2]);
  const at = (...places: [number, number][]): Tensor => tensor(places.flat(), [1, 1, places.length, 2]);

  it('reads pixels at their centres and means between them', async () => {
    const out = gridSample(x, at([-0.5, -0.5], [0.5, -0.5], [0, 0]));
    expect(await out.flatten().array()).toEqual([1, 2, 2.5]);
    const corners = gridSample(x, at([-1, -1], [1, -1], [0, 0]), { alignCorners: true });
    expect(await corners.flatten().array()).toEqual([1, 2, 2.5]);
  });

  it('gives 0 outside, even where the image or the place is not finite', async () => {
    const wild = tensor([Number.POSITIVE_INFINITY, Number.NaN, 3, 4], [1, 1, 2, 2]);
    const far = at([5, 5], [Number.POSITIVE_INFINITY, 0]);
    expect(await gridSample(wild, far).flatten().array()).toEqual([0, 0]);
  });

  it('repeats or mirrors the border', async () => {
    const far = at([3, -0.5]);
    expect(await gridSample(x, far, { paddingMode: 'border' }).item()).toBe(2);
    expect(await gridSample(x, at([1.5, -0.5]), { paddingMode: 'reflection' }).item()).toBe(2);
    expect(await gridSample(x, far, { paddingMode: 'reflection' }).item()).toBe(1);
  });

  it('takes an image of one pixel, and batches and grids of none', async () => {
    const one = tensor([7], [1, 1, 1, 1]);
    expect(await gridSample(one, at([0.3, 0]), { paddingMode: 'reflection', alignCorners: true }).item()).toBe(7);
    expect(gridSample(zeros([0, 2, 3, 3]), zeros([0, 4, 5, 2])).shape).toEqual([0, 2, 4, 5]);
    expect(await gridSample(zeros([1, 2, 3, 3]), zeros([1, 0, 5, 2])).array()).toEqual([[[], []]]);
  });

  it('says what does not fit', () => {
    expect(() => gridSample(zeros([2, 1, 3, 3]), zeros([1, 4, 4, 2]))).toThrow(
      'gridSample: x is [2, 1, 3, 3] and grid [1, 4, 4, 2]. Give x as [N, C, H, W] and grid as [N, Hout, Wout, 2] with the same N.',
    );
    expect(() => gridSample(zeros([1, 1, 0, 3]), zeros([1, 4, 4, 2]))).toThrow(ShapeError);
    expect(() => gridSample(zeros([1, 1, 3, 3], 'f64'), zeros([1, 4, 4, 2]))).toThrow(
      'gridSample: x is f64 and grid f32. Cast both to one float dtype.',
    );
    expect(() => gridSample(zeros([1, 1, 3, 3], 'i32'), zeros([1, 4, 4, 2], 'i32'))).toThrow(DTypeError);
    expect(() => gridSample(x, at([0, 0]), { mode: 'cubic' as never })).toThrow(
      "gridSample: mode 'cubic' is not known. Use 'bilinear' or 'nearest'.",
    );
    expect(() => gridSample(x, at([0, 0]), { paddingMode: 'wrap' as never })).toThrow(ValueError);
  });
});

describe('affineGrid', () => {
  it('gives pixel centres for the identity', async () => {
    const identity = tensor([1, 0, 0, 0, 1, 0], [1, 2, 3]);
    expect(await affineGrid(identity, [1, 1, 1, 2]).array()).toEqual([
      [
        [
          [-0.5, 0],
          [0.5, 0],
        ],
      ],
    ]);
    const corners = await affineGrid(identity, [1, 1, 1, 2], { alignCorners: true }).array();
    expect(corners).toEqual([
      [
        [
          [-1, 0],
          [1, 0],
        ],
      ],
    ]);
  });

  it('says what does not fit', () => {
    expect(() => affineGrid(zeros([2, 2, 3]), [1, 1, 4, 4])).toThrow(
      'affineGrid: theta is [2, 2, 3] for images [1, 1, 4, 4]. Give theta as [1, 2, 3].',
    );
    expect(() => affineGrid(zeros([1, 2, 3], 'i32'), [1, 1, 4, 4])).toThrow("Use theta.cast('f32')");
  });
});
