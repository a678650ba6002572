/**
 * Movement as index arithmetic: for a view, where the element at given output indices comes from in its source, and under
 * which bounds it exists at all. Whoever walks a chain of views composes these steps; `simplify.ts` cancels what cancels.
 */
import type { Start } from '../graph/node';
import type { Bound, Expr } from '../index/expression';
import { add, constant, decideBound, div, linear, mod, mul } from '../index/simplify';
import { type Shape, stridesOf } from '../shape';
import type { GraphNode } from './graph';

/** How a run-time start becomes an expression: a parameter of the kernel at hand. */
export interface StartParams {
  /** `scalars[index]` of the run, known to lie in [min, max]. */
  scalar(index: number, min: number, max: number): Expr;
  /** The element of a 0-d node, clamped to [min, max]. */
  element(node: number, min: number, max: number): Expr;
}

/** One step from a view to its source. */
export interface Step {
  readonly coords: readonly Expr[];
  /** Where the source has the element; elsewhere the view shows `fill`. */
  readonly bounds: readonly Bound[];
  readonly fill: number;
}

const none: readonly Bound[] = [];

/**
 * Where the element of a movement node at `coords` comes from in its first source.
 *
 * @param source - shape of that source
 */
export function throughView(node: GraphNode, source: Shape, coords: readonly Expr[], params: StartParams): Step {
  switch (node.op) {
    case 'barrier':
      return { coords, bounds: none, fill: 0 };
    case 'reshape':
      return { coords: reshapeCoords(node.shape, source, coords), bounds: none, fill: 0 };
    case 'permute': {
      const from = new Array<Expr>(coords.length);
      for (let i = 0; i < coords.length; i++) from[node.attrs.axes[i]!] = coords[i]!;
      return { coords: from, bounds: none, fill: 0 };
    }
    case 'expand':
      return { coords: coords.map((c, i) => (source[i] === 1 ? constant(0) : c)), bounds: none, fill: 0 };
    case 'slice':
      return { coords: sliceCoords(node, source, coords, params), bounds: none, fill: 0 };
    case 'pad':
      return padCoords(node, source, coords, params);
    case 'windows':
      return windowCoords(node, source, coords);
    default:
      throw new Error(`internal: ${node.op} is not a view.`);
  }
}

/** Indices under another shape of the same elements; axes that the shapes share are left alone. */
export function reshapeCoords(from: Shape, to: Shape, coords: readonly Expr[]): Expr[] {
  const out = new Array<Expr>(to.length);
  let i = from.length;
  let j = to.length;
  while (i > 0 || j > 0) {
    // The smallest trailing groups of axes with equal products.
    const iEnd = i;
    const jEnd = j;
    let p = 1;
    let q = 1;
    if (i > 0) p = from[--i]!;
    if (j > 0) q = to[--j]!;
    while (p !== q) {
      if (p < q) p *= from[--i]!;
      else q *= to[--j]!;
    }
    regroup(from, i, iEnd, to, j, jEnd, coords, out);
  }
  return out;
}

function regroup(
  from: Shape,
  i: number,
  iEnd: number,
  to: Shape,
  j: number,
  jEnd: number,
  coords: readonly Expr[],
  out: Expr[],
): void {
  if (jEnd - j === 1 && iEnd - i === 1) {
    out[j] = coords[i]!;
    return;
  }
  let flat = constant(0);
  if (iEnd - i === 1) flat = coords[i]!;
  else if (iEnd > i) flat = linear(coords.slice(i, iEnd), stridesOf(from.slice(i, iEnd)));
  let step = 1;
  for (let k = jEnd - 1; k >= j; k--) {
    const size = to[k]!;
    out[k] = size === 1 ? constant(0) : k === j ? div(flat, step) : mod(div(flat, step), size);
    step *= size;
  }
}

/** The range of starts with which `count` elements `step` apart stay within `size`. */
export function startRange(size: number, count: number, step: number): readonly [number, number] {
  const reach = (count - 1) * step;
  return [Math.max(0, -reach), size - 1 - Math.max(0, reach)];
}

function sliceCoords(node: GraphNode<'slice'>, source: Shape, coords: readonly Expr[], params: StartParams): Expr[] {
  const { starts, sizes, steps } = node.attrs;
  let number = 0;
  return coords.map((c, i) => {
    const arg = typeof starts[i] === 'number' ? node.args[number++]! : -1;
    const [min, max] = startRange(source[i]!, sizes[i]!, steps[i]!);
    return add(startOf(node, starts[i]!, arg, min, max, params), mul(c, steps[i]!));
  });
}

function startOf(node: GraphNode, start: Start, arg: number, min: number, max: number, params: StartParams): Expr {
  if (min === max) return constant(min);
  if (typeof start !== 'number') return params.element(node.sources[start.source]!, min, max);
  return arg < 0 ? constant(start) : params.scalar(arg, min, max);
}

function padCoords(node: GraphNode<'pad'>, source: Shape, coords: readonly Expr[], params: StartParams): Step {
  const { low, interior, value, sizes } = node.attrs;
  const bounds: Bound[] = [];
  const from = coords.map((c, i) => {
    const size = source[i]!;
    const start = low[i]!;
    const offset = typeof start === 'number' ? constant(start) : startOf(node, start, -1, 0, sizes[i]! - size, params);
    const at = add(c, mul(offset, -1));
    const every = interior[i]! + 1;
    pushBound(bounds, at, 0, (size - 1) * every + 1);
    if (every > 1) pushBound(bounds, mod(at, every), 0, 1);
    return div(at, every);
  });
  return { coords: from, bounds, fill: value };
}

function windowCoords(node: GraphNode<'windows'>, source: Shape, coords: readonly Expr[]): Step {
  const { size, stride, dilation, padding, value } = node.attrs;
  const outer = source.length - size.length;
  const bounds: Bound[] = [];
  const from = source.map((n, i) => {
    if (i < outer) return coords[i]!;
    const w = i - outer;
    const at = linear([coords[i]!, coords[i + size.length]!], [stride[w]!, dilation[w]!], -padding[w]![0]);
    pushBound(bounds, at, 0, n);
    return at;
  });
  return { coords: from, bounds, fill: value };
}

/** Adds a bound unless it always holds. */
export function pushBound(bounds: Bound[], term: Expr, min: number, end: number): void {
  const bound = { term, min, end };
  if (decideBound(bound) !== true) bounds.push(bound);
}
