import { compile, setBackend, type Tensor, tensor, ValueError, zeros } from '@dl/tensor';
import { readGolden, referenceBackend, type Value } from '@dl/testing';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { batchedNms, nms, nmsPadded } from './nms';

beforeAll(() => setBackend(referenceBackend()));

const toTensor = ({ data, shape, dtype }: Value): Tensor => tensor(data, shape, { dtype });

const boxes = tensor([
  [0, 0, 10, 10],
  [1, 1, 11, 11], // IoU with the first: 81 of 119
  [20, 20, 30, 30],
  [0, 0, 10, 5], // 1/2 of the first
]);
const scores = tensor([0.5, 0.9, 0.1, 0.7]);

describe('reference vectors', () => {
  const cases = readGolden('vision').filter(({ op }) => op === 'nms');
  test.each(cases.map((golden) => [golden.name, golden] as const))('%s', async (_, { inputs, attrs, outputs }) => {
    const [b, s] = [toTensor(inputs['boxes']!), toTensor(inputs['scores']!)];
    const iouThreshold = Number(attrs['iou_threshold']);
    const wanted = Array.from(outputs['out']!.data);
    const kept = await nms(b, s, { iouThreshold });
    expect(kept.dtype).toBe('i32');
    expect(await kept.array()).toEqual(wanted);
    const { indices, valid } = nmsPadded(b, s, { iouThreshold, maxOutput: b.shape[0]! });
    const flags = await valid.array(1);
    expect((await indices.array(1)).filter((_, i) => flags[i])).toEqual(wanted);
  });
});

describe('nms', () => {
  it('drops what overlaps a better box by more than the threshold', async () => {
    expect(await (await nms(boxes, scores)).array()).toEqual([1, 3, 2]);
    expect(await (await nms(boxes, scores, { iouThreshold: 0.3 })).array()).toEqual([1, 2]);
    expect(await (await nms(boxes, scores, { iouThreshold: 1 })).array()).toEqual([1, 3, 0, 2]);
  });

  it('orders equal scores by index, and takes no boxes', async () => {
    const apart = tensor([
      [0, 0, 1, 1],
      [2, 2, 3, 3],
      [4, 4, 5, 5],
    ]);
    expect(await (await nms(apart, tensor([0.2, 0.7, 0.7]))).array()).toEqual([1, 2, 0]);
    expect(await (await nms(zeros([0, 4]), zeros([0]))).array()).toEqual([]);
  });

  it('says what does not fit', async () => {
    await expect(nms(boxes, zeros([3]))).rejects.toThrow('nms: boxes are [4, 4] and scores [3]. Give [N, 4] and [N].');
    await expect(nms(boxes, zeros([4], 'i32'))).rejects.toThrow('nms: scores are i32, but scores are floats.');
    await expect(nms(boxes, scores, { iouThreshold: 1.5 })).rejects.toThrow(
      'nms: iouThreshold 1.5 is no share of an area. Use 0 to 1.',
    );
    await expect(nms(boxes, tensor([0, 1, Number.NaN, 2]))).rejects.toThrow(
      'nms: element 2 of scores is NaN, which has no order. Drop such boxes first.',
    );
  });

  it('sends a compiled function to nmsPadded', async () => {
    let failure: Promise<unknown> | undefined;
    compile((b: Tensor, s: Tensor) => {
      failure = nms(b, s);
      failure.catch(() => {});
      return b;
    })(boxes, scores);
    await expect(failure).rejects.toThrow('Use nmsPadded');
  });
});

describe('batchedNms', () => {
  it('lets classes be', async () => {
    const classes = tensor([0, 1, 0, 1], null, { dtype: 'i32' });
    expect(await (await batchedNms(boxes, scores, classes, { iouThreshold: 0.3 })).array()).toEqual([1, 0, 2]);
  });

  it('says what does not fit', async () => {
    await expect(batchedNms(boxes, scores, zeros([5], 'i32'))).rejects.toThrow(
      'batchedNms: classes are [5] for boxes [4, 4]. Give one class a box, [N].',
    );
    await expect(batchedNms(boxes, scores, zeros([4]))).rejects.toThrow(
      "batchedNms: classes are f32, but classes are integers. Use cast('i32').",
    );
  });
});

describe('nmsPadded', () => {
  it('gives the best ones, then index 0 that is not valid', async () => {
    const { indices, valid } = nmsPadded(boxes, scores, { maxOutput: 5 });
    expect(await indices.array()).toEqual([1, 3, 2, 0, 0]);
    expect(await valid.array()).toEqual([true, true, true, false, false]);
    expect(await nmsPadded(boxes, scores, { maxOutput: 2 }).indices.array()).toEqual([1, 3]);
  });

  it('never takes NaN and −∞, nor boxes that are not there', async () => {
    const odd = tensor([Number.NaN, 1, Number.NEGATIVE_INFINITY, 2]);
    const { indices, valid } = nmsPadded(boxes, odd, { maxOutput: 3, iouThreshold: 0.9 });
    expect(await indices.array()).toEqual([3, 1, 0]);
    expect(await valid.array()).toEqual([true, true, false]);
    expect(await nmsPadded(zeros([0, 4]), zeros([0]), { maxOutput: 2 }).valid.array()).toEqual([false, false]);
  });

  it('is compiled', async () => {
    const keep = compile((b: Tensor, s: Tensor) => nmsPadded(b, s, { maxOutput: 2 }));
    expect(await keep(boxes, scores).indices.array()).toEqual([1, 3]);
    expect(await keep(boxes, tensor([0.9, 0.5, 0.1, 0.7])).indices.array()).toEqual([0, 3]);
  });

  it('says what does not fit', () => {
    expect(() => nmsPadded(boxes, scores, { maxOutput: 0 })).toThrow(
      'nmsPadded: maxOutput is 0. Keep a whole number of boxes, at least 1.',
    );
    expect(() => nmsPadded(boxes, scores, { maxOutput: 1, iouThreshold: -1 })).toThrow(ValueError);
  });
});
