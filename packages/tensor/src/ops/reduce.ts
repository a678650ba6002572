/**
 * Reductions over any set of axes, which disappear. Sums of bool and u8 are i32, as a count is; other dtypes stay.
 */
import { ShapeError, ValueError } from '../errors';
import type { Node, ReduceOp } from '../graph/node';
import { checkAxes, checkAxis, showShape, withoutAxes } from '../shape';
import { cast } from './elementwise';
import { record } from './record';

export function reduce(op: Exclude<ReduceOp, 'argmax'>, x: Node, axes?: number | readonly number[]): Node {
  const name = op.replace('_reduce', '');
  const over = checkAxes(name, axes, x.shape.length);
  const ordered = op === 'max_reduce' || op === 'min_reduce';
  if (ordered && over.some((a) => x.shape[a] === 0)) {
    throw new ValueError(
      `${name}: ${showShape(x.shape)} has no elements along axes ${showShape(over)}, so there is no ${name}. Check the size first.`,
    );
  }
  const from = !ordered && (x.dtype === 'bool' || x.dtype === 'u8') ? cast(x, 'i32') : x;
  if (over.length === 0) return from;
  return record(op, [from], { axes: over }, withoutAxes(x.shape, over), from.dtype);
}

/** i32 position of the first largest element along an axis. */
export function argmax(x: Node, axis: number): Node {
  const at = checkAxis('argmax', axis, x.shape.length);
  if (x.shape[at] === 0)
    throw new ShapeError(`argmax: axis ${at} of ${showShape(x.shape)} is empty, so there is no largest element.`);
  return record('argmax', [x], { axes: [at] }, withoutAxes(x.shape, [at]), 'i32');
}
