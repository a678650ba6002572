/** Moves that add contractions, windows and whatever indexes by data: the operations that start a kernel of their own. */
import { type DType, isFloat, type Shape, sizeOf, type Window } from '@dl/tensor';
import { type Builder, type Draws, maxSize } from './builder';
import type { Move } from './moves';

const numeric: readonly DType[] = ['f32', 'f64', 'f16', 'i32', 'u32'];

const numericNodes = (builder: Builder, minRank: number, maxRank = 5): number[] =>
  builder.candidates((n) => numeric.includes(n.dtype) && n.shape.length >= minRank && n.shape.length <= maxRank);

/** Pairs of axes of equal size, each axis in one pair at most. */
function matchingAxes(a: Shape, b: Shape): [number, number][] {
  const free = new Set(b.map((_, axis) => axis));
  return a.flatMap((n, i) => {
    const j = [...free].find((axis) => b[axis] === n);
    if (j === undefined) return [];
    free.delete(j);
    return [[i, j] as [number, number]];
  });
}

const dot: Move = (builder, draws) => {
  const found = numericNodes(builder, 1);
  if (found.length === 0) return;
  const a = draws.pickRecent(found);
  const b = builder.cast(draws.pick(found), builder.dtype(a));
  const [x, y] = [builder.shape(a), builder.shape(b)];
  const pairs = matchingAxes(x, y);
  const contracted = draws.below(pairs.length + 1);
  const contract = pairs.slice(0, contracted);
  const batch = pairs.slice(contracted).slice(0, draws.below(2));
  const attrs = {
    lhsBatch: batch.map((p) => p[0]),
    rhsBatch: batch.map((p) => p[1]),
    lhsContract: contract.map((p) => p[0]),
    rhsContract: contract.map((p) => p[1]),
  };
  const free = (shape: Shape, used: readonly number[]): number[] => shape.filter((_, axis) => !used.includes(axis));
  const shape = [
    ...batch.map((p) => x[p[0]]!),
    ...free(x, [...attrs.lhsBatch, ...attrs.lhsContract]),
    ...free(y, [...attrs.rhsBatch, ...attrs.rhsContract]),
  ];
  const work = sizeOf(shape) * contract.reduce((n, p) => n * x[p[0]]!, 1);
  if (shape.length <= 5 && work <= 4 * maxSize) builder.add('dot', [a, b], attrs, shape, builder.dtype(a));
};

/** A weight whose kernels are turned round, as a transposed convolution has it; its channels come through a permutation. */
function turned(builder: Builder, weight: number): number {
  const [shape, dtype] = [builder.shape(weight), builder.dtype(weight)];
  const exchange = [1, 0, ...shape.slice(2).map((_, i) => i + 2)];
  const other = exchange.map((axis) => shape[axis]!);
  const there = builder.add('permute', [weight], { axes: exchange }, other, dtype);
  const back = builder.add('permute', [there], { axes: exchange }, shape, dtype);
  const starts = shape.map((n, axis) => (axis < 2 ? 0 : n - 1));
  const attrs = { starts, sizes: shape, steps: shape.map((_, axis) => (axis < 2 ? 1 : -1)) };
  return builder.addWithArgs(
    'slice',
    [back],
    attrs,
    shape,
    dtype,
    starts.map((start) => builder.argument(start)),
  );
}

const convolution: Move = (builder, draws) => {
  const found = numericNodes(builder, 3).filter((i) => builder.shape(i)[1]! > 0);
  if (found.length === 0) return;
  const x = draws.pickRecent(found);
  const [n, channels, ...plane] = builder.shape(x) as [number, number, ...number[]];
  const groups = draws.oneIn(3) ? channels : 1;
  const outputs = groups * draws.pick([1, 2]);
  const kernel = plane.map(() => draws.pick([2, 1, 3]));
  const weightShape = [outputs, channels / groups, ...kernel];
  const spec = {
    stride: plane.map(() => draws.pick([1, 2])),
    padding: plane.map(() => [draws.pick([0, 1, 2, -1]), draws.pick([0, 1, -1])] as const),
    lhsDilation: plane.map(() => draws.pick([1, 1, 2])),
    rhsDilation: plane.map(() => draws.pick([1, 1, 2])),
    groups,
  };
  const out = plane.map((size, i) => {
    const data =
      Math.max(size - 1, 0) * spec.lhsDilation[i]! + Math.min(size, 1) + spec.padding[i]![0] + spec.padding[i]![1];
    return Math.floor((data - (kernel[i]! - 1) * spec.rhsDilation[i]! - 1) / spec.stride[i]!) + 1;
  });
  const shape = [n, outputs, ...out];
  if (out.some((size) => size < 0) || sizeOf(shape) * sizeOf(weightShape.slice(1)) > 4 * maxSize) return;
  const same = builder.candidates(
    (node) => node.dtype === builder.dtype(x) && String(node.shape) === String(weightShape),
  );
  const weight = same.length > 0 ? draws.pick(same) : builder.smallLeaf(weightShape, builder.dtype(x), draws.below(50));
  const kernelView = draws.oneIn(2) ? turned(builder, weight) : weight;
  builder.add('convolution', [x, kernelView], spec, shape, builder.dtype(x));
};

const window: Move = (builder, draws) => {
  const found = builder.candidates((node) => isFloat(node.dtype) && node.shape.length > 0);
  if (found.length === 0) return;
  const x = draws.pickRecent(found);
  const shape = builder.shape(x);
  const rank = Math.min(shape.length, draws.pick([1, 2]));
  const plane = shape.slice(shape.length - rank);
  const op = draws.pick(['window_sum', 'window_max', 'window_argmax'] as const);
  // A window of padding alone has no largest element, so where there are indices each window reaches an element.
  const reaching = op === 'window_argmax';
  const spec: Window = {
    size: plane.map(() => draws.pick(reaching ? [2, 3] : [2, 1, 3])),
    stride: plane.map(() => draws.pick([1, 2])),
    dilation: plane.map(() => draws.pick(reaching ? [1] : [1, 1, 2])),
    padding: plane.map(() => [draws.pick([0, 1]), draws.pick([0, 1])] as const),
  };
  const counts = plane.map((n, i) => {
    const padded = n + spec.padding[i]![0] + spec.padding[i]![1];
    return Math.floor((padded - (spec.size[i]! - 1) * spec.dilation[i]! - 1) / spec.stride[i]!) + 1;
  });
  if (counts.some((n) => n < 0) || plane.some((n) => n === 0)) return;
  const out = [...shape.slice(0, shape.length - rank), ...counts];
  builder.add(op, [x], spec, out, op === 'window_argmax' ? 'i32' : builder.dtype(x));
};

/** Indices into an axis of `limit` elements: a leaf, or a computed value brought into range. */
function indicesFor(builder: Builder, draws: Draws, shape: Shape, limit: number): number {
  const computed = builder.candidates((node) => node.dtype === 'i32' && String(node.shape) === String(shape));
  if (draws.oneIn(3) && computed.length > 0 && limit > 0) {
    const attrs = { operands: [null, limit] };
    return builder.addWithArgs('mod', [draws.pick(computed)], attrs, shape, 'i32', [builder.argument(limit)]);
  }
  return builder.smallLeaf(shape, 'i32', draws.below(50), limit);
}

const gather: Move = (builder, draws) => {
  const found = builder.candidates((node) => node.shape.length > 0 && sizeOf(node.shape) > 0);
  if (found.length === 0) return;
  const x = draws.pickRecent(found);
  const shape = builder.shape(x);
  const axis = draws.below(shape.length);
  const out = shape.with(axis, draws.pick([2, 1, 4, 0]));
  if (sizeOf(out) > maxSize) return;
  builder.add('gather', [x, indicesFor(builder, draws, out, shape[axis]!)], { axis }, out, builder.dtype(x));
};

const scatter: Move = (builder, draws) => {
  const found = numericNodes(builder, 1).filter((i) => sizeOf(builder.shape(i)) > 0);
  if (found.length === 0) return;
  const updates = draws.pickRecent(found);
  const shape = builder.shape(updates);
  const axis = draws.below(shape.length);
  const limit = shape[axis]! + draws.below(3);
  const outShape = shape.with(axis, limit);
  const dtype = builder.dtype(updates);
  const bases = builder.candidates((node) => node.dtype === dtype && String(node.shape) === String(outShape));
  const base = bases.length > 0 ? draws.pick(bases) : builder.smallLeaf(outShape, dtype, draws.below(50));
  if (draws.oneIn(3)) {
    // With `set`, an index may not come twice along the axis: counting up cannot.
    const index = builder.add('iota', [], { axis }, shape, 'i32');
    builder.add('scatter', [base, index, updates], { axis, mode: 'set' }, outShape, dtype);
    return;
  }
  const index = indicesFor(builder, draws, shape, limit);
  builder.add('scatter', [base, index, updates], { axis, mode: 'add' }, outShape, dtype);
};

const scan: Move = (builder, draws) => {
  const found = numericNodes(builder, 1);
  if (found.length === 0) return;
  const a = draws.pickRecent(found);
  const shape = builder.shape(a);
  const same = builder.candidates((node) => node.dtype === builder.dtype(a) && String(node.shape) === String(shape));
  const attrs = { axis: draws.below(shape.length), reverse: draws.oneIn(2) };
  builder.add('scan', [a, draws.pick(same)], attrs, shape, builder.dtype(a));
};

/** An order, and now and then the values that it picks. */
const sort: Move = (builder, draws) => {
  const found = builder.candidates((node) => node.shape.length > 0 && sizeOf(node.shape) > 0);
  if (found.length === 0) return;
  const x = draws.pickRecent(found);
  const shape = builder.shape(x);
  const axis = draws.below(shape.length);
  const k = 1 + draws.below(shape[axis]!);
  const order = draws.oneIn(2)
    ? builder.add('argtopk', [x], { axis, k }, shape.with(axis, k), 'i32')
    : builder.add('argsort', [x], { axis, descending: draws.oneIn(2) }, shape, 'i32');
  if (draws.oneIn(2)) builder.add('gather', [x, order], { axis }, builder.shape(order), builder.dtype(x));
};

/** One element a row: a leaf picks along the last axis, as a loss picks the target's logit. */
const pickOneARow: Move = (builder, draws) => {
  const found = builder.candidates((node) => isFloat(node.dtype) && node.shape.length >= 2 && sizeOf(node.shape) > 0);
  if (found.length === 0) return;
  const x = draws.pickRecent(found);
  const shape = builder.shape(x);
  const axis = shape.length - 1;
  const out = shape.with(axis, 1);
  const index = builder.smallLeaf(out, 'i32', draws.below(50), shape[axis]!);
  const picked = builder.add('gather', [x, index], { axis }, out, builder.dtype(x));
  builder.reshape(picked, shape.slice(0, axis));
};

export const producerMoves: readonly Move[] = [dot, convolution, window, gather, scatter, scan, sort, pickOneARow, dot];
