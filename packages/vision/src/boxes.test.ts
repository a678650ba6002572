import { checkGradients } from '@dl/autograd';
import { setBackend, tensor, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { type BoxFormat, boxArea, boxConvert, clipBoxes } from './boxes';

beforeAll(() => setBackend(referenceBackend()));

describe('boxConvert', () => {
  const forms: Record<BoxFormat, number[]> = { xyxy: [1, 2, 5, 4], xywh: [1, 2, 4, 2], cxcywh: [3, 3, 4, 2] };
  const formats = Object.keys(forms) as BoxFormat[];
  const pairs = formats.flatMap((from) => formats.map((to) => [from, to] as const));

  it.each(pairs)('from %s to %s', async (from, to) => {
    expect(await boxConvert(tensor(forms[from]), from, to).array()).toEqual(forms[to]);
  });

  it('keeps leading axes, also of no boxes', async () => {
    expect(boxConvert(zeros([2, 3, 4]), 'xywh', 'cxcywh').shape).toEqual([2, 3, 4]);
    expect(await boxConvert(zeros([0, 4]), 'xywh', 'xyxy').array()).toEqual([]);
  });

  it('says what does not fit', () => {
    expect(() => boxConvert(zeros([4, 3]), 'xyxy', 'xywh')).toThrow(
      'boxConvert: boxes is [4, 3], but a box is 4 numbers. Give [..., 4].',
    );
    expect(() => boxConvert(zeros([4], 'i32'), 'xyxy', 'xywh')).toThrow(
      "boxConvert: boxes is i32, but boxes are floats. Use cast('f32').",
    );
    expect(() => boxConvert(zeros([4]), 'xyxy', 'yxyx' as never)).toThrow(
      "boxConvert: format 'yxyx' is not known. Use 'xyxy', 'xywh' or 'cxcywh'.",
    );
  });
});

describe('boxArea', () => {
  it('is width times height', async () => {
    const boxes = tensor([
      [0, 0, 2, 3],
      [1, 1, 1, 5],
    ]);
    expect(await boxArea(boxes).array()).toEqual([6, 0]);
    await checkGradients(boxArea, [boxes], { order: 2 });
  });
});

describe('clipBoxes', () => {
  it('cuts at the edges, and leaves nothing of what is outside', async () => {
    const boxes = tensor([
      [-1, 1, 3, 9],
      [6, 6, 8, 8],
    ]);
    expect(await clipBoxes(boxes, [5, 4]).array()).toEqual([
      [0, 1, 3, 5],
      [4, 5, 4, 5],
    ]);
  });
});
