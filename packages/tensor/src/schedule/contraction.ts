/**
 * Lowers `dot` and `convolution` to a contraction: which axes are batch, m, n and k, in what order the result is stored, and
 * at which indices both operands are read. A convolution is an implicit matrix product: m is the output channel, n the
 * output pixel, k the input channel and kernel element; nothing is copied.
 */
import type { Bound, Expr } from '../index/expression';
import { constant, div, linear, mod, variable } from '../index/simplify';
import { sizeOf } from '../shape';
import type { GraphNode } from './graph';
import { pushBound } from './views';

/** The loops of a contraction node. Loop variables are numbered batch, m, n, k. */
export interface ContractionForm {
  readonly batch: readonly number[];
  readonly m: readonly number[];
  readonly n: readonly number[];
  readonly k: readonly number[];
  /** The node's axes in the order in which the result is stored: batch, m, n. */
  readonly order: readonly number[];
  /** Which source varies along m, and which along n. */
  readonly left: Operand;
  readonly right: Operand;
}

/** A source of the node, where it is read, and the bounds outside which it counts as zero. */
export interface Operand {
  readonly source: number;
  readonly coords: readonly Expr[];
  readonly bounds: readonly Bound[];
}

const variables = (sizes: readonly number[], from: number): Expr[] => sizes.map((n, i) => variable(from + i, n));

/** The loops of a `dot` with operands of the given shapes. */
export function dotForm(node: GraphNode<'dot'>, lhs: readonly number[], rhs: readonly number[]): ContractionForm {
  const { lhsBatch, rhsBatch, lhsContract, rhsContract } = node.attrs;
  const free = (rank: number, a: readonly number[], b: readonly number[]): number[] =>
    Array.from({ length: rank }, (_, i) => i).filter((i) => !a.includes(i) && !b.includes(i));
  const lhsFree = free(lhs.length, lhsBatch, lhsContract);
  const rhsFree = free(rhs.length, rhsBatch, rhsContract);
  const batch = lhsBatch.map((i) => lhs[i]!);
  const m = lhsFree.map((i) => lhs[i]!);
  const n = rhsFree.map((i) => rhs[i]!);
  const k = lhsContract.map((i) => lhs[i]!);
  const vars = variables([...batch, ...m, ...n, ...k], 0);
  const [atM, atN] = [batch.length, batch.length + m.length];
  const atK = atN + n.length;
  const place = (rank: number, groups: readonly (readonly [readonly number[], number])[]): Expr[] => {
    const coords = new Array<Expr>(rank);
    for (const [axes, from] of groups) axes.forEach((axis, i) => (coords[axis] = vars[from + i]!));
    return coords;
  };
  return {
    batch,
    m,
    n,
    k,
    order: Array.from({ length: atK }, (_, i) => i),
    left: {
      source: 0,
      coords: place(lhs.length, [
        [lhsBatch, 0],
        [lhsFree, atM],
        [lhsContract, atK],
      ]),
      bounds: [],
    },
    right: {
      source: 1,
      coords: place(rhs.length, [
        [rhsBatch, 0],
        [rhsFree, atN],
        [rhsContract, atK],
      ]),
      bounds: [],
    },
  };
}

/**
 * Whether the images of a convolution are columns of one product rather than a batch of products: with few pixels an image
 * (a weight gradient's "pixels" are the kernel's elements), a product an image would be too narrow.
 */
export function mergesImages(node: GraphNode<'convolution'>): boolean {
  const images = node.shape[0]!;
  const pixels = sizeOf(node.shape.slice(2));
  return images > 1 && pixels < 64;
}

/** The loops of a `convolution`; `merged` stores the result as [groups, O / groups, N, pixels]. */
export function convolutionForm(
  node: GraphNode<'convolution'>,
  lhs: readonly number[],
  rhs: readonly number[],
  merged: boolean,
): ContractionForm {
  const { groups } = node.attrs;
  const [images, channels, ...pixels] = node.shape as readonly [number, number, ...number[]];
  const perGroup = channels / groups;
  const inner = [lhs[1]! / groups, ...rhs.slice(2)];
  const batch = merged ? [groups] : [images, groups];
  const n = merged ? [images, ...pixels] : pixels;
  const vars = variables([...batch, perGroup, ...n, ...inner], 0);
  const image = vars[merged ? 2 : 0]!;
  const group = vars[merged ? 0 : 1]!;
  const o = vars[batch.length]!;
  const pixel = vars.slice(3, 3 + pixels.length);
  const [c, ...kernel] = vars.slice(3 + pixels.length) as [Expr, ...Expr[]];
  const { coords, bounds } = dataCoords(node.attrs, lhs, pixel, kernel);
  const channelAxes = merged ? [1, 0] : [0, 1];
  return {
    batch,
    m: [perGroup],
    n,
    k: inner,
    order: [...channelAxes, ...pixels.map((_, i) => i + 2)],
    left: { source: 1, coords: [linear([group, o], [perGroup, 1]), c, ...kernel], bounds: [] },
    right: { source: 0, coords: [image, linear([group, c], [inner[0]!, 1]), ...coords], bounds },
  };
}

/** The spatial indices in the data that an output pixel reads with a kernel element, and where they exist. */
function dataCoords(
  spec: GraphNode<'convolution'>['attrs'],
  lhs: readonly number[],
  pixel: readonly Expr[],
  kernel: readonly Expr[],
): { coords: Expr[]; bounds: Bound[] } {
  const bounds: Bound[] = [];
  const coords = pixel.map((p, i) => {
    const every = spec.lhsDilation[i]!;
    const size = lhs[i + 2]!;
    const at = linear([p, kernel[i]!], [spec.stride[i]!, spec.rhsDilation[i]!], -spec.padding[i]![0]);
    if (size === 0) return constant(0);
    pushBound(bounds, at, 0, (size - 1) * every + 1);
    if (every > 1) pushBound(bounds, mod(at, every), 0, 1);
    return div(at, every);
  });
  return { coords, bounds };
}

/** The loops of a contraction node with operands of the given shapes. */
export const formOf = (
  node: GraphNode<'dot' | 'convolution'>,
  lhs: readonly number[],
  rhs: readonly number[],
  merged: boolean,
): ContractionForm => (node.op === 'dot' ? dotForm(node, lhs, rhs) : convolutionForm(node, lhs, rhs, merged));
