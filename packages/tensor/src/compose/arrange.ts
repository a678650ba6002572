/** Arrangements of parts: narrowing, splitting, flipping and repeating, all of them movement. */
import { ShapeError, ValueError } from '../errors';
import { checkAxes, checkAxis, showShape } from '../shape';
import type { RuntimeStart, Tensor } from '../tensor';

const replaced = <T>(list: readonly T[], at: number, value: T): T[] => list.map((x, i) => (i === at ? value : x));

export function narrow(x: Tensor, axis: number, start: RuntimeStart, length: number): Tensor {
  const at = checkAxis('narrow', axis, x.rank);
  return x.slice(
    replaced<RuntimeStart>(
      x.shape.map(() => 0),
      at,
      start,
    ),
    replaced(x.shape, at, length),
  );
}

export function flip(x: Tensor, axes: number | readonly number[] | undefined): Tensor {
  const over = checkAxes('flip', axes, x.rank);
  if (x.size === 0) return x;
  const starts = x.shape.map((n, i) => (over.includes(i) ? n - 1 : 0));
  return x.slice(
    starts,
    x.shape,
    x.shape.map((_, i) => (over.includes(i) ? -1 : 1)),
  );
}

export function split(x: Tensor, axis: number, size: number | readonly number[]): Tensor[] {
  const at = checkAxis('split', axis, x.rank);
  const sizes = typeof size === 'number' ? equalParts(x.shape[at]!, size) : size;
  const total = sizes.reduce((sum, n) => sum + n, 0);
  if (total !== x.shape[at]) {
    throw new ShapeError(
      `split: sizes ${showShape(sizes)} add up to ${total}, but axis ${at} of ${showShape(x.shape)} has ${x.shape[at]}.`,
    );
  }
  let start = 0;
  return sizes.map((n) => {
    start += n;
    return narrow(x, at, start - n, n);
  });
}

function equalParts(n: number, size: number): number[] {
  if (!Number.isInteger(size) || size < 1)
    throw new ValueError(`split: parts of ${size} elements. A part has at least 1.`);
  const parts = Array.from({ length: Math.ceil(n / size) }, (_, i) => Math.min(size, n - i * size));
  return parts.length === 0 ? [0] : parts;
}

export function chunk(x: Tensor, axis: number, count: number): Tensor[] {
  if (!Number.isInteger(count) || count < 1) throw new ValueError(`chunk: ${count} parts. Ask for at least 1.`);
  const at = checkAxis('chunk', axis, x.rank);
  return split(x, at, Math.max(1, Math.ceil(x.shape[at]! / count)));
}

/** Repeats the whole: [a, b] twice is [a, b, a, b]. More counts than axes add axes in front. */
export function tile(x: Tensor, counts: readonly number[]): Tensor {
  if (counts.length < x.rank)
    throw new ShapeError(
      `tile: ${counts.length} counts for the ${x.rank} axes of ${showShape(x.shape)}. Give at least one an axis.`,
    );
  const shape = [...new Array<number>(counts.length - x.rank).fill(1), ...x.shape];
  const apart = x.reshape(shape.flatMap((n) => [1, n]));
  return apart.expand(shape.flatMap((n, i) => [counts[i]!, n])).reshape(shape.map((n, i) => n * counts[i]!));
}

/** Repeats each element: [a, b] twice is [a, a, b, b]. */
export function repeat(x: Tensor, axis: number, count: number): Tensor {
  const at = checkAxis('repeat', axis, x.rank);
  const apart = x.unsqueeze(at + 1);
  return apart.expand(replaced(apart.shape, at + 1, count)).reshape(replaced(x.shape, at, x.shape[at]! * count));
}

export function stackParts(
  parts: readonly Tensor[],
  axis: number,
  concat: (parts: readonly Tensor[], axis: number) => Tensor,
): Tensor {
  const first = parts[0];
  if (first === undefined) throw new ValueError('stack: no tensors were given. Give at least one.');
  const at = checkAxis('stack', axis, first.rank + 1);
  return concat(
    parts.map((p) => p.unsqueeze(at)),
    at,
  );
}
