import { checkGradients, grad } from '@dl/autograd';
import { setBackend, tensor, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { boxIou, completeBoxIou, distanceBoxIou, generalizedBoxIou } from './iou';

beforeAll(() => setBackend(referenceBackend()));

const first = tensor([
  [0, 0.1, 2, 2.1],
  [1.5, 0.5, 4, 3.2],
]);
const second = tensor([
  [1, 1, 3, 2.6],
  [5, 5, 7, 8],
]); // no coordinate twice: maximum and minimum have kinks there
const all = { boxIou, generalizedBoxIou, distanceBoxIou, completeBoxIou };

describe('by hand: [0, 0, 2, 2] and [1, 1, 3, 3]', () => {
  const [a, b] = [tensor([[0, 0, 2, 2]]), tensor([[1, 1, 3, 3]])];

  it('boxIou is 1 of 7', async () => {
    expect(await boxIou(a, b).item()).toBeCloseTo(1 / 7, 6);
  });
  it('generalizedBoxIou takes off the 2 of 9 that neither covers', async () => {
    expect(await generalizedBoxIou(a, b).item()).toBeCloseTo(1 / 7 - 2 / 9, 6);
  });
  it('distanceBoxIou takes off the squared distance 2 over the squared diagonal 18', async () => {
    expect(await distanceBoxIou(a, b).item()).toBeCloseTo(1 / 7 - 2 / 18, 6);
  });
  it('completeBoxIou takes off nothing more for equal proportions', async () => {
    expect(await completeBoxIou(a, b).item()).toBeCloseTo(1 / 7 - 2 / 18, 6);
  });
});

it('completeBoxIou takes off α·v for other proportions', async () => {
  const [a, b] = [tensor([[0, 0, 4, 1]]), tensor([[0, 0, 1, 2]])];
  const iou = 1 / 5;
  const v = (4 / Math.PI ** 2) * (Math.atan(4) - Math.atan(0.5)) ** 2;
  const diou = iou - (1.5 ** 2 + 0.5 ** 2) / (16 + 4);
  expect(await completeBoxIou(a, b).item()).toBeCloseTo(diou - v ** 2 / (1 - iou + v), 5);
});

it('completeBoxIou holds α constant in the gradient', async () => {
  const a = tensor([[0, 0, 4, 1]], null, { dtype: 'f64', requiresGrad: true });
  const b = tensor([[0, 0, 1, 2]], null, { dtype: 'f64' });
  const penalty = distanceBoxIou(a, b).sub(completeBoxIou(a, b)).sum(); // α · v
  const x2 = (await grad(penalty, a).array(2))[0]![2]!;
  const difference = Math.atan(4) - Math.atan(0.5);
  const v = (4 / Math.PI ** 2) * difference ** 2;
  const slope = (8 / Math.PI ** 2) * difference * (1 / (1 + 16)); // dv/dw at w / h = 4, h = 1
  expect(x2).toBeCloseTo((v / (1 - 1 / 5 + v)) * slope, 6);
});

it.each(['boxIou', 'generalizedBoxIou', 'distanceBoxIou'] as const)('%s: finite differences, twice', async (name) => {
  await checkGradients(all[name], [first, second], { order: 2, rtol: 1e-5, atol: 1e-6 }); // second differences lose digits
});

describe.each(Object.entries(all))('%s', (name, overlap) => {
  it('is 1 for a box with itself', async () => {
    const boxes = tensor([
      [0, 0, 2, 2],
      [-3, 1, 4, 2],
    ]);
    const [[a], [, b]] = (await overlap(boxes, boxes).array(2)) as [[number], [number, number]];
    expect(a).toBeCloseTo(1, 6);
    expect(b).toBeCloseTo(1, 6);
  });

  it('is finite for boxes without area, with its gradient', async () => {
    const point = tensor([[1, 1, 1, 1]], null, { requiresGrad: true });
    const value = overlap(
      point,
      tensor([
        [1, 1, 1, 1],
        [0, 0, 1, 1],
      ]),
    );
    const slopes = await grad(value.sum(), point).data();
    for (const number of [...(await value.data()), ...slopes]) expect(Number.isFinite(number)).toBe(true);
  });

  it('compares box by box through an axis in front', async () => {
    const paired = overlap(first.unsqueeze(1), second.unsqueeze(1)); // [2, 1, 1]
    const every = await overlap(first, second).array(2);
    expect(await paired.flatten().array()).toEqual([every[0]![0], every[1]![1]]);
  });

  it('takes sets without boxes', async () => {
    expect(await overlap(zeros([0, 4]), second).array()).toEqual([]);
    expect(overlap(first, zeros([0, 4])).shape).toEqual([2, 0]);
  });

  it('says what does not fit', () => {
    expect(() => overlap(zeros([3, 5]), second)).toThrow(
      `${name}: boxes1 is [3, 5], but a box is 4 numbers. Give [..., 4].`,
    );
    expect(() => overlap(first, zeros([4]))).toThrow(
      `${name}: boxes2 is [4], but sets of boxes are compared. Give [..., N, 4], as by unsqueeze(0).`,
    );
  });
});
