import { cpu } from '@dl/backend-cpu';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  acos,
  asin,
  atan,
  atan2,
  diagonal,
  einsum,
  fmod,
  fold,
  indexAdd,
  logAddExp,
  moveAxis,
  norm,
  ones,
  outer,
  padWith,
  roll,
  setBackend,
  slidingWindows,
  sub,
  tensor,
  tril,
  triu,
  unfold,
} from './index';

describe.each([
  ['reference', referenceBackend],
  ['cpu', cpu],
])('on the %s backend', (_, makeBackend) => {
  beforeAll(async () => setBackend(await makeBackend()));

  const x = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);

  describe('selection', () => {
    it('cuts triangles and diagonals', async () => {
      expect(await tril(x).array()).toEqual([
        [1, 0, 0],
        [4, 5, 0],
      ]);
      expect(await triu(x, 1).array()).toEqual([
        [0, 2, 3],
        [0, 0, 6],
      ]);
      expect(await diagonal(x).array()).toEqual([1, 5]);
      expect(await diagonal(x, 1).array()).toEqual([2, 6]);
      expect(await diagonal(x, -1).array()).toEqual([4]);
      expect(diagonal(x, 9).shape).toEqual([0]);
    });

    it('rolls along axes, or through the whole', async () => {
      expect(await roll(x, [1, -1], [0, 1]).array()).toEqual([
        [5, 6, 4],
        [2, 3, 1],
      ]);
      expect(await roll(x, 1).array()).toEqual([
        [6, 1, 2],
        [3, 4, 5],
      ]);
      expect(moveAxis(ones([2, 3, 4]), 0, -1).shape).toEqual([3, 4, 2]);
    });

    it('adds slices at indices, repeated ones too', async () => {
      const i = tensor(new Int32Array([0, 0]));
      expect(
        await indexAdd(
          tensor([
            [0, 0],
            [1, 1],
          ]),
          0,
          i,
          tensor([
            [1, 2],
            [3, 4],
          ]),
        ).array(),
      ).toEqual([
        [4, 6],
        [1, 1],
      ]);
    });
  });

  describe('padding', () => {
    it('mirrors, repeats edges and wraps', async () => {
      const row = tensor([1, 2, 3, 4]);
      expect(await padWith(row, [[2, 1]], { mode: 'reflect' }).array()).toEqual([3, 2, 1, 2, 3, 4, 3]);
      expect(await padWith(row, [[2, 1]], { mode: 'replicate' }).array()).toEqual([1, 1, 1, 2, 3, 4, 4]);
      expect(await padWith(row, [[2, 1]], { mode: 'circular' }).array()).toEqual([3, 4, 1, 2, 3, 4, 1]);
      expect(() => padWith(row, [[4, 0]], { mode: 'reflect' })).toThrow(
        'pad: reflect by 4 and 0 along axis 0 of [4], which allows 0 to 3',
      );
    });
  });

  describe('windows', () => {
    it('slides along an axis', async () => {
      expect(await slidingWindows(tensor([1, 2, 3, 4, 5]), 0, 3, 2).array()).toEqual([
        [1, 2, 3],
        [3, 4, 5],
      ]);
      expect(await slidingWindows(x, 0, 2).array()).toEqual([
        [
          [1, 4],
          [2, 5],
          [3, 6],
        ],
      ]);
      expect(await slidingWindows(tensor([1, 2, 3, 4, 5]), 0, 2, 1, 3).array()).toEqual([
        [1, 4],
        [2, 5],
      ]);
    });

    it('folds what it unfolded, counting overlaps', async () => {
      const image = ones([1, 1, 3, 3]);
      const columns = unfold(image, { kernelSize: [2, 2] });
      expect(columns.shape).toEqual([1, 4, 4]);
      expect(await fold(columns, [3, 3], { kernelSize: [2, 2] }).array(4)).toEqual([
        [
          [
            [1, 2, 1],
            [2, 4, 2],
            [1, 2, 1],
          ],
        ],
      ]);
    });
  });

  describe('einsum', () => {
    const a = tensor([
      [1, 2],
      [3, 4],
    ]);
    it.each([
      [
        'ij,jk->ik',
        [a, a],
        [
          [7, 10],
          [15, 22],
        ],
      ],
      [
        'ij->ji',
        [a],
        [
          [1, 3],
          [2, 4],
        ],
      ],
      ['ij->', [a], 10],
      ['ii->i', [a], [1, 4]],
      ['ii', [a], 5],
      ['ij,ij->', [a, a], 30],
      [
        'ij,jk,kl->il',
        [a, a, a],
        [
          [37, 54],
          [81, 118],
        ],
      ],
      ['...j,j->...', [a, tensor([1, 1])], [3, 7]],
      [
        'ba',
        [a],
        [
          [1, 3],
          [2, 4],
        ],
      ],
    ])('%s', async (equation, operands, expected) => {
      expect(await einsum(equation, ...operands).array()).toEqual(expected);
    });

    it('names sizes that disagree', () => {
      expect(() => einsum('ij,jk->ik', a, ones([3, 2]))).toThrow(
        'einsum: axis j has 2 elements in [2, 2], but 3 in [3, 2]',
      );
      expect(() => einsum('ij->ik', a)).toThrow(/k, which no operand has/);
    });
  });

  describe('other functions', () => {
    it('takes numbers on either side', async () => {
      expect(await sub(1, tensor([3])).item()).toBe(-2);
      expect(await outer(tensor([1, 2]), tensor([3, 4])).array()).toEqual([
        [3, 4],
        [6, 8],
      ]);
      expect(await fmod(tensor([-5, 5]), 3).array()).toEqual([-2, 2]);
      expect(await logAddExp(tensor([1000, -Infinity]), tensor([1000, -Infinity])).array()).toEqual([
        expect.closeTo(1000.6931, 3),
        -Infinity,
      ]);
      expect(await norm(tensor([3, -4]), 1).item()).toBe(7);
      expect(await norm(tensor([3, -4]), Infinity).item()).toBe(4);
    });
  });

  describe('inverse trigonometric functions', () => {
    const points = [-1e6, -3, -1, -0.7, -1e-4, 0, 0.2, 0.99999, 1, 1.5, 40, Infinity, -Infinity];
    it('agrees with Math in f64 and f32', async () => {
      const wide = tensor(new Float64Array(points));
      const got = await atan(wide).data('f64');
      points.forEach((x, i) => expect(got[i]).toBeCloseTo(Math.atan(x), 14));
      const single = await atan(tensor(points)).data('f32');
      points.forEach((x, i) =>
        expect(Math.abs(single[i]! - Math.atan(x))).toBeLessThan(2e-7 * Math.max(1e-3, Math.abs(Math.atan(x))) + 1e-12),
      );
      const inside = [-1, -0.9999, -0.5, 0, 1e-5, 0.3, 1];
      const [s, c] = [
        await asin(tensor(new Float64Array(inside))).data(),
        await acos(tensor(new Float64Array(inside))).data(),
      ];
      inside.forEach((x, i) => {
        expect(s[i]).toBeCloseTo(Math.asin(x), 14);
        expect(c[i]).toBeCloseTo(Math.acos(x), 14);
      });
      expect(await asin(tensor([2])).item()).toBeNaN();
    });

    it('finds the quadrant', async () => {
      const ys = [0, 1, 1, 0, -1, -1, -1, 2, 0];
      const xs = [1, 1, -1, -1, -1, 0, 1, 0.5, 0];
      const got = await atan2(tensor(new Float64Array(ys)), tensor(new Float64Array(xs))).data();
      ys.forEach((y, i) => expect(got[i]).toBeCloseTo(Math.atan2(y, xs[i]!), 14));
    });
  });
});
