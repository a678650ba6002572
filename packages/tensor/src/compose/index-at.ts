/**
 * Indexing as in NumPy: `x.at(0, ':', '1:3', '...', null, ids)`. Numbers take one element and drop the axis, ranges are
 * `start:stop:step`, `...` stands for all axes not named, `null` adds an axis, and one tensor of indices takes slices.
 */
import { ShapeError, ValueError } from '../errors';
import { showShape, sizeOf } from '../shape';
import type { Tensor, TensorLike } from '../tensor';

type End = number | '';
/** `start:stop` or `start:stop:step`, each of them open if empty. */
export type Range = `${End}:${End}` | `${End}:${End}:${End}`;
export type IndexPart = number | Range | '...' | null | Tensor;

interface Plan {
  readonly starts: number[];
  readonly sizes: number[];
  readonly steps: number[];
  /** The shape after the slice: dropped and added axes applied. */
  readonly shape: number[];
  /** The one tensor of indices, and its axis in `shape`. */
  taken: { readonly indices: Tensor; readonly axis: number } | null;
}

/** The elements from start to stop of an axis of n, counted as Python does. */
export function parseRange(text: string, n: number): { start: number; size: number; step: number } {
  const parts = text.split(':');
  const number = (s: string | undefined): number | undefined => (s === undefined || s === '' ? undefined : Number(s));
  const [a, b, c] = [number(parts[0]), number(parts[1]), number(parts[2])];
  const step = c ?? 1;
  if (
    parts.length < 2 ||
    parts.length > 3 ||
    [a, b, c].some((x) => x !== undefined && !Number.isInteger(x)) ||
    step === 0
  ) {
    throw new ValueError(
      `at: '${text}' is not a range. Write start:stop or start:stop:step, as in '1:3', ':' or '::-1'.`,
    );
  }
  const limit = (x: number): number => Math.min(Math.max(x < 0 ? x + n : x, step < 0 ? -1 : 0), step < 0 ? n - 1 : n);
  const start = a === undefined ? (step < 0 ? n - 1 : 0) : limit(a);
  const stop = b === undefined ? (step < 0 ? -1 : n) : limit(b);
  return { start, size: Math.max(0, Math.ceil((stop - start) / step)), step };
}

function plan(x: Tensor, given: readonly IndexPart[]): Plan {
  const named = given.filter((p) => p !== null && p !== '...').length;
  if (named > x.rank)
    throw new ShapeError(
      `at: ${named} indices for the ${x.rank} axes of ${showShape(x.shape)}. Name at most one an axis.`,
    );
  if (given.filter((p) => p === '...').length > 1)
    throw new ValueError("at: '...' is given twice. It stands for all axes that are not named.");
  const rest = new Array<IndexPart>(x.rank - named).fill(':');
  const parts = given.includes('...') ? given.flatMap((p) => (p === '...' ? rest : [p])) : [...given, ...rest];
  const made: Plan = { starts: [], sizes: [], steps: [], shape: [], taken: null };
  for (const part of parts) addPart(x, part, made);
  return made;
}

function addPart(x: Tensor, part: IndexPart, made: Plan): void {
  if (part === null) {
    made.shape.push(1);
    return;
  }
  const axis = made.starts.length;
  const n = x.shape[axis]!;
  if (typeof part === 'number') {
    made.starts.push(checkIndex(x, part, axis));
    made.sizes.push(1);
    made.steps.push(1);
  } else if (typeof part === 'string') {
    const range = parseRange(part, n);
    made.starts.push(range.size === 0 ? 0 : range.start);
    made.sizes.push(range.size);
    made.steps.push(range.step);
    made.shape.push(range.size);
  } else {
    if (made.taken) throw new ValueError('at: two tensors of indices are given. Use gather, or index in two steps.');
    made.taken = { indices: part, axis: made.shape.length };
    made.starts.push(0);
    made.sizes.push(n);
    made.steps.push(1);
    made.shape.push(n);
  }
}

function checkIndex(x: Tensor, index: number, axis: number): number {
  const n = x.shape[axis]!;
  if (!Number.isInteger(index) || index < -n || index >= n) {
    throw new ShapeError(
      `at: index ${index} is out of range for axis ${axis} of ${showShape(x.shape)}. Use ${-n} to ${n - 1}.`,
    );
  }
  return index < 0 ? index + n : index;
}

export function at(x: Tensor, parts: readonly IndexPart[]): Tensor {
  const { starts, sizes, steps, shape, taken } = plan(x, parts);
  const sliced = x.slice(starts, sizes, steps).reshape(shape);
  return taken ? sliced.take(taken.axis, taken.indices) : sliced;
}

/** x with the indexed region replaced: the value is placed into a field of zeros, and chosen where a field of ones says so. */
export function withValue(x: Tensor, parts: readonly IndexPart[], value: TensorLike): Tensor {
  const { starts, sizes, steps, shape, taken } = plan(x, parts);
  if (taken) throw new ValueError('with: a tensor of indices is given. Use scatter.');
  if (sizeOf(sizes) === 0) return x;
  const region = x.slice(starts, sizes, steps).reshape(shape);
  const ones = region.eq(region).or(region.ne(region));
  const filled = ones.where(value, region);
  const backwards = steps.flatMap((s, i) => (s < 0 ? [i] : []));
  const placed = (t: Tensor): Tensor => spread(t.reshape(sizes).flip(backwards), x, starts, sizes, steps);
  return placed(ones).where(placed(filled), x);
}

function spread(
  t: Tensor,
  x: Tensor,
  starts: readonly number[],
  sizes: readonly number[],
  steps: readonly number[],
): Tensor {
  const low = starts.map((s, i) => (steps[i]! < 0 ? s + (sizes[i]! - 1) * steps[i]! : s));
  const interior = steps.map((s) => Math.abs(s) - 1);
  const high = x.shape.map((n, i) => n - low[i]! - sizes[i]! - (sizes[i]! - 1) * interior[i]!);
  return t.pad(low, high, { interior });
}
