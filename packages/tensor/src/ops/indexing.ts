/** Indexing by data: gather and scatter along one axis, linear recurrences, and the orders that sort. */
import { promote } from '../dtype';
import { DTypeError, ShapeError, ValueError } from '../errors';
import type { Node } from '../graph/node';
import { calledOperation } from '../operation-name';
import { checkAxis, sameShape, showShape } from '../shape';
import { cast } from './elementwise';
import { record } from './record';

/** The attribute that names what the user called, if that is another operation. */
function called(): { readonly operation?: string } {
  const operation = calledOperation();
  return operation === undefined ? {} : { operation };
}

function checkIndex(operation: string, index: Node): Node {
  if (index.dtype === 'i32') return index;
  if (index.dtype === 'u8' || index.dtype === 'u32') return cast(index, 'i32');
  throw new DTypeError(`${operation}: an index is an integer, but got ${index.dtype}. Use cast('i32').`);
}

function checkBeside(operation: string, x: Node, index: Node, axis: number): void {
  const fits = index.shape.length === x.shape.length && index.shape.every((n, i) => i === axis || n === x.shape[i]);
  if (!fits)
    throw new ShapeError(
      `${operation}: index ${showShape(index.shape)} and data ${showShape(x.shape)} differ beside axis ${axis}. Expand the index, or slice the data.`,
    );
}

/** out[…, j, …] = x[…, index[…, j, …], …]; the index has the shape of the result. */
export function gather(x: Node, axis: number, index: Node): Node {
  const at = checkAxis('gather', axis, x.shape.length);
  const order = checkIndex('gather', index);
  checkBeside('gather', x, order, at);
  return record('gather', [x, order], { axis: at, ...called() }, order.shape, x.dtype);
}

/** A copy of `base` with `updates` added to (or put at) base[…, index[…, j, …], …]. */
export function scatter(base: Node, axis: number, index: Node, updates: Node, mode: 'add' | 'set'): Node {
  const at = checkAxis('scatter', axis, base.shape.length);
  const order = checkIndex('scatter', index);
  checkBeside('scatter', base, order, at);
  if (!sameShape(order.shape, updates.shape)) {
    throw new ShapeError(
      `scatter: index ${showShape(order.shape)} and updates ${showShape(updates.shape)} differ. They name one place for each update.`,
    );
  }
  const dtype = promote('scatter', base.dtype, updates.dtype);
  return record(
    'scatter',
    [cast(base, dtype), order, cast(updates, dtype)],
    { axis: at, mode, ...called() },
    base.shape,
    dtype,
  );
}

/** h_t = a_t · h_{t−1} + b_t along an axis, from h = 0. */
export function scan(a: Node, b: Node, axis: number, reverse = false): Node {
  const at = checkAxis('scan', axis, a.shape.length);
  if (!sameShape(a.shape, b.shape) || a.dtype !== b.dtype) {
    throw new ShapeError(
      `scan: factors ${a.dtype} ${showShape(a.shape)} and terms ${b.dtype} ${showShape(b.shape)} differ.`,
    );
  }
  return record('scan', [a, b], { axis: at, reverse }, a.shape, a.dtype);
}

export function argsort(x: Node, axis: number, descending = false): Node {
  return record('argsort', [x], { axis: checkAxis('argsort', axis, x.shape.length), descending }, x.shape, 'i32');
}

export function argtopk(x: Node, axis: number, k: number): Node {
  const at = checkAxis('topk', axis, x.shape.length);
  if (!Number.isInteger(k) || k < 0 || k > x.shape[at]!) {
    throw new ValueError(`topk: k is ${k}, but axis ${at} of ${showShape(x.shape)} has ${x.shape[at]} elements.`);
  }
  return record(
    'argtopk',
    [x],
    { axis: at, k },
    x.shape.map((n, i) => (i === at ? k : n)),
    'i32',
  );
}
