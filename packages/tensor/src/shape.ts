/**
 * Shapes: sizes, row-major strides, axes and broadcasting. Pure functions on arrays of numbers; whoever calls says
 * which operation to name in an error.
 */
import { ShapeError } from './errors';

/** The size of each axis; `[]` for a scalar. */
export type Shape = readonly number[];

/** How many elements a shape has; 1 for `[]`. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const n of shape) size *= n;
  return size;
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= shape[i]!;
  }
  return strides;
}

/** Whether two shapes have the same sizes in the same order. */
export function sameShape(a: Shape, b: Shape): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** A shape as messages write it: `[2, 3]`. */
export const showShape = (shape: Shape): string => `[${shape.join(', ')}]`;

/** Checks that a shape given by the user has whole sizes that are not negative. */
export function checkShape(operation: string, shape: Shape): Shape {
  for (const n of shape) {
    if (!Number.isInteger(n) || n < 0) {
      throw new ShapeError(`${operation}: a shape has whole sizes of at least 0, but got ${showShape(shape)}.`);
    }
  }
  return shape;
}

/** An axis counted from the front; a negative one counts from the end. */
export function checkAxis(operation: string, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new ShapeError(`${operation}: axis ${axis} is out of range for rank ${rank}. Use ${-rank} to ${rank - 1}.`);
  }
  return axis < 0 ? axis + rank : axis;
}

/** Axes in rising order; `undefined` means all of them. */
export function checkAxes(operation: string, axes: number | readonly number[] | undefined, rank: number): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, i) => i);
  const list = (typeof axes === 'number' ? [axes] : [...axes]).map((a) => checkAxis(operation, a, rank));
  list.sort((a, b) => a - b);
  for (let i = 1; i < list.length; i++) {
    if (list[i] === list[i - 1]) throw new ShapeError(`${operation}: axis ${list[i]} is given twice.`);
  }
  return list;
}

/**
 * The shape that two operands broadcast to: sizes are matched from the end, and 1 stretches.
 *
 * @throws ShapeError that names the first pair of sizes that differ
 */
export function broadcastShapes(operation: string, a: Shape, b: Shape): Shape {
  if (sameShape(a, b)) return a;
  const rank = Math.max(a.length, b.length);
  const out = new Array<number>(rank);
  for (let i = 1; i <= rank; i++) {
    const m = a[a.length - i] ?? 1;
    const n = b[b.length - i] ?? 1;
    if (m !== n && m !== 1 && n !== 1) {
      throw new ShapeError(
        `${operation}: ${showShape(a)} and ${showShape(b)} do not broadcast (${m} ≠ ${n} at axis ${-i}). Sizes are matched from the end; reshape one operand, or give it an axis of size 1.`,
      );
    }
    out[rank - i] = m === 1 ? n : m;
  }
  return out;
}

/** The shape without the given axes (rising). */
export const withoutAxes = (shape: Shape, axes: readonly number[]): number[] =>
  shape.filter((_, i) => !axes.includes(i));

/** The shape with size 1 at the given axes. */
export const withOnes = (shape: Shape, axes: readonly number[]): number[] =>
  shape.map((n, i) => (axes.includes(i) ? 1 : n));
