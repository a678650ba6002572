/**
 * Gradients of sliding windows. Where windows do not overlap, each element has at most one, and the cotangent is brought
 * to it by stretching: elementwise work that fuses. Where they do, a sum's gradient is a sum over windows again, and a
 * maximum's is added up at the places that won (the first of those that tie).
 */
import { iota, type Op, sizeOf, type Tensor, type Window, zeros } from '@dl/tensor';
import { type Cotangent, each, none, type Rule, type Step } from './rule';

const overlaps = ({ size, stride, dilation }: Window): boolean =>
  size.some((n, i) => stride[i]! < n || dilation[i] !== 1);

/** A list for all axes from one for the axes of the window, which come last. */
const lastOf = (x: Tensor, list: readonly number[], rest = 0): number[] => [
  ...each(x.rank - list.length, rest),
  ...list,
];

/**
 * Each window's value at each element of x that it covers, for windows that do not overlap; `fill` beside them and, from
 * `reach` on, between them.
 */
function stretch(t: Tensor, x: Tensor, { stride, padding }: Window, reach: readonly number[], fill: number): Tensor {
  const outer = x.rank - stride.length;
  const counts = t.shape.slice(outer);
  const lead = x.shape.slice(0, outer);
  const apart = t.reshape([...lead, ...counts.flatMap((n) => [n, 1])]);
  const wide = apart.expand([...lead, ...counts.flatMap((n, i) => [n, reach[i]!])]);
  const gaps = [...each(outer, 0), ...stride.flatMap((s, i) => [0, s - reach[i]!])];
  const cells = wide.pad(each(wide.rank, 0), gaps, { value: fill });
  const covered = cells.reshape([...lead, ...counts.map((n, i) => n * stride[i]!)]);
  const low = padding.map(([before]) => -before);
  const high = padding.map(([before], i) => x.shape[outer + i]! + before - counts[i]! * stride[i]!);
  return covered.pad(lastOf(x, low), lastOf(x, high), { value: fill });
}

function windowSum({ attrs, g, x }: Step<'window_sum'>): Cotangent[] {
  const from = x[0]!;
  if (g.size === 0) return [null];
  if (!overlaps(attrs)) return [stretch(g, from, attrs, attrs.size, 0)];
  const { size, stride, dilation, padding } = attrs;
  const outer = from.rank - size.length;
  // Element i of x is in the windows that start at i + before − j · dilation, for j below the size.
  const low = size.map((n, i) => (n - 1) * dilation[i]! - padding[i]![0]);
  const high = size.map(
    (_, i) => from.shape[outer + i]! - ((g.shape[outer + i]! - 1) * stride[i]! + 1) + padding[i]![0],
  );
  const interior = lastOf(
    from,
    stride.map((s) => s - 1),
  );
  const apart = g.pad(lastOf(from, low), lastOf(from, high), { interior });
  const ones = each(size.length, 1);
  return [apart.windowSum({ size, stride: ones, dilation, padding: size.map(() => [0, 0]) })];
}

function windowMax({ attrs, g, x }: Step<'window_max'>): Cotangent[] {
  const from = x[0]!;
  if (g.size === 0) return [null];
  const outer = from.rank - attrs.size.length;
  const winners = from.windowArgmax(attrs);
  const plane = from.shape.slice(outer);
  const flat = sizeOf(plane);
  if (!overlaps(attrs)) {
    const here = iota([flat], 0).reshape(plane).expand(from.shape);
    const won = stretch(winners, from, attrs, attrs.stride, -1).eq(here);
    return [won.where(stretch(g, from, attrs, attrs.stride, 0), 0)];
  }
  const lead = from.shape.slice(0, outer);
  const windows = sizeOf(g.shape.slice(outer));
  const places = winners.reshape([...lead, windows]);
  const sums = zeros([...lead, flat], g.dtype).scatterAdd(outer, places, g.reshape([...lead, windows]));
  return [sums.reshape(from.shape)];
}

export const windowRules = {
  window_sum: windowSum,
  window_max: windowMax,
  window_argmax: none,
} as const satisfies { readonly [O in Op]?: Rule<O> };
