/**
 * A drawing as the network knows digits. MNIST's were made so: scaled, with their proportions, into a box of 20 × 20 pixels,
 * antialiased, and placed with their centre of mass in the middle of 28 × 28 (LeCun et al. 1998, section III.A).
 */

export const side = 28;
const box = 20;
/** Ink fainter than this does not count for the extent. */
const faint = 0.05;

export interface Drawing {
  readonly width: number;
  readonly height: number;
  /** Row by row, from 0 (paper) to 1 (ink). */
  readonly ink: Float32Array;
}

interface Extent {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  /** The centre of mass. */
  readonly x: number;
  readonly y: number;
}

function extentOf({ width, height, ink }: Drawing): Extent | null {
  let [left, top, right, bottom] = [width, height, 0, 0];
  let [mass, sumX, sumY] = [0, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = ink[y * width + x]!;
      if (value < faint) continue;
      left = Math.min(left, x);
      top = Math.min(top, y);
      right = Math.max(right, x + 1);
      bottom = Math.max(bottom, y + 1);
      mass += value;
      sumX += value * (x + 0.5);
      sumY += value * (y + 0.5);
    }
  }
  return mass === 0 ? null : { left, top, right, bottom, x: sumX / mass, y: sumY / mass };
}

/** Where the picture begins in the drawing, along one axis: the mass in the middle, but nothing over the edge. */
function originOf(low: number, high: number, centre: number, pixel: number): number {
  const length = side * pixel;
  return Math.min(Math.max(centre - length / 2, high - length), low);
}

/** Mean ink of a rectangle of the drawing, whose outside is paper. */
function meanInk({ width, height, ink }: Drawing, left: number, top: number, size: number): number {
  let sum = 0;
  for (let y = Math.max(0, Math.floor(top)); y < Math.min(height, top + size); y++) {
    const rows = Math.min(y + 1, top + size) - Math.max(y, top);
    for (let x = Math.max(0, Math.floor(left)); x < Math.min(width, left + size); x++) {
      const columns = Math.min(x + 1, left + size) - Math.max(x, left);
      sum += rows * columns * ink[y * width + x]!;
    }
  }
  return sum / size ** 2;
}

/** The picture of a drawing, 784 values from 0 to 1; null if nothing is drawn. */
export function pictureOf(drawing: Drawing): Float32Array | null {
  const extent = extentOf(drawing);
  if (!extent) return null;
  const { left, top, right, bottom, x, y } = extent;
  const pixel = Math.max(right - left, bottom - top) / box; // of the picture, in those of the drawing
  const originX = originOf(left, right, x, pixel);
  const originY = originOf(top, bottom, y, pixel);
  return Float32Array.from({ length: side * side }, (_, i) =>
    meanInk(drawing, originX + (i % side) * pixel, originY + Math.floor(i / side) * pixel, pixel),
  );
}
