/**
 * Gradients of movement and joining: each is the transpose of its operation. An interior pad and a slice with a step are
 * each other's, and a start that is read at run time stays one.
 */
import { type Node, type Op, type RuntimeStart, type Start, Tensor } from '@dl/tensor';
import { axesOf, type Cotangent, each, type Rule, type Step } from './rule';

/** A permutation that undoes an earlier one leaves nothing behind. */
export function permuted(t: Tensor, axes: readonly number[]): Tensor {
  if (t.node.op !== 'permute') return t.permute(axes);
  const { attrs, sources } = t.node as Node<'permute'>;
  return new Tensor(sources[0]!).permute(axes.map((a) => attrs.axes[a]!));
}

const inverse = (axes: readonly number[]): number[] => axesOf(axes.length).map((a) => axes.indexOf(a));

function expand({ g, x }: Step<'expand'>): Cotangent[] {
  const from = x[0]!.shape;
  const stretched = axesOf(g.rank).filter((a) => from[a] !== g.shape[a]);
  return [g.sum(stretched).reshape(from)];
}

const startOf = (start: Start, x: readonly Tensor[]): RuntimeStart =>
  typeof start === 'number' ? start : x[start.source]!;

function shifted(start: RuntimeStart, by: number): RuntimeStart {
  if (typeof start === 'number') return start + by;
  return by === 0 ? start : start.add(by);
}

/** Puts each element back where it was taken, with zeros between and beside. */
function slice({ attrs: { starts, sizes, steps }, g, x }: Step<'slice'>): Cotangent[] {
  if (g.size === 0) return [null];
  const from = x[0]!.shape;
  const backwards = steps.flatMap((step, a) => (step < 0 ? [a] : []));
  const forwards = backwards.length > 0 ? g.flip(backwards) : g;
  const interior = steps.map((step) => Math.abs(step) - 1);
  const low = starts.map((s, a) => shifted(startOf(s, x), Math.min(0, (sizes[a]! - 1) * steps[a]!)));
  const reach = sizes.map((n, a) => n + (n - 1) * interior[a]!);
  const isNumber = (s: RuntimeStart): s is number => typeof s === 'number';
  if (low.every(isNumber)) {
    const high = from.map((n, a) => n - low[a]! - reach[a]!);
    return [forwards.pad(low, high, { interior })];
  }
  const zeros = each(g.rank, 0);
  return [forwards.pad(zeros, zeros, { interior }).place(low, from)];
}

/** Takes the elements back out of the field; what the pad cropped has none. */
function pad({ attrs: { low, high, interior }, g, x }: Step<'pad'>): Cotangent[] {
  const from = x[0]!;
  if (from.size === 0) return [null];
  const cropped = (s: Start): number => (typeof s === 'number' ? Math.max(0, -s) : 0);
  const whole = g.pad(low.map(cropped), high.map(cropped));
  const starts = low.map((s) => (typeof s === 'number' ? Math.max(0, s) : x[s.source]!));
  const steps = interior.map((n) => n + 1);
  return [whole.slice(starts, from.shape, steps)];
}

function concat({ attrs: { axis }, g, x, wants }: Step<'concat'>): Cotangent[] {
  let start = 0;
  return x.map((part, i) => {
    const length = part.shape[axis]!;
    start += length;
    return wants(i) ? g.narrow(axis, start - length, length) : null;
  });
}

export const movementRules = {
  reshape: ({ g, x }) => [g.reshape(x[0]!.shape)],
  permute: ({ g, attrs }) => [permuted(g, inverse(attrs.axes))],
  expand,
  slice,
  pad,
  concat,
} as const satisfies { readonly [O in Op]?: Rule<O> };
