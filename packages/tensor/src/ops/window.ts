/** Sliding windows over the last axes: sum, maximum, and where the maximum was. Pooling and its gradients are made of these. */
import { ShapeError, ValueError } from '../errors';
import type { Node, Window } from '../graph/node';
import { showShape } from '../shape';
import { record } from './record';

/** How many windows fit along an axis of n elements. */
export function windowCount(n: number, axis: number, window: Window): number {
  const [low, high] = window.padding[axis]!;
  return (
    Math.floor((n + low + high - (window.size[axis]! - 1) * window.dilation[axis]! - 1) / window.stride[axis]!) + 1
  );
}

/** Result [outer…, windows…] of windows over the last `window.size.length` axes. */
export function windowed(op: 'window_sum' | 'window_max' | 'window_argmax', x: Node, window: Window): Node {
  const rank = window.size.length;
  const outer = x.shape.length - rank;
  if (outer < 0)
    throw new ShapeError(
      `${op}: a window over ${rank} axes does not fit ${showShape(x.shape)}, which has ${x.shape.length}.`,
    );
  if (window.stride.some((s) => s < 1) || window.dilation.some((d) => d < 1) || window.size.some((s) => s < 1)) {
    throw new ValueError(
      `${op}: sizes ${showShape(window.size)}, strides ${showShape(window.stride)} and dilations ${showShape(window.dilation)} must be at least 1.`,
    );
  }
  const counts = window.size.map((_, i) => windowCount(x.shape[outer + i]!, i, window));
  if (counts.some((n) => n < 0)) {
    throw new ShapeError(
      `${op}: a window of ${showShape(window.size)} is larger than the padded data ${showShape(x.shape.slice(outer))}. Pad more, or use a smaller window.`,
    );
  }
  return record(op, [x], window, [...x.shape.slice(0, outer), ...counts], op === 'window_argmax' ? 'i32' : x.dtype);
}
