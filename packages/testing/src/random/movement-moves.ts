/** Moves that add movement operations: chains of them are what index expressions have to get right. */
import { type Shape, type Start, sizeOf } from '@dl/tensor';
import { type Builder, type Draws, maxSize } from './builder';
import type { Move } from './moves';

const anyNode = (builder: Builder, draws: Draws): number => draws.pickRecent(builder.candidates(() => true));

/** Another shape of as many elements. */
function otherShape(shape: Shape, draws: Draws): Shape {
  const axis = draws.below(shape.length);
  switch (draws.below(4)) {
    case 0:
      return [sizeOf(shape)];
    case 1:
      return [...shape.slice(0, axis), 1, ...shape.slice(axis)];
    case 2: {
      if (shape.length < 2) return [1, ...shape];
      const at = draws.below(shape.length - 1);
      return [...shape.slice(0, at), shape[at]! * shape[at + 1]!, ...shape.slice(at + 2)];
    }
    default: {
      const n = shape[axis] ?? 1;
      const factor = [2, 3].find((f) => n % f === 0 && n > 0) ?? 1;
      return [...shape.slice(0, axis), n / factor, factor, ...shape.slice(axis + 1)];
    }
  }
}

const reshape: Move = (builder, draws) => {
  const x = anyNode(builder, draws);
  const shape = otherShape(builder.shape(x), draws);
  if (shape.length <= 5) builder.reshape(x, shape);
};

const permute: Move = (builder, draws) => {
  const x = anyNode(builder, draws);
  const rest = builder.shape(x).map((_, axis) => axis);
  const axes: number[] = [];
  while (rest.length > 0) axes.push(rest.splice(draws.below(rest.length), 1)[0]!);
  const shape = axes.map((axis) => builder.shape(x)[axis]!);
  builder.add('permute', [x], { axes }, shape, builder.dtype(x));
};

const expand: Move = (builder, draws) => {
  const x = anyNode(builder, draws);
  const widened = builder.shape(x).map((n) => (n === 1 ? draws.pick([3, 1, 2, 5]) : n));
  const shape = draws.oneIn(2) && widened.length < 4 ? [draws.pick([2, 3]), ...widened] : widened;
  if (sizeOf(shape) <= maxSize) builder.broadcast(x, shape);
};

/** An i32 scalar: a leaf, out of range now and then, for a run-time start is clamped. */
const runtimeScalar = (builder: Builder, draws: Draws): number =>
  builder.leaf([], 'i32', [draws.pick([1, 0, 2, -3, 9])]);

const slice: Move = (builder, draws) => {
  const x = anyNode(builder, draws);
  const shape = builder.shape(x);
  const sources = [x];
  const starts: Start[] = [];
  const args: number[] = [];
  const [taken, steps]: [number[], number[]] = [[], []];
  for (const n of shape) {
    const step = draws.pick([1, 1, -1, 2, -2]);
    const most = Math.ceil(n / Math.abs(step));
    const size = n === 0 ? 0 : 1 + draws.below(most);
    const reach = (Math.max(size, 1) - 1) * step;
    const first = Math.max(0, -reach);
    const room = Math.max(1, n - Math.abs(reach));
    taken.push(size);
    steps.push(step);
    if (draws.oneIn(5)) {
      sources.push(runtimeScalar(builder, draws));
      starts.push({ source: sources.length - 1 });
      continue;
    }
    const start = n === 0 ? 0 : first + draws.below(room);
    starts.push(start);
    args.push(builder.argument(start));
  }
  builder.addWithArgs('slice', sources, { starts, sizes: taken, steps }, taken, builder.dtype(x), args);
};

const pad: Move = (builder, draws) => {
  const x = anyNode(builder, draws);
  const shape = builder.shape(x);
  const low = shape.map((n) => Math.max(draws.pick([0, 1, 2, -1]), -n));
  const interior = shape.map(() => draws.pick([0, 0, 1]));
  const spread = shape.map((n, axis) => n + Math.max(n - 1, 0) * interior[axis]!);
  const high = spread.map((n, axis) => Math.max(draws.pick([0, 1, -1, 2]), -(n + low[axis]!)));
  const sizes = spread.map((n, axis) => n + low[axis]! + high[axis]!);
  if (sizeOf(sizes) > maxSize) return;
  const value = draws.pick([0, 0, 1]);
  builder.add('pad', [x], { low, high, interior, value, sizes }, sizes, builder.dtype(x));
};

/** A pad whose place is read when the kernel runs. */
const place: Move = (builder, draws) => {
  const x = anyNode(builder, draws);
  const shape = builder.shape(x);
  if (shape.length === 0) return;
  const axis = draws.below(shape.length);
  const sizes = shape.with(axis, shape[axis]! + 2);
  if (sizeOf(sizes) > maxSize) return;
  const start = runtimeScalar(builder, draws);
  const low: Start[] = shape.map((_, i) => (i === axis ? { source: 1 } : 0));
  const none = shape.map(() => 0);
  builder.add('pad', [x, start], { low, high: none, interior: none, value: 0, sizes }, sizes, builder.dtype(x));
};

export const movementMoves: readonly Move[] = [reshape, permute, expand, slice, pad, slice, pad, place];
