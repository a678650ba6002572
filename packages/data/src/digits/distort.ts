/**
 * What makes two copies of one style differ: each point moves a little, the sheet that it is written on is warped
 * smoothly, and the whole is slanted, turned and stretched. Only sums, products and square roots, so that every
 * engine gets the same digits to the last bit.
 */
import type { RandomStream } from '../random';

/** A number of about the normal distribution, mean 0 and deviation 1, between −3.5 and 3.5: the sum of four bytes. */
export function bell(random: RandomStream): number {
  const bits = random.uint32();
  const sum = (bits & 255) + ((bits >>> 8) & 255) + ((bits >>> 16) & 255) + (bits >>> 24);
  return (sum - 510) / 147.8;
}

/** Cells along one side of the grid that a warp is given on. */
const CELLS = 4;

/**
 * A smooth random displacement of the plane (an elastic distortion): random shifts at the corners of a coarse grid,
 * interpolated in between.
 *
 * @see Simard, Steinkraus & Platt 2003, "Best practices for convolutional neural networks", section 2
 */
export class Warp {
  private readonly shifts = new Float64Array(2 * (CELLS + 1) * (CELLS + 1));

  /** Draws a new displacement; `strength` is the deviation of the shifts, in units of the digit's height. */
  draw(random: RandomStream, strength: number): void {
    for (let i = 0; i < this.shifts.length; i++) this.shifts[i] = strength * bell(random);
  }

  /** Displaces points (x and y in turn) in place. The grid spans −0.25 … 1.25. */
  apply(points: Float64Array): void {
    for (let i = 0; i < points.length; i += 2) {
      const gx = gridPlace(points[i]!);
      const gy = gridPlace(points[i + 1]!);
      const column = Math.floor(gx);
      const row = Math.floor(gy);
      const u = ease(gx - column);
      const v = ease(gy - row);
      const corner = 2 * (row * (CELLS + 1) + column);
      points[i]! += this.blend(corner, u, v);
      points[i + 1]! += this.blend(corner + 1, u, v);
    }
  }

  private blend(corner: number, u: number, v: number): number {
    const below = corner + 2 * (CELLS + 1);
    const { shifts } = this;
    const upper = shifts[corner]! + u * (shifts[corner + 2]! - shifts[corner]!);
    const lower = shifts[below]! + u * (shifts[below + 2]! - shifts[below]!);
    return upper + v * (lower - upper);
  }
}

const gridPlace = (x: number): number => Math.min(Math.max(((x + 0.25) / 1.5) * CELLS, 0), CELLS - 1e-9);

/** From 0 to 1 with slope 0 at both ends, so that the displacement has no kinks. */
const ease = (t: number): number => t * t * (3 - 2 * t);

/** How a digit lies on the sheet. */
export interface Lie {
  /** How far the top is to the right of the bottom, in units of the height. */
  readonly slant: number;
  /** tan of half the angle of rotation, clockwise. */
  readonly halfTurn: number;
  /** Width in relation to height, 1 as drawn. */
  readonly width: number;
}

/** Slants, stretches and turns points (x and y in turn) in place, about the middle of the box. */
export function lay(points: Float64Array, lie: Lie): void {
  // cos and sin from the half angle's tangent: exact arithmetic where Math.sin may differ between engines.
  const scale = 1 / (1 + lie.halfTurn * lie.halfTurn);
  const cos = (1 - lie.halfTurn * lie.halfTurn) * scale;
  const sin = 2 * lie.halfTurn * scale;
  for (let i = 0; i < points.length; i += 2) {
    const y = points[i + 1]! - 0.5;
    const x = (points[i]! - 0.5) * lie.width - y * lie.slant;
    points[i] = x * cos - y * sin;
    points[i + 1] = x * sin + y * cos;
  }
}
