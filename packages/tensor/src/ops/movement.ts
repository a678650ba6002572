/**
 * Movement: reshape, permute, expand, slice, pad and concat. None of them copies: each is a function from output indices
 * to input indices, and the scheduler folds chains of them into the addresses of a kernel.
 */
import type { DType } from '../dtype';
import { DTypeError, ShapeError, ValueError } from '../errors';
import type { Node, Start } from '../graph/node';
import { checkAxis, checkShape, type Shape, sameShape, showShape, sizeOf } from '../shape';
import { record } from './record';

/** The same elements in row-major order under another shape; one size may be −1 and follows from the rest. */
export function reshape(x: Node, shape: Shape): Node {
  const wanted = inferSize(x, shape);
  if (sizeOf(wanted) !== sizeOf(x.shape)) {
    throw new ShapeError(
      `reshape: ${showShape(x.shape)} has ${sizeOf(x.shape)} elements, but ${showShape(shape)} has ${sizeOf(wanted)}. Use −1 for one size to let it follow.`,
    );
  }
  return sameShape(wanted, x.shape) ? x : record('reshape', [x], { shape: wanted }, wanted, x.dtype);
}

function inferSize(x: Node, shape: Shape): Shape {
  const open = shape.indexOf(-1);
  if (open < 0) return checkShape('reshape', shape);
  const known = shape.reduce((size, n, i) => (i === open ? size : size * n), 1);
  const size = sizeOf(x.shape);
  if (shape.lastIndexOf(-1) !== open || known === 0 || size % known !== 0) {
    throw new ShapeError(
      `reshape: ${showShape(x.shape)} has ${size} elements, which ${showShape(shape)} cannot hold. Only one size may be −1, and the others must divide ${size}.`,
    );
  }
  return checkShape(
    'reshape',
    shape.map((n, i) => (i === open ? size / known : n)),
  );
}

/** Axis i of the result is axis axes[i] of x. */
export function permute(x: Node, axes: readonly number[]): Node {
  const order = axes.map((a) => checkAxis('permute', a, x.shape.length));
  if (order.length !== x.shape.length || new Set(order).size !== order.length) {
    throw new ShapeError(
      `permute: ${showShape(axes)} is not an order of the ${x.shape.length} axes of ${showShape(x.shape)}. Name each axis once.`,
    );
  }
  if (order.every((a, i) => a === i)) return x;
  return record(
    'permute',
    [x],
    { axes: order },
    order.map((a) => x.shape[a]!),
    x.dtype,
  );
}

/** Stretches axes of size 1, and adds axes in front, so that x has the given shape. */
export function broadcastTo(x: Node, shape: Shape): Node {
  if (sameShape(x.shape, shape)) return x;
  const added = shape.length - x.shape.length;
  const fits = added >= 0 && x.shape.every((n, i) => n === 1 || n === shape[i + added]);
  if (!fits)
    throw new ShapeError(
      `expand: ${showShape(x.shape)} does not stretch to ${showShape(shape)}. Only axes of size 1 stretch, and new axes come in front.`,
    );
  const wide = added === 0 ? x : reshape(x, [...new Array<number>(added).fill(1), ...x.shape]);
  return sameShape(wide.shape, shape) ? wide : record('expand', [wide], { shape }, shape, x.dtype);
}

/** A start of a slice or pad: a number, or an integer scalar that is read when the kernel runs. */
export type StartOperand = number | Node;

function runtimeStarts(
  operation: string,
  x: Node,
  starts: readonly StartOperand[],
): { sources: Node[]; starts: Start[] } {
  const sources = [x];
  const places = starts.map((s): Start => {
    if (typeof s === 'number') return s;
    if (s.dtype !== 'i32' || sizeOf(s.shape) !== 1) {
      throw new DTypeError(
        `${operation}: a run-time start is one i32, but got ${s.dtype} ${showShape(s.shape)}. Use cast('i32') and reshape([]).`,
      );
    }
    sources.push(reshape(s, []));
    return { source: sources.length - 1 };
  });
  return { sources, starts: places };
}

/** out[i] = x[start + i·step] along each axis. A run-time start is clamped so that the slice stays inside. */
export function slice(
  x: Node,
  starts: readonly StartOperand[],
  sizes: Shape,
  steps: readonly number[] = sizes.map(() => 1),
): Node {
  const rank = x.shape.length;
  if (starts.length !== rank || sizes.length !== rank || steps.length !== rank) {
    throw new ShapeError(
      `slice: ${starts.length} starts, ${sizes.length} sizes and ${steps.length} steps for the ${rank} axes of ${showShape(x.shape)}. Give one of each an axis.`,
    );
  }
  checkShape('slice', sizes);
  for (let i = 0; i < rank; i++) checkRange(x, i, starts[i]!, sizes[i]!, steps[i]!);
  const whole = starts.every((s, i) => s === 0 && sizes[i] === x.shape[i] && steps[i] === 1);
  if (whole) return x;
  const run = runtimeStarts('slice', x, starts);
  return record('slice', run.sources, { starts: run.starts, sizes, steps }, sizes, x.dtype);
}

function checkRange(x: Node, axis: number, start: StartOperand, size: number, step: number): void {
  if (!Number.isInteger(step) || step === 0)
    throw new ValueError(`slice: step ${step} along axis ${axis}. A step is a whole number other than 0.`);
  const reach = (size - 1) * step;
  if (typeof start !== 'number') {
    if (Math.abs(reach) >= x.shape[axis]! && size > 0) {
      throw new ShapeError(
        `slice: ${size} elements with step ${step} do not fit into axis ${axis} of ${showShape(x.shape)}.`,
      );
    }
    return;
  }
  const last = start + reach;
  if (size > 0 && (start < 0 || start >= x.shape[axis]! || last < 0 || last >= x.shape[axis]!)) {
    throw new ShapeError(
      `slice: elements ${start} to ${last} along axis ${axis}, but ${showShape(x.shape)} has ${x.shape[axis]} there.`,
    );
  }
}

export interface PadOptions {
  readonly interior?: readonly number[];
  readonly value?: number;
}

/** Adds `low` before, `high` after (negative crops) and `interior` between the elements of each axis, filled with `value`. */
export function pad(
  x: Node,
  low: readonly number[],
  high: readonly number[],
  { interior = low.map(() => 0), value = 0 }: PadOptions = {},
): Node {
  const rank = x.shape.length;
  if (low.length !== rank || high.length !== rank || interior.length !== rank) {
    throw new ShapeError(
      `pad: ${low.length} and ${high.length} amounts for the ${rank} axes of ${showShape(x.shape)}. Give one of each an axis.`,
    );
  }
  const sizes = x.shape.map((n, i) => low[i]! + high[i]! + n + Math.max(n - 1, 0) * interior[i]!);
  if (sizes.some((n) => n < 0))
    throw new ShapeError(
      `pad: ${showShape(x.shape)} cropped by ${showShape(low)} and ${showShape(high)} leaves ${showShape(sizes)}. Crop less.`,
    );
  if (low.every((n) => n === 0) && high.every((n) => n === 0) && interior.every((n) => n === 0)) return x;
  return record('pad', [x], { low, high, interior, value, sizes }, sizes, x.dtype);
}

function checkPlace(x: Node, starts: readonly StartOperand[], sizes: Shape): void {
  const fits =
    starts.length === x.shape.length &&
    sizes.length === x.shape.length &&
    x.shape.every((n, i) => {
      const start = typeof starts[i] === 'number' ? (starts[i] as number) : 0;
      return start >= 0 && start + n <= sizes[i]!;
    });
  if (fits) return;
  const at = starts.map((s) => (typeof s === 'number' ? s : '?'));
  throw new ShapeError(
    `place: ${showShape(x.shape)} at [${at.join(', ')}] does not lie within ${showShape(sizes)}. Start earlier, or use pad, which crops.`,
  );
}

/** x placed into a field of `value` of the given sizes, at starts that may be read when the kernel runs. */
export function place(x: Node, starts: readonly StartOperand[], sizes: Shape, value = 0): Node {
  checkPlace(x, starts, sizes);
  const run = runtimeStarts('place', x, starts);
  const high = sizes.map((n, i) => (typeof starts[i] === 'number' ? n - (starts[i] as number) - x.shape[i]! : 0));
  return record(
    'pad',
    run.sources,
    { low: run.starts, high, interior: sizes.map(() => 0), value, sizes },
    sizes,
    x.dtype,
  );
}

/** Joins tensors of one dtype along an axis; all other sizes agree. */
export function concat(parts: readonly Node[], axis: number): Node {
  const first = parts[0];
  if (first === undefined) throw new ValueError('concat: no tensors were given. Give at least one.');
  const at = checkAxis('concat', axis, first.shape.length);
  let size = 0;
  for (const p of parts) {
    if (p.shape.length !== first.shape.length || p.shape.some((n, i) => i !== at && n !== first.shape[i])) {
      throw new ShapeError(
        `concat: ${showShape(first.shape)} and ${showShape(p.shape)} differ beside axis ${at}. Only the joined axis may differ.`,
      );
    }
    size += p.shape[at]!;
  }
  const dtype: DType = first.dtype;
  if (parts.length === 1) return first;
  return record(
    'concat',
    parts,
    { axis: at },
    first.shape.map((n, i) => (i === at ? size : n)),
    dtype,
  );
}
