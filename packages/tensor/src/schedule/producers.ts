/** Lowers the node that a kernel begins with: a contraction, scatter, scan or sort, each with canonical loops. */
import type { Bound, Expr } from '../index/expression';
import { substitute, variable } from '../index/simplify';
import type { Access, Contraction, Producer, Scan, Scatter, Sort } from '../kernel';
import type { Shape } from '../shape';
import { formOf, mergesImages } from './contraction';
import type { GraphNode } from './graph';
import { type KernelBuilder, type Place, placeIndex } from './kernel-builder';
import { canonicalNest, type Nest, withLead } from './loops';
import { isZero } from './materialise';

/** A lowered producer and the size of the axis along which it can be split. */
export interface LoweredProducer {
  readonly producer: Producer;
  readonly range: number;
}

/**
 * The producer that computes a node into its place.
 *
 * @param leads - sizes that the leading loop should have, the best first, for instructions that follow
 */
export function lowerProducer(builder: KernelBuilder, index: number, leads: readonly number[]): LoweredProducer {
  const node = builder.layout.graph.nodes[index]!;
  const place = builder.layout.places[index]!;
  switch (node.op) {
    case 'dot':
    case 'convolution':
      return lowerContraction(builder, node, place, leads);
    case 'scatter':
      return lowerScatter(builder, node, place);
    case 'scan':
      return lowerScan(builder, node, place);
    case 'argsort':
    case 'argtopk':
      return lowerSort(builder, node, place);
    default:
      throw new Error(`internal: ${node.op} does not begin a kernel.`);
  }
}

const shapeOf = (builder: KernelBuilder, node: GraphNode, source: number): Shape =>
  builder.layout.graph.nodes[node.sources[source]!]!.shape;

function lowerContraction(
  builder: KernelBuilder,
  node: GraphNode<'dot' | 'convolution'>,
  place: Place,
  leads: readonly number[],
): LoweredProducer {
  const form = formOf(node, shapeOf(builder, node, 0), shapeOf(builder, node, 1), isMerged(node, place));
  const left = readAt(builder, node.sources[form.left.source]!, form.left.coords, form.left.bounds);
  const right = readAt(builder, node.sources[form.right.source]!, form.right.coords, form.right.bounds);
  const exprs = [...accessExprs(left), ...accessExprs(right)];
  const nest = nestWithLead({ groups: [form.batch, form.m, form.n, form.k], exprs }, leads);
  let [batch, m, n, k] = nest.groups as readonly [number[], number[], number[], number[]];
  const mid = accessExprs(left).length;
  let lhs = withExprs(left, nest.exprs.slice(0, mid));
  let rhs = withExprs(right, nest.exprs.slice(mid));
  // The range needs a leading axis: a product with one row is one with one column.
  if (batch.length === 0 && m.length === 0) [m, n, lhs, rhs] = [n, m, rhs, lhs];
  const out = builder.binding(place.slot, 'write');
  const producer: Contraction = { kind: 'contraction', dtype: node.dtype, batch, m, n, k, lhs, rhs, out };
  return { producer, range: batch[0] ?? m[0] ?? 1 };
}

/** Whether a convolution is stored with its images as columns. */
const isMerged = (node: GraphNode, place: Place): boolean =>
  node.op === 'convolution' && mergesImages(node) && place.strides[1]! >= place.strides[0]!;

function nestWithLead(nest: Nest, leads: readonly number[]): Nest {
  for (const size of leads) {
    const led = withLead(nest, size);
    if (led !== null) return canonicalNest(led, 1 + led.groups.flat().findIndex((n) => n > 1));
  }
  return canonicalNest(nest);
}

/** An access to a stored node through its views; a producer takes zero outside the bounds. */
function readAt(builder: KernelBuilder, node: number, coords: readonly Expr[], bounds: readonly Bound[] = []): Access {
  const { access } = builder.read(node, coords);
  return bounds.length === 0 ? access : { ...access, bounds: [...bounds, ...access.bounds] };
}

/** The expressions of an access, in an order that `withExprs` undoes. */
export const accessExprs = (access: Access): Expr[] => [access.index, ...access.bounds.map((b) => b.term)];

export const withExprs = (access: Access, exprs: readonly Expr[]): Access => ({
  ...access,
  index: exprs[0]!,
  bounds: access.bounds.map((b, i) => ({ ...b, term: exprs[i + 1]! })),
});

function lowerScatter(builder: KernelBuilder, node: GraphNode<'scatter'>, place: Place): LoweredProducer {
  const { nodes } = builder.layout.graph;
  const [base, index, updates] = node.sources as readonly [number, number, number];
  const { axis, mode, operation = 'scatter' } = node.attrs;
  builder.checked.add(operation);
  const sizes = nodes[index]!.shape;
  const outer = sizes.slice(0, axis);
  const inner = sizes.slice(axis + 1);
  // The indexed axis is last while the others collapse: its size in base is another.
  const vars = axisLast(sizes, axis, sizes[axis]!).coords;
  const accesses = [readAt(builder, index, vars), readAt(builder, updates, vars)];
  if (!isZero(nodes, base)) accesses.push(readAt(builder, base, axisLast(node.shape, axis, node.shape[axis]!).coords));
  const nest = joinedNest([outer, inner, [sizes[axis]!]], accesses);
  const at = nest.groups[0]!.length;
  const ends = at + nest.groups[1]!.length;
  const between = (i: number, size: number): Expr => ({
    kind: 'var',
    index: i === ends ? at : i < at ? i : i + 1,
    size,
  });
  const [indexAccess, updateAccess, baseAccess] = nest.accesses.map((a) =>
    withExprs(
      a,
      accessExprs(a).map((e) => substitute(e, between)),
    ),
  );
  const producer: Scatter = {
    kind: 'scatter',
    dtype: node.dtype,
    mode,
    outer: nest.groups[0]!,
    count: sizes[axis]!,
    inner: nest.groups[1]!,
    limit: node.shape[axis]!,
    base: baseAccess ?? null,
    index: indexAccess!,
    updates: updateAccess!,
    out: builder.binding(place.slot, 'write'),
  };
  return { producer, range: producer.outer[0] ?? 1 };
}

/** The nest of several accesses, whose last loop stays as it is. */
function joinedNest(
  groups: readonly (readonly number[])[],
  accesses: readonly Access[],
): { groups: readonly (readonly number[])[]; accesses: Access[] } {
  const exprs = accesses.flatMap(accessExprs);
  const nest = canonicalNest({ groups, exprs }, 0, true);
  let from = 0;
  return {
    groups: nest.groups,
    accesses: accesses.map((a) => withExprs(a, nest.exprs.slice(from, (from += 1 + a.bounds.length)))),
  };
}

/** Coordinates of a node whose axis `axis` is the last loop variable, after all others in order. */
function axisLast(shape: Shape, axis: number, size: number): { rows: number[]; coords: Expr[] } {
  const rows = shape.filter((_, i) => i !== axis);
  let next = 0;
  const coords = shape.map((n, i) => (i === axis ? variable(rows.length, size) : variable(next++, n)));
  return { rows, coords };
}

function lowerScan(builder: KernelBuilder, node: GraphNode<'scan'>, place: Place): LoweredProducer {
  const { axis, reverse } = node.attrs;
  const length = node.shape[axis]!;
  const { rows, coords } = axisLast(node.shape, axis, length);
  const a = readAt(builder, node.sources[0]!, coords);
  const b = readAt(builder, node.sources[1]!, coords);
  const out = builder.binding(place.slot, 'write');
  const to: Access = { binding: out, index: placeIndex(place, coords), bounds: [] };
  const nest = joinedNest([rows, [length]], [a, b, to]);
  const producer: Scan = {
    kind: 'scan',
    dtype: node.dtype,
    rows: nest.groups[0]!,
    length,
    reverse,
    a: nest.accesses[0]!,
    b: nest.accesses[1]!,
    outIndex: nest.accesses[2]!.index,
    out,
  };
  return { producer, range: producer.rows[0] ?? 1 };
}

function lowerSort(builder: KernelBuilder, node: GraphNode<'argsort' | 'argtopk'>, place: Place): LoweredProducer {
  const { axis } = node.attrs;
  const source = node.sources[0]!;
  const { shape, dtype } = builder.layout.graph.nodes[source]!;
  const length = shape[axis]!;
  const { rows, coords } = axisLast(shape, axis, length);
  const input = readAt(builder, source, coords);
  const out = builder.binding(place.slot, 'write');
  const outCoords = axisLast(node.shape, axis, node.shape[axis]!).coords;
  const to: Access = { binding: out, index: placeIndex(place, outCoords), bounds: [] };
  const nest = joinedNest([rows, [length]], [input, to]);
  const producer: Sort = {
    kind: 'sort',
    dtype,
    rows: nest.groups[0]!,
    length,
    count: node.shape[axis]!,
    descending: node.op === 'argtopk' || node.attrs.descending,
    input: nest.accesses[0]!,
    outIndex: nest.accesses[1]!.index,
    out,
  };
  return { producer, range: producer.rows[0] ?? 1 };
}
