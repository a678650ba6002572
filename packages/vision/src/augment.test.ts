import { cpu } from '@dl/backend-cpu';
import {
  type Backend,
  compile,
  Generator,
  iota,
  ShapeError,
  setBackend,
  setSeed,
  type Tensor,
  ValueError,
  zeros,
} from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  colorJitter,
  randomCrop,
  randomErasing,
  randomHorizontalFlip,
  randomResizedCrop,
  randomVerticalFlip,
} from './index';

/** Images whose elements say where they are: row · 100 + column. */
const places = (N: number, H: number, W: number): Tensor =>
  iota([N, 1, H, W], 2, 'f32')
    .mul(100)
    .add(iota([N, 1, H, W], 3, 'f32'));

const images = async (x: Tensor): Promise<number[][][]> =>
  ((await x.array()) as number[][][][]).map(([image]) => image!);

const backends: Record<string, () => Promise<Backend>> = {
  reference: async () => referenceBackend(),
  cpu: () => cpu(),
};

describe.each(Object.entries(backends))('on %s', (_, backend) => {
  beforeAll(async () => setBackend(await backend()));
  beforeEach(() => setSeed(3));

  it('mirrors about half of the images, each as a whole', async () => {
    const x = places(200, 1, 3);
    const mirrored = await images(randomHorizontalFlip(x));
    const count = mirrored.filter(([row]) => String(row) === '2,1,0').length;
    expect(mirrored.filter(([row]) => String(row) === '0,1,2').length).toBe(200 - count);
    expect(Math.abs(count - 100)).toBeLessThan(35); // 5 standard deviations of 7
    const turned = await images(randomVerticalFlip(places(2, 2, 1).cast('i32'), { p: 1 }));
    expect(turned).toEqual([
      [[100], [0]],
      [[100], [0]],
    ]);
    expect(await randomVerticalFlip(x, { p: 0 }).array()).toEqual(await x.array());
  });

  it('cuts parts out at places of their own, each as likely, zeros where it was padded', async () => {
    const cut = await images(randomCrop(places(300, 3, 4), [2, 2]));
    const starts = new Map<number, number>();
    for (const [[a, b], [c, d]] of cut as [[number, number], [number, number]][]) {
      expect([b, c, d]).toEqual([a + 1, a + 100, a + 101]);
      starts.set(a, (starts.get(a) ?? 0) + 1);
    }
    expect([...starts.keys()].sort((a, b) => a - b)).toEqual([0, 1, 2, 100, 101, 102]);
    for (const n of starts.values()) expect(Math.abs(n - 50)).toBeLessThan(33); // 5 standard deviations of 6.5
    const padded = await images(randomCrop(places(100, 1, 2).add(1), [1, 2], { padding: 1 }));
    expect(new Set(padded.map(([row]) => String(row)))).toEqual(new Set(['0,0', '0,1', '1,2', '2,0']));
    expect(await randomCrop(places(2, 3, 4), [3, 4]).array()).toEqual(await places(2, 3, 4).array());
  });

  it('resizes parts of random size and form: a ramp stays a ramp, within the image', async () => {
    const whole = randomResizedCrop(places(2, 4, 4), 4, { scale: [1, 1], ratio: [1, 1] });
    const want = await places(2, 4, 4).data();
    (await whole.data()).forEach((v, i) => expect(v).toBeCloseTo(want[i]!, 2));
    const widths: number[] = [];
    const x = iota([64, 1, 16, 32], 3, 'f32'); // the column
    for (const [row] of await images(randomResizedCrop(x, [4, 8], { scale: [0.1, 0.5], ratio: [1, 2] }))) {
      const step = row![5]! - row![4]!;
      for (let i = 2; i < 6; i++) expect(row![i]! - row![i - 1]!).toBeCloseTo(step, 3);
      expect(Math.min(...row!)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...row!)).toBeLessThanOrEqual(31);
      widths.push(8 * step); // of the part
    }
    // Width² is area · form: from 0.1 · 512 · 1 to 0.5 · 512 · 2, and at most 32.
    expect(Math.min(...widths)).toBeGreaterThan(Math.sqrt(51) - 0.1);
    expect(Math.max(...widths)).toBeLessThan(Math.sqrt(512) + 0.1);
    expect(Math.max(...widths) - Math.min(...widths)).toBeGreaterThan(5);
  });

  it('covers one rectangle an image, of a size within the range', async () => {
    const erased = await images(randomErasing(places(40, 20, 20).add(1), { p: 1, value: -1, scale: [0.1, 0.2] }));
    const seen = new Set<string>();
    for (const image of erased) {
      const rows = image.flatMap((row, i) => (row.includes(-1) ? [i] : []));
      const columns = image[rows[0]!]!.flatMap((v, j) => (v === -1 ? [j] : []));
      image.forEach((row, i) =>
        row.forEach((v, j) => expect(v).toBe(rows.includes(i) && columns.includes(j) ? -1 : i * 100 + j + 1)),
      );
      expect(rows.length * columns.length).toBeGreaterThan(20);
      expect(rows.length * columns.length).toBeLessThan(110); // 10 to 20 % of 400, and what rounding adds
      seen.add(`${rows[0]} ${columns[0]}`);
    }
    expect(seen.size).toBeGreaterThan(20);
  });

  it('draws anew at each call of a compiled step, and the same from the same seed', async () => {
    const augment = (x: Tensor): Tensor =>
      colorJitter(randomErasing(randomResizedCrop(randomHorizontalFlip(randomCrop(x, 6)), 5)), {
        brightness: 0.3,
        contrast: 0.3,
        saturation: 0.3,
        hue: 0.2,
      });
    const x = iota([4 * 3 * 8 * 8], 0, 'f32')
      .mod(17)
      .div(17)
      .reshape([4, 3, 8, 8])
      .realize();
    setSeed(9);
    const eager = [await augment(x).data(), await augment(x).data()];
    setSeed(9);
    const step = compile(augment);
    const compiled = [await step(x).data(), await step(x).data()];
    eager.forEach((values, call) => values.forEach((v, i) => expect(compiled[call]![i]!).toBeCloseTo(v, 5)));
    expect([...compiled[0]!]).not.toEqual([...compiled[1]!]);
    const own = (): Tensor => randomCrop(x, 3, { generator: new Generator(4) });
    expect(await own().array()).toEqual(await own().array());
  });
});

it('says what does not fit', () => {
  setBackend(referenceBackend());
  expect(() => randomCrop(zeros([1, 1, 4, 4]), 5)).toThrow('randomCrop: 5 of the 4 pixels of axis 2 cannot be cut.');
  expect(() => randomHorizontalFlip(zeros([3, 4, 4]))).toThrow(ShapeError);
  expect(() => randomVerticalFlip(zeros([1, 1, 4, 4]), { p: 2 })).toThrow('p is 2, but a probability is from 0 to 1.');
  expect(() => randomErasing(zeros([1, 1, 4, 4]), { scale: [0.3, 0.1] })).toThrow(ValueError);
  expect(() => colorJitter(zeros([1, 3, 4, 4]), { hue: 0.7 })).toThrow('hue is 0.7. Give a number from 0 to 0.5.');
});
