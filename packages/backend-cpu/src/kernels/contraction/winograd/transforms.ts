/*
 * F(4×4, 3×3) and F(2×2, 3×3), Winograd's minimal algorithm for a 3×3 filter and 4×4 or 2×2 outputs (Lavin & Gray 2015):
 *
 *   Y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A,   36 multiplications where there were 144, or 16 where there were 36,
 *
 * with d the 6×6 or 4×4 elements of the image under them. Rows of Bᵀ, rows of G and columns of Aᵀ belong to the points at which
 * two polynomials are evaluated, multiplied and interpolated: 0, ±a, ±b and infinity. With b(x) the product of x − p over the
 * five finite points, the row of Bᵀ of a point p is b(x) / (x − p), that of G is (1, p, p²) / b'(p), the column of Aᵀ is
 * (1, p, p², p³); the rows of infinity are b(x), (0, 0, 1) and (0, 0, 0, 1).
 *
 * The points decide the errors, for powers of them cancel each other. With a = 3/4 and b = 3/2, whose powers f32 holds exactly, the
 * error in |y| / Σ|g·d| is 5e-8 in the mean and 1e-6 at most, where a plain sum in f32 has 2e-8 and 3e-7; with 1 and 2, as is
 * usual, it is 8e-8 and 3e-6. Of elements that are all positive, it is below that of a plain sum.
 */

/** A value as a sum of factors times values before it. */
export type Sum = readonly Term[];
type Term = readonly [value: number, factor: number];

const sum = (...terms: Term[]): Sum => terms;

/** A linear map in steps. Values are numbered: inputs first, then sums. */
export interface Transform {
  readonly inputs: number;
  readonly sums: readonly Sum[];
  /** The values that are its result. */
  readonly results: readonly number[];
}

/** A tile of outputs, and the maps to and from the places where image and filter are multiplied. */
export interface Tile {
  /** Outputs along an axis. */
  readonly size: 2 | 4;
  /** Elements of the image under them along an axis, and places. */
  readonly reach: 4 | 6;
  readonly places: number;
  /** Bᵀ, G and Aᵀ along an axis. */
  readonly image: Transform;
  readonly filter: Transform;
  readonly output: Transform;
}

const [a, b] = [0.75, 1.5];
const [a2, b2] = [a * a, b * b];

/** Bᵀ: from 6 elements of the image to 6 places. Points p and −p share the even and the odd part of their rows. */
const imageTransform: Transform = {
  inputs: 6,
  sums: [
    sum([4, 1], [2, -b2]),
    sum([3, a], [1, -a * b2]),
    sum([4, 1], [2, -a2]),
    sum([3, b], [1, -b * a2]),
    sum([4, 1], [2, -a2 - b2], [0, a2 * b2]),
    sum([6, 1], [7, 1]),
    sum([6, 1], [7, -1]),
    sum([8, 1], [9, 1]),
    sum([8, 1], [9, -1]),
    sum([5, 1], [3, -a2 - b2], [1, a2 * b2]),
  ],
  results: [10, 11, 12, 13, 14, 15],
};

/** b'(p) of ±a and of ±b. */
const [slopeA, slopeB] = [2 * a2 * (a2 - b2), 2 * b2 * (b2 - a2)];

/** G: from 3 elements of a filter to 6 places. */
const filterTransform: Transform = {
  inputs: 3,
  sums: [
    sum([0, 1 / slopeA], [2, a2 / slopeA]),
    sum([1, a / slopeA]),
    sum([0, 1 / slopeB], [2, b2 / slopeB]),
    sum([1, b / slopeB]),
    sum([0, 1 / (a2 * b2)]),
    sum([3, 1], [4, 1]),
    sum([3, 1], [4, -1]),
    sum([5, 1], [6, 1]),
    sum([5, 1], [6, -1]),
  ],
  results: [7, 8, 9, 10, 11, 2],
};

/** Aᵀ: from 6 places to 4 outputs. */
const outputTransform: Transform = {
  inputs: 6,
  sums: [
    sum([1, 1], [2, 1]),
    sum([1, 1], [2, -1]),
    sum([3, 1], [4, 1]),
    sum([3, 1], [4, -1]),
    sum([0, 1], [6, 1], [8, 1]),
    sum([7, a], [9, b]),
    sum([6, a2], [8, b2]),
    sum([5, 1], [7, a * a2], [9, b * b2]),
  ],
  results: [10, 11, 12, 13],
};

/** F(4×4, 3×3). */
export const tile4: Tile = {
  ...{ size: 4, reach: 6, places: 36 },
  ...{ image: imageTransform, filter: filterTransform, output: outputTransform },
};

/** F(2×2, 3×3), at the points 0, ±1 and infinity. */
export const tile2: Tile = {
  ...{ size: 2, reach: 4, places: 16 },
  image: {
    inputs: 4,
    sums: [sum([0, 1], [2, -1]), sum([1, 1], [2, 1]), sum([2, 1], [1, -1]), sum([3, 1], [1, -1])],
    results: [4, 5, 6, 7],
  },
  filter: {
    inputs: 3,
    sums: [sum([0, 0.5], [2, 0.5]), sum([3, 1], [1, 0.5]), sum([3, 1], [1, -0.5])],
    results: [0, 4, 5, 2],
  },
  output: {
    inputs: 4,
    sums: [sum([1, 1], [2, 1]), sum([1, 1], [2, -1]), sum([4, 1], [0, 1]), sum([5, 1], [3, 1])],
    results: [6, 7],
  },
};
