/** Movement and joining: which element of a source each element of the result is. */
import { type Shape, type Start, sizeOf } from '@dl/tensor';
import { rounded } from '../scalar/arithmetic';
import type { Call, Row } from './row';
import { elementAt, fill, type Value } from './value';

const clamp = (x: number, min: number, max: number): number => Math.max(min, Math.min(max, x));

/** A start that is read at run time, moved so that all of the range lies inside. */
function runtimeStart(start: Start & object, sources: readonly Value[], min: number, max: number): number {
  return clamp(sources[start.source]!.data[0]!, min, Math.max(min, max));
}

function sliceStarts({ attrs, sources, argument }: Call<'slice'>): number[] {
  let place = 0;
  return attrs.starts.map((start, axis) => {
    if (typeof start === 'number') return argument(place++, start);
    const size = sources[0]!.shape[axis]!;
    const reach = (attrs.sizes[axis]! - 1) * attrs.steps[axis]!;
    return runtimeStart(start, sources, Math.max(0, -reach), size - 1 - Math.max(0, reach));
  });
}

const slice: Row<'slice'> = (call) => {
  const x = call.sources[0]!;
  if (sizeOf(call.shape) === 0) return new Float64Array(0);
  const starts = sliceStarts(call);
  return fill(call.shape, call.dtype, (position) =>
    elementAt(
      x,
      position.map((i, axis) => starts[axis]! + i * call.attrs.steps[axis]!),
    ),
  );
};

/** The position in the padded source, or null between and beside its elements. */
function padSource(
  position: readonly number[],
  low: readonly number[],
  interior: readonly number[],
  shape: Shape,
): number[] | null {
  const from = position.map((i, axis) => (i - low[axis]!) / (interior[axis]! + 1));
  return from.every((i, axis) => Number.isInteger(i) && i >= 0 && i < shape[axis]!) ? from : null;
}

const pad: Row<'pad'> = ({ attrs, sources, shape, dtype }) => {
  const x = sources[0]!;
  const low = attrs.low.map((start, axis) => {
    if (typeof start === 'number') return start;
    return runtimeStart(start, sources, 0, attrs.sizes[axis]! - x.shape[axis]!);
  });
  const value = rounded(dtype, attrs.value);
  return fill(shape, dtype, (position) => {
    const from = padSource(position, low, attrs.interior, x.shape);
    return from ? elementAt(x, from) : value;
  });
};

const concat: Row<'concat'> = ({ attrs: { axis }, sources, shape, dtype }) =>
  fill(shape, dtype, (position) => {
    let rest = position[axis]!;
    for (const x of sources) {
      if (rest < x.shape[axis]!) return elementAt(x, position.with(axis, rest));
      rest -= x.shape[axis]!;
    }
    return Number.NaN;
  });

export const movementRows = {
  reshape: ({ sources }: Call<'reshape'>) => sources[0]!.data.slice(),
  permute: ({ attrs, sources, shape, dtype }: Call<'permute'>) =>
    fill(shape, dtype, (position) => {
      const from = position.map(() => 0);
      attrs.axes.forEach((axis, i) => {
        from[axis] = position[i]!;
      });
      return elementAt(sources[0]!, from);
    }),
  expand: ({ sources, shape, dtype }: Call<'expand'>) =>
    fill(shape, dtype, (position) => {
      const x = sources[0]!;
      return elementAt(
        x,
        position.map((i, axis) => (x.shape[axis] === 1 ? 0 : i)),
      );
    }),
  slice,
  pad,
  concat,
  barrier: ({ sources }: Call<'barrier'>) => sources[0]!.data.slice(),
};
