import { checkGradients } from '@dl/autograd';
import { iota, randn, setBackend, type Tensor, tensor, ValueError, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  CircularPad1d,
  CircularPad2d,
  CircularPad3d,
  ConstantPad1d,
  ConstantPad2d,
  ConstantPad3d,
  Flatten,
  type Layer,
  ReflectionPad1d,
  ReflectionPad2d,
  ReflectionPad3d,
  ReplicationPad1d,
  ReplicationPad2d,
  ReplicationPad3d,
  Sequential,
  Unflatten,
  ZeroPad1d,
  ZeroPad2d,
  ZeroPad3d,
} from './index';

beforeEach(() => setBackend(referenceBackend()));

const line = (layer: Layer): Promise<unknown> => layer.forward(tensor([[1, 2, 3]])).array();

describe('padding', () => {
  test('of one axis, by hand', async () => {
    expect(await line(new ZeroPad1d([[1, 2]]))).toEqual([[0, 1, 2, 3, 0, 0]]);
    expect(await line(new ConstantPad1d(1, 7))).toEqual([[7, 1, 2, 3, 7]]);
    expect(await line(new ReflectionPad1d(2))).toEqual([[3, 2, 1, 2, 3, 2, 1]]);
    expect(await line(new ReplicationPad1d([[0, 3]]))).toEqual([[1, 2, 3, 3, 3, 3]]);
    expect(await line(new CircularPad1d([[2, 1]]))).toEqual([[2, 3, 1, 2, 3, 1]]);
  });

  test('of two axes: a pair each, the first for the rows', async () => {
    const x = tensor([
      [
        [
          [1, 2],
          [3, 4],
        ],
      ],
    ]);
    const padded = async (layer: Layer): Promise<unknown> =>
      ((await layer.forward(x).array()) as number[][][][])[0]![0];
    expect(
      await padded(
        new ZeroPad2d([
          [1, 0],
          [0, 1],
        ]),
      ),
    ).toEqual([
      [0, 0, 0],
      [1, 2, 0],
      [3, 4, 0],
    ]);
    expect(await padded(new ConstantPad2d([0, 1], 9))).toEqual([
      [9, 1, 2, 9],
      [9, 3, 4, 9],
    ]);
    expect(await padded(new ReflectionPad2d(1))).toEqual([
      [4, 3, 4, 3],
      [2, 1, 2, 1],
      [4, 3, 4, 3],
      [2, 1, 2, 1],
    ]);
    expect(
      await padded(
        new ReplicationPad2d([
          [1, 0],
          [0, 0],
        ]),
      ),
    ).toEqual([
      [1, 2],
      [1, 2],
      [3, 4],
    ]);
    expect(
      await padded(
        new CircularPad2d([
          [0, 1],
          [1, 0],
        ]),
      ),
    ).toEqual([
      [2, 1, 2],
      [4, 3, 4],
      [2, 1, 2],
    ]);
  });

  test('of three axes: what lies in the middle is the data, and a corner is that of its mode', async () => {
    const x = iota([8], 0, 'f32').reshape([1, 1, 2, 2, 2]);
    const corners: [Layer, number][] = [
      [new ZeroPad3d(1), 0],
      [new ConstantPad3d(1, -1), -1],
      [new ReflectionPad3d(1), 7],
      [new ReplicationPad3d(1), 0],
      [new CircularPad3d(1), 7],
    ];
    for (const [layer, corner] of corners) {
      const y = layer.forward(x);
      expect(y.shape).toEqual([1, 1, 4, 4, 4]);
      expect(await y.at(0, 0, '1:3', '1:3', '1:3').array()).toEqual(await x.at(0, 0).array());
      expect(await y.at(0, 0, 0, 0, 0).item()).toBe(corner);
    }
  });

  test('is differentiated, and says what it takes', async () => {
    const f = (v: Tensor): Tensor => new ReflectionPad2d(1).forward(new CircularPad2d([0, 2]).forward(v)).square();
    await checkGradients(f, [randn([1, 2, 3])], { order: 2 });
    expect(() => new ZeroPad2d([[1, 1]])).toThrow('ZeroPad2d: 1 padding pairs are given for 2 spatial axes.');
    expect(() => new ZeroPad1d(-1)).toThrow(ValueError);
    expect(() => new ReplicationPad2d(1).forward(zeros([2, 2]))).toThrow(
      'ReplicationPad2d: x is [2, 2], but data has 4',
    );
    expect(() => new ReflectionPad1d(3).forward(zeros([1, 3]))).toThrow('reflect by 3 and 3');
  });
});

describe('Unflatten', () => {
  test('takes an axis apart, as Flatten joined it', async () => {
    const x = iota([2, 12], 1, 'f32');
    const there = new Sequential(new Unflatten(1, [3, -1]), new Flatten());
    expect(new Unflatten(-1, [2, 3, 2]).forward(x).shape).toEqual([2, 2, 3, 2]);
    expect(await there.forward(x).array()).toEqual(await x.array());
    expect(() => new Unflatten(1, [5, -1]).forward(x)).toThrow('axis 1 of x [2, 12] cannot become [5, -1].');
    expect(() => new Unflatten(1, [2, 5]).forward(x)).toThrow('Give sizes whose product is 12.');
  });
});
