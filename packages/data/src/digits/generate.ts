/**
 * Digits that look handwritten, made from nothing but a seed: for tests, for a first run without any file, and as
 * training data that transfers to real digits. This file decides how much digits vary; `glyphs.ts` has the shapes,
 * `distort.ts` the distortions, `raster.ts` the pixels.
 */
import { ValueError } from '@dl/tensor';
import { type DigitDataset, type DigitOptions, digitDataset } from '../mnist';
import { RandomStream } from '../random';
import { smooth } from './curve';
import { bell, lay, Warp } from './distort';
import { GLYPHS, type Style } from './glyphs';
import { type Pen, Rasterizer, SIDE } from './raster';

export interface GenerateDigitsOptions extends DigitOptions {
  /** How many digits; sample i shows the digit i mod 10. */
  readonly count: number;
  /** Digit i is a function of the seed and i alone. Default 0. */
  readonly seed?: number;
  /** How far the digits vary: 0 gives each style as drawn, 1 about as people do. Default 1. */
  readonly variation?: number;
}

/**
 * Makes digits that look handwritten, in the form of MNIST: 28 × 28 bytes, white on black, the centre of mass in the
 * middle, the same dataset as {@link mnist} gives. The same seed gives the same bytes on every machine.
 *
 * @returns `count` samples; batches are `[x, y]`: f32 `[B, 1, 28, 28]` and i32 `[B]`
 * @throws ValueError for a count that is no integer ≥ 0, or a variation that is no number ≥ 0
 *
 * @example
 * const { train, test } = split(generateDigits({ count: 12000, seed: 1 }), { train: 10000, test: 2000 });
 */
export function generateDigits(options: GenerateDigitsOptions): DigitDataset {
  const { count, seed = 0, variation = 1 } = options;
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new ValueError(`generateDigits: count is an integer of at least 0, not ${count}`);
  }
  if (!(variation >= 0 && variation <= 3)) {
    throw new ValueError(`generateDigits: variation is a number from 0 to 3, not ${variation}`);
  }
  const images = new Uint8Array(count * SIDE * SIDE);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 10);
  const writer = new Writer(variation);
  const random = new RandomStream(seed);
  for (let i = 0; i < count; i++) writer.write(i % 10, random.reset(seed, i), images, i * SIDE * SIDE);
  return digitDataset({ data: images, shape: [count, SIDE, SIDE] }, labels, options);
}

/** Writes one digit after the other, keeping its scratch space. */
class Writer {
  private readonly raster = new Rasterizer();
  private readonly coverage = new Float64Array(SIDE * SIDE);
  private readonly warp = new Warp();

  constructor(private readonly variation: number) {}

  write(digit: number, random: RandomStream, into: Uint8Array, offset: number): void {
    const lines = this.lines(pick(GLYPHS[digit]!, random), random);
    this.raster.draw(lines, this.pen(random), this.coverage);
    this.ink(random, into, offset);
  }

  private lines(style: Style, random: RandomStream): Float64Array[] {
    const v = this.variation;
    const looseness = v * (0.014 + 0.02 * random.uniform());
    this.warp.draw(random, v * (0.04 + 0.06 * random.uniform()));
    const lie = {
      slant: v * (0.12 + 0.24 * bell(random)),
      halfTurn: v * 0.05 * bell(random),
      width: Math.max(1 + v * 0.2 * bell(random), 0.45),
    };
    return style.strokes.map(({ points, corners }) => {
      const moved = points.map((value) => value + looseness * bell(random));
      const line = smooth(moved, corners);
      this.warp.apply(line);
      lay(line, lie);
      return line;
    });
  }

  private pen(random: RandomStream): Pen {
    const v = this.variation;
    return {
      radius: Math.min(Math.max(1.22 + v * 0.42 * bell(random), 0.55), 2.7),
      softness: 1.2 + v * 0.25 * random.uniform(-1, 1),
      swell: v * 0.15 * bell(random),
    };
  }

  /** Turns coverage into bytes: the pen's darkness, and a little noise where there is ink. */
  private ink(random: RandomStream, into: Uint8Array, offset: number): void {
    const darkness = 255 * (1 + this.variation * random.uniform(-0.1, 0.25));
    const noise = this.variation * random.uniform(0, 16);
    for (let at = 0; at < SIDE * SIDE; at++) {
      const coverage = this.coverage[at]!;
      if (coverage === 0) continue;
      const value = coverage * darkness + noise * bell(random);
      into[offset + at] = Math.round(Math.min(Math.max(value, 0), 255));
    }
  }
}

/** A style, each as likely as its weight says. */
function pick(styles: readonly Style[], random: RandomStream): Style {
  let left = random.uniform(
    0,
    styles.reduce((sum, style) => sum + style.weight, 0),
  );
  return styles.find((style) => (left -= style.weight) < 0) ?? styles[0]!;
}
