/** Indexing by data, recurrences and sorting. */
import { isFloat, type Shape, ValueError } from '@dl/tensor';
import { sortedOrder } from '../reference/producers';
import { rounded } from '../scalar/arithmetic';
import type { Row } from './row';
import { elementAt, fill, flatOf, positionsOf, type Value } from './value';

function checkedIndex(operation: string, index: number, size: number): number {
  if (index >= 0 && index < size) return index;
  throw new ValueError(`${operation}: index ${index} is outside 0 to ${size - 1}.`);
}

const gather: Row<'gather'> = ({ attrs: { axis }, sources, shape, dtype }) => {
  const [x, index] = [sources[0]!, sources[1]!];
  return fill(shape, dtype, (position, flat) => {
    const from = checkedIndex('gather', index.data[flat]!, x.shape[axis]!);
    return elementAt(x, position.with(axis, from));
  });
};

const scatter: Row<'scatter'> = ({ attrs: { axis, mode }, sources, shape, dtype }) => {
  const [base, index, updates] = [sources[0]!, sources[1]!, sources[2]!];
  const out = base.data.slice();
  positionsOf(index.shape).forEach((position, flat) => {
    const to = flatOf(shape, position.with(axis, checkedIndex('scatter', index.data[flat]!, shape[axis]!)));
    const update = updates.data[flat]!;
    out[to] = mode === 'set' ? update : isFloat(dtype) ? out[to]! + update : (out[to]! + update) | 0;
  });
  return out.map((x) => rounded(dtype, x));
};

/** All lines along an axis: the places of their elements. */
function linesAlong(shape: Shape, axis: number): number[][] {
  const starts = positionsOf(shape.with(axis, Math.min(1, shape[axis]!)));
  return starts.map((start) => Array.from({ length: shape[axis]! }, (_, i) => flatOf(shape, start.with(axis, i))));
}

const scan: Row<'scan'> = ({ attrs: { axis, reverse }, sources, shape, dtype }) => {
  const [a, b] = [sources[0]!, sources[1]!];
  const out = new Float64Array(a.data.length);
  for (const line of linesAlong(shape, axis)) {
    let h = 0;
    for (const at of reverse ? line.toReversed() : line) {
      const product = isFloat(dtype) ? a.data[at]! * h : Math.imul(a.data[at]!, h);
      h = rounded(dtype, product + b.data[at]!);
      out[at] = h;
    }
  }
  return out;
};

function sortInto(x: Value, axis: number, descending: boolean, shape: Shape): Float64Array {
  const out = new Float64Array(shape.reduce((a, b) => a * b, 1));
  const targets = linesAlong(shape, axis);
  linesAlong(x.shape, axis).forEach((line, i) => {
    const order = sortedOrder(
      line.map((at) => x.data[at]!),
      descending,
    );
    targets[i]?.forEach((at, place) => {
      out[at] = order[place]!;
    });
  });
  return out;
}

export const indexingRows = {
  gather,
  scatter,
  scan,
  argsort: (({ attrs, sources, shape }) =>
    sortInto(sources[0]!, attrs.axis, attrs.descending, shape)) as Row<'argsort'>,
  argtopk: (({ attrs, sources, shape }) => sortInto(sources[0]!, attrs.axis, true, shape)) as Row<'argtopk'>,
};
