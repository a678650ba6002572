/** Padding with the tensor's own elements: mirrored, repeated at the edge, or from the other end. All of it is movement. */
import { ShapeError } from '../errors';
import { showShape } from '../shape';
import type { Tensor } from '../tensor';

export type PadMode = 'constant' | 'reflect' | 'replicate' | 'circular';

type Join = (parts: readonly Tensor[], axis: number) => Tensor;

/** What comes before (or after) the elements of an axis. */
const edges: Record<
  Exclude<PadMode, 'constant'>,
  (x: Tensor, axis: number, amount: number, before: boolean) => Tensor
> = {
  reflect: (x, axis, amount, before) => x.narrow(axis, before ? 1 : x.shape[axis]! - 1 - amount, amount).flip(axis),
  replicate: (x, axis, amount, before) => {
    const edge = x.narrow(axis, before ? 0 : x.shape[axis]! - 1, 1);
    return edge.expand(edge.shape.map((n, i) => (i === axis ? amount : n)));
  },
  circular: (x, axis, amount, before) => x.narrow(axis, before ? x.shape[axis]! - amount : 0, amount),
};

/**
 * Pads the last `amounts.length` axes by [before, after], the first pair for the first of them.
 *
 * @throws ShapeError if a mirror or circle is longer than the axis
 */
export function padMode(
  x: Tensor,
  amounts: readonly (readonly [number, number])[],
  mode: PadMode,
  value: number,
  join: Join,
): Tensor {
  const first = x.rank - amounts.length;
  if (first < 0)
    throw new ShapeError(
      `pad: ${amounts.length} pairs for the ${x.rank} axes of ${showShape(x.shape)}. Give at most one an axis.`,
    );
  if (mode === 'constant') {
    const side = (i: 0 | 1): number[] => x.shape.map((_, a) => (a < first ? 0 : amounts[a - first]![i]));
    return x.pad(side(0), side(1), { value });
  }
  return amounts.reduce((t, pair, i) => padAxis(t, first + i, pair, mode, join), x);
}

function padAxis(
  x: Tensor,
  axis: number,
  [low, high]: readonly [number, number],
  mode: Exclude<PadMode, 'constant'>,
  join: Join,
): Tensor {
  const n = x.shape[axis]!;
  const most = mode === 'reflect' ? n - 1 : mode === 'circular' ? n : n > 0 ? Number.POSITIVE_INFINITY : 0;
  if (Math.max(low, high) > most || Math.min(low, high) < 0) {
    throw new ShapeError(
      `pad: ${mode} by ${low} and ${high} along axis ${axis} of ${showShape(x.shape)}, which allows 0 to ${most}. Pad less, or use another mode.`,
    );
  }
  const parts = [x];
  if (low > 0) parts.unshift(edges[mode](x, axis, low, true));
  if (high > 0) parts.push(edges[mode](x, axis, high, false));
  return parts.length === 1 ? x : join(parts, axis);
}
