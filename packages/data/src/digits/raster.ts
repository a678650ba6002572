/**
 * From lines to pixels, in the way of MNIST: the digit fills a box of 20 × 20 pixels, and its centre of mass is put
 * into the middle of 28 × 28. Coverage follows from the distance of a pixel's centre to the line, so edges are smooth.
 */

/** Width and height of a picture. */
export const SIDE = 28;
/** Width and height of the box that a digit is scaled to, beyond which it has no ink. */
const BOX = 20;

/** The pen that a digit is written with. */
export interface Pen {
  /** Half the width of a line, in pixels. */
  readonly radius: number;
  /** The width of the edge that falls from ink to paper, in pixels. */
  readonly softness: number;
  /** How much the pen widens along each line, as a fraction of the radius: −0.3 … 0.3. */
  readonly swell: number;
}

/** Draws digits; keeps its box between calls. */
export class Rasterizer {
  private readonly box = new Float64Array(BOX * BOX);

  /**
   * Draws lines as one digit.
   *
   * @param lines - polylines, x and y of each point in turn, y downwards, of any size and place
   * @param into - coverage 0 … 1 is written to elements 0 … 28·28 − 1
   */
  draw(lines: readonly Float64Array[], pen: Pen, into: Float64Array): void {
    this.box.fill(0);
    const { scale, x, y } = fit(lines, pen);
    for (const line of lines) {
      const last = Math.max(line.length - 2, 1);
      for (let i = 0; i + 3 < line.length; i += 2) {
        const radius = pen.radius * (1 + pen.swell * ((2 * i) / last - 1));
        this.segment(
          (line[i]! - x) * scale + BOX / 2,
          (line[i + 1]! - y) * scale + BOX / 2,
          (line[i + 2]! - x) * scale + BOX / 2,
          (line[i + 3]! - y) * scale + BOX / 2,
          radius + pen.softness / 2,
          pen.softness,
        );
      }
    }
    this.centre(into);
  }

  /** Raises each pixel near the segment from (ax, ay) to (bx, by) to its coverage; `reach` is where the edge ends. */
  private segment(ax: number, ay: number, bx: number, by: number, reach: number, softness: number): void {
    const dx = bx - ax;
    const dy = by - ay;
    const perLength = 1 / (dx * dx + dy * dy + 1e-12);
    // A pixel's centre is at + 0.5.
    const left = Math.max(Math.ceil(Math.min(ax, bx) - reach - 0.5), 0);
    const right = Math.min(Math.floor(Math.max(ax, bx) + reach - 0.5), BOX - 1);
    const top = Math.max(Math.ceil(Math.min(ay, by) - reach - 0.5), 0);
    const bottom = Math.min(Math.floor(Math.max(ay, by) + reach - 0.5), BOX - 1);
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        const px = column + 0.5 - ax;
        const py = row + 0.5 - ay;
        const along = Math.min(Math.max((px * dx + py * dy) * perLength, 0), 1);
        const ex = px - along * dx;
        const ey = py - along * dy;
        const square = ex * ex + ey * ey;
        if (square >= reach * reach) continue;
        const coverage = Math.min((reach - Math.sqrt(square)) / softness, 1);
        const at = row * BOX + column;
        if (coverage > this.box[at]!) this.box[at] = coverage;
      }
    }
  }

  /** Copies the box so that its centre of mass is in the middle, to the nearest pixel. */
  private centre(into: Float64Array): void {
    let mass = 0;
    let massX = 0;
    let massY = 0;
    for (let at = 0; at < this.box.length; at++) {
      const ink = this.box[at]!;
      if (ink === 0) continue;
      mass += ink;
      massX += ink * (at % BOX);
      massY += ink * Math.floor(at / BOX);
    }
    const left = Math.round(massX / mass - SIDE / 2);
    const top = Math.round(massY / mass - SIDE / 2);
    for (let row = 0; row < SIDE; row++) {
      for (let column = 0; column < SIDE; column++) {
        const x = column + left;
        const y = row + top;
        const inside = x >= 0 && x < BOX && y >= 0 && y < BOX;
        into[row * SIDE + column] = inside ? this.box[y * BOX + x]! : 0;
      }
    }
  }
}

/** The scale and centre that make the lines, drawn with the pen, just fill the box. */
function fit(lines: readonly Float64Array[], pen: Pen): { scale: number; x: number; y: number } {
  let left = Infinity;
  let right = -Infinity;
  let top = Infinity;
  let bottom = -Infinity;
  for (const line of lines) {
    for (let i = 0; i < line.length; i += 2) {
      left = Math.min(left, line[i]!);
      right = Math.max(right, line[i]!);
      top = Math.min(top, line[i + 1]!);
      bottom = Math.max(bottom, line[i + 1]!);
    }
  }
  const extent = Math.max(right - left, bottom - top, 1e-6);
  return { scale: (BOX - 2 * pen.radius) / extent, x: (left + right) / 2, y: (top + bottom) / 2 };
}
