import { describe, expect, test } from 'vitest';
import { type Drawing, pictureOf } from './picture';

/** A drawing with a filled rectangle. */
function rectangle(left: number, top: number, width: number, height: number, side = 280): Drawing {
  const ink = new Float32Array(side * side);
  for (let y = top; y < top + height; y++) ink.fill(1, y * side + left, y * side + left + width);
  return { width: side, height: side, ink };
}

const at = (picture: Float32Array, row: number, column: number) => picture[row * 28 + column]!;

describe('the picture of a drawing', () => {
  test('is none of an empty one', () => {
    expect(pictureOf({ width: 4, height: 4, ink: new Float32Array(16) })).toBeNull();
  });

  test('fills a box of 20 pixels, in the middle, wherever and however large it was drawn', () => {
    for (const drawing of [rectangle(10, 20, 100, 100), rectangle(150, 33, 60, 60)]) {
      const picture = pictureOf(drawing)!;
      expect(at(picture, 4, 4)).toBeCloseTo(1, 5);
      expect(at(picture, 23, 23)).toBeCloseTo(1, 5);
      expect(at(picture, 3, 14)).toBeCloseTo(0, 5);
      expect(at(picture, 14, 24)).toBeCloseTo(0, 5);
      expect(picture.reduce((a, b) => a + b)).toBeCloseTo(400, 3);
    }
  });

  test('keeps proportions', () => {
    const picture = pictureOf(rectangle(100, 20, 40, 200))!; // 4 × 20
    expect(picture.reduce((a, b) => a + b)).toBeCloseTo(80, 3);
    expect(at(picture, 4, 12)).toBeCloseTo(1, 5);
    expect(at(picture, 4, 11)).toBeCloseTo(0, 5);
  });

  test('has the centre of mass in the middle', () => {
    // An L: a tall bar on the left, a foot to the right.
    const bar = rectangle(60, 40, 30, 200);
    const foot = rectangle(60, 210, 120, 30);
    const picture = pictureOf({ ...bar, ink: bar.ink.map((v, i) => Math.max(v, foot.ink[i]!)) })!;
    let [mass, x, y] = [0, 0, 0];
    picture.forEach((value, i) => {
      mass += value;
      x += value * ((i % 28) + 0.5);
      y += value * (Math.floor(i / 28) + 0.5);
    });
    expect(x / mass).toBeCloseTo(14, 1);
    expect(y / mass).toBeCloseTo(14, 1);
  });

  test('is antialiased', () => {
    const picture = pictureOf(rectangle(0, 0, 201, 190))!;
    expect(picture.some((value) => value > 0.05 && value < 0.95)).toBe(true);
  });

  test('keeps all ink inside when the mass is far from the middle', () => {
    const block = rectangle(200, 200, 60, 60);
    const hair = rectangle(20, 20, 1, 240);
    const ink = block.ink.map((v, i) => Math.max(v, hair.ink[i]!));
    const picture = pictureOf({ ...block, ink })!;
    const drawn = ink.reduce((a, b) => a + b) / (240 / 20) ** 2;
    expect(picture.reduce((a, b) => a + b)).toBeCloseTo(drawn, 2);
  });
});
