/**
 * From a stroke's few points to a fine polyline: a Catmull–Rom spline, which goes through its points, interrupted at
 * corners. Only sums and products, so that every engine gets the same digits to the last bit.
 */

/** Pieces of the polyline between two points of a stroke. */
const PIECES = 8;

/**
 * The polyline of a stroke.
 *
 * @param points - x and y of each point in turn
 * @param corners - whether the curve turns sharply at each point
 * @returns x and y of each point of the polyline in turn
 */
export function smooth(points: Float64Array, corners: readonly boolean[]): Float64Array {
  const count = points.length / 2;
  const line = new Float64Array(2 * ((count - 1) * PIECES + 1));
  let at = 0;
  for (let i = 0; i < count - 1; i++) {
    // At an end or a corner the curve leaves in the direction of the next point.
    const before = i === 0 || corners[i] ? i : i - 1;
    const after = i + 2 >= count || corners[i + 1] ? i + 1 : i + 2;
    for (let piece = 0; piece < PIECES; piece++) {
      const t = piece / PIECES;
      line[at++] = spline(points[2 * before]!, points[2 * i]!, points[2 * i + 2]!, points[2 * after]!, t);
      line[at++] = spline(points[2 * before + 1]!, points[2 * i + 1]!, points[2 * i + 3]!, points[2 * after + 1]!, t);
    }
  }
  line[at++] = points[2 * count - 2]!;
  line[at] = points[2 * count - 1]!;
  return line;
}

/** The uniform Catmull–Rom spline between b (t = 0) and c (t = 1), with a before and d after them. */
function spline(a: number, b: number, c: number, d: number, t: number): number {
  return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
}
