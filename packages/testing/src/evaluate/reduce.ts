/** Reductions, contractions and windows. Sums are made in f64 and rounded once; integers wrap. */
import { isFloat, type ReduceOp, type Shape, type Window } from '@dl/tensor';
import { reducers } from '../scalar/arithmetic';
import type { Call, Row } from './row';
import { elementAt, fill, positionsOf, type Value } from './value';

const freeAxes = (rank: number, used: readonly number[]): number[] =>
  Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !used.includes(axis));

/** Writes positions of `rank` axes: `given` on the listed axes, `others` in order on the rest. The array is reused. */
function positionMerger(
  rank: number,
  axes: readonly number[],
): (given: readonly number[], others: readonly number[]) => readonly number[] {
  const free = freeAxes(rank, axes);
  const position = new Array<number>(rank).fill(0);
  return (given, others) => {
    for (let i = 0; i < axes.length; i++) position[axes[i]!] = given[i]!;
    for (let i = 0; i < free.length; i++) position[free[i]!] = others[i]!;
    return position;
  };
}

const reduction =
  (op: ReduceOp): Row<ReduceOp> =>
  ({ attrs: { axes }, sources, shape, dtype }) => {
    const x = sources[0]!;
    const inside = positionsOf(axes.map((axis) => x.shape[axis]!));
    const merge = positionMerger(x.shape.length, axes);
    return fill(shape, dtype, (position) => {
      const values = inside.map((given) => elementAt(x, merge(given, position)));
      return reducers[op](values, x.dtype);
    });
  };

/** Σ aᵢ·bᵢ, with integers that wrap. */
function sumOfProducts(dtype: Value['dtype'], pairs: Iterable<readonly [number, number]>): number {
  let total = 0;
  for (const [a, b] of pairs) total = isFloat(dtype) ? total + a * b : (total + Math.imul(a, b)) | 0;
  return total;
}

const dot: Row<'dot'> = ({ attrs, sources, shape, dtype }) => {
  const [lhs, rhs] = [sources[0]!, sources[1]!];
  const lhsAxes = [...attrs.lhsBatch, ...attrs.lhsContract];
  const batch = attrs.lhsBatch.length;
  const rhsStart = batch + lhs.shape.length - lhsAxes.length;
  const contracted = positionsOf(attrs.lhsContract.map((axis) => lhs.shape[axis]!));
  const left = positionMerger(lhs.shape.length, lhsAxes);
  const right = positionMerger(rhs.shape.length, [...attrs.rhsBatch, ...attrs.rhsContract]);
  return fill(shape, dtype, (position) => {
    const batched = position.slice(0, batch);
    const [m, n] = [position.slice(batch, rhsStart), position.slice(rhsStart)];
    const pairs = contracted.map((k): [number, number] => {
      const given = [...batched, ...k];
      return [elementAt(lhs, left(given, m)), elementAt(rhs, right(given, n))];
    });
    return sumOfProducts(dtype, pairs);
  });
};

const convolution: Row<'convolution'> = ({ attrs, sources, shape, dtype }) => {
  const [x, w] = [sources[0]!, sources[1]!];
  const channels = w.shape[1]!;
  const outputsInGroup = shape[1]! / attrs.groups;
  const taps = positionsOf(w.shape.slice(2));
  const channelList = positionsOf([channels]).map(([c]) => c!);
  return fill(shape, dtype, ([n, o, ...place]) => {
    const firstChannel = Math.floor(o! / outputsInGroup) * channels;
    const pairs = taps.flatMap((tap) => {
      const at = place.map((p, i) => {
        const padded = p * attrs.stride[i]! + tap[i]! * attrs.rhsDilation[i]! - attrs.padding[i]![0];
        return padded / attrs.lhsDilation[i]!;
      });
      if (!at.every((p, i) => Number.isInteger(p) && p >= 0 && p < x.shape[i + 2]!)) return [];
      return channelList.map(
        (c) => [elementAt(x, [n!, firstChannel + c, ...at]), elementAt(w, [o!, c, ...tap])] as const,
      );
    });
    return sumOfProducts(dtype, pairs);
  });
};

/** The elements that a window covers, in row-major order, with their places in the plane. */
function windowElements(x: Value, window: Window, position: readonly number[]): { value: number; flat: number }[] {
  const outer = x.shape.length - window.size.length;
  const plane: Shape = x.shape.slice(outer);
  return positionsOf(window.size).flatMap((tap) => {
    const at = tap.map(
      (t, i) => position[outer + i]! * window.stride[i]! + t * window.dilation[i]! - window.padding[i]![0],
    );
    if (!at.every((p, i) => p >= 0 && p < plane[i]!)) return [];
    const flat = at.reduce((sum, p, i) => sum * plane[i]! + p, 0);
    return [{ value: elementAt(x, [...position.slice(0, outer), ...at]), flat }];
  });
}

const windowReduction =
  (op: 'sum' | 'max_reduce') =>
  ({ attrs, sources, shape, dtype }: Call<'window_sum' | 'window_max'>): Float64Array =>
    fill(shape, dtype, (position) =>
      reducers[op](
        windowElements(sources[0]!, attrs, position).map((e) => e.value),
        dtype,
      ),
    );

const windowArgmax: Row<'window_argmax'> = ({ attrs, sources, shape }) =>
  fill(shape, 'i32', (position) => {
    const covered = windowElements(sources[0]!, attrs, position);
    const best = reducers.argmax(
      covered.map((e) => e.value),
      sources[0]!.dtype,
    );
    return covered[best]?.flat ?? 0;
  });

export const reduceRows = {
  sum: reduction('sum'),
  prod: reduction('prod'),
  max_reduce: reduction('max_reduce'),
  min_reduce: reduction('min_reduce'),
  argmax: reduction('argmax'),
  dot,
  convolution,
  window_sum: windowReduction('sum'),
  window_max: windowReduction('max_reduce'),
  window_argmax: windowArgmax,
};
