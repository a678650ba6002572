import { checkGradients } from '@dl/autograd';
import { setBackend, tensor, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, expect, it } from 'vitest';
import { boxDecode, boxEncode } from './box-code';

beforeAll(() => setBackend(referenceBackend()));

const anchors = tensor([
  [0, 0, 4, 2],
  [1, 1, 3, 5],
]);
const boxes = tensor([
  [1, 1, 9, 3],
  [0, 2, 2, 4],
]);

it('encodes by hand', async () => {
  const [offsets] = await boxEncode(anchors, boxes).array(2); // centre (2, 1) to (5, 2), size (4, 2) to (8, 2)
  expect(offsets![0]).toBeCloseTo(3 / 4, 6);
  expect(offsets![1]).toBeCloseTo(1 / 2, 6);
  expect(offsets![2]).toBeCloseTo(Math.log(2), 6);
  expect(offsets![3]).toBeCloseTo(0, 6);
});

it('decodes what it encoded, under any weights', async () => {
  const weights = [10, 10, 5, 5] as const;
  const back = await boxDecode(anchors, boxEncode(anchors, boxes, { weights }), { weights }).data();
  const wanted = await boxes.data();
  for (const [i, x] of back.entries()) expect(x).toBeCloseTo(wanted[i]!, 5);
});

it('limits how much a box grows', async () => {
  const wild = boxDecode(
    anchors,
    tensor([
      [0, 0, 1000, 1000],
      [0, 0, 0, 0],
    ]),
    { maxLogScale: Math.log(2) },
  );
  expect((await wild.array(2))[0]).toEqual([-2, -1, 6, 3]);
});

it('agrees with finite differences, twice', async () => {
  const tolerance = { order: 2, rtol: 1e-5, atol: 1e-6 } as const; // second differences lose digits
  await checkGradients((a, b) => boxEncode(a, b), [anchors, boxes], tolerance);
  await checkGradients((a, d) => boxDecode(a, d), [anchors, boxes.mul(0.1)], tolerance);
});

it('says what does not fit', () => {
  expect(() => boxEncode(anchors, zeros([3, 4]))).toThrow(
    'boxEncode: anchors are [2, 4] and boxes [3, 4]. Give one of the boxes for each anchor.',
  );
  expect(() => boxDecode(anchors, zeros([3, 4]))).toThrow('Give one of the deltas for each anchor.');
  expect(() => boxDecode(anchors, zeros([2, 4]), { weights: [1, 1, 0, 1] })).toThrow(
    'boxDecode: weights [1, 1, 0, 1] do not scale 4 offsets. Give 4 numbers other than 0.',
  );
});
