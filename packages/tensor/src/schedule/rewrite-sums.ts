/**
 * Sums of many terms. A gradient that several uses contribute to is recorded as a chain of additions; where the terms are
 * pads beside each other the sum is a concat, whose pieces are written in place, and where they are products of one
 * form it is one longer product (the weight gradient of an unrolled recurrence). A chain is looked at once, from its root.
 */
import { sameShape } from '../shape';
import { type GraphNode, isMovement, withSources } from './graph';
import type { ProgramNode } from './program';
import type { GraphBuilder } from './share';

const both = { operands: [null, null] } as const;

/** Fewer products than this are joined only if their operands need no copies. */
const worthCopying = 3;

/** Whether a node adds two sources. */
const isSum = (node: ProgramNode): boolean => node.op === 'add' && node.sources.length === 2;

/** 1 for each addition that is a term of one other addition and of nothing else. */
export function findInnerSums(nodes: readonly ProgramNode[], outputs: readonly { readonly node: number }[]): Uint8Array {
  const uses = new Int32Array(nodes.length);
  const user = new Int32Array(nodes.length).fill(-1);
  nodes.forEach((node, i) => {
    for (const s of node.sources) {
      uses[s]!++;
      user[s] = i;
    }
  });
  for (const { node } of outputs) uses[node]! += 2;
  return Uint8Array.from(nodes, (node, i) => (isSum(node) && uses[i] === 1 && isSum(nodes[user[i]!]!) ? 1 : 0));
}

/** The program nodes of a chain of additions that are added, in order, and the additions within. */
function chainOf(nodes: readonly ProgramNode[], inner: Uint8Array, root: number): { terms: number[]; sums: number[] } {
  const terms: number[] = [];
  const sums: number[] = [];
  const stack = [root];
  while (stack.length > 0) {
    const i = stack.pop()!;
    if (i !== root && inner[i] === 0) {
      terms.push(i);
      continue;
    }
    sums.push(i);
    const [a, b] = nodes[i]!.sources as readonly [number, number];
    stack.push(b, a);
  }
  return { terms, sums: sums.sort((a, b) => a - b) };
}

/**
 * Emits a chain of additions.
 *
 * @param numbers - for each program node its number in the builder; set here for the additions within
 */
export function emitSum(builder: GraphBuilder, nodes: readonly ProgramNode[], inner: Uint8Array, root: number, numbers: number[]): void {
  const { terms, sums } = chainOf(nodes, inner, root);
  const emitted = terms.map((t) => numbers[t]!);
  const joined = joinProducts(builder, joinPads(builder, emitted));
  if (joined.length < emitted.length) {
    numbers[root] = addAll(builder, joined);
    return;
  }
  for (const i of sums) {
    const node = nodes[i]!;
    numbers[i] = builder.add(withSources(node as GraphNode, node.sources.map((s) => numbers[s]!)));
  }
}

function addAll(builder: GraphBuilder, terms: readonly number[]): number {
  const { shape, dtype } = builder.nodes[terms[0]!]!;
  return terms.reduce((a, b) => builder.emit('add', [a, b], both, shape, dtype));
}

/** Where a pad with zeros puts its source, along the only axis that it pads. */
interface PadPiece {
  readonly source: number;
  readonly axis: number;
  readonly begin: number;
  readonly end: number;
}

function padPiece(builder: GraphBuilder, term: number): PadPiece | null {
  const node = builder.nodes[term]!;
  if (node.op !== 'pad' || node.attrs.value !== 0 || node.sources.length > 1) return null;
  const source = builder.nodes[node.sources[0]!]!.shape;
  let axis = -1;
  for (let i = 0; i < source.length; i++) {
    if (node.attrs.low[i] === 0 && node.shape[i] === source[i]) continue;
    if (axis >= 0 || node.attrs.interior[i] !== 0) return null;
    axis = i;
  }
  if (axis < 0) return null;
  const begin = node.attrs.low[axis] as number;
  const end = begin + source[axis]!;
  return begin < 0 || end > node.shape[axis]! ? null : { source: node.sources[0]!, axis, begin, end };
}

/** Replaces pads beside each other along one axis by a concat. */
function joinPads(builder: GraphBuilder, terms: readonly number[]): readonly number[] {
  const pieces = terms.map((t) => padPiece(builder, t));
  const axis = pieces.find((p) => p !== null)?.axis;
  if (axis === undefined) return terms;
  const along = pieces.filter((p) => p !== null && p.axis === axis) as PadPiece[];
  along.sort((a, b) => a.begin - b.begin);
  if (along.length < 2 || along.some((p, i) => i > 0 && p.begin < along[i - 1]!.end)) return terms;
  const { shape, dtype } = builder.nodes[terms[0]!]!;
  const sources: number[] = [];
  let at = 0;
  const fillTo = (end: number): void => {
    if (end === at) return;
    const gap = shape.with(axis, end - at);
    sources.push(builder.emit('constant', [], { value: 0 }, gap, dtype, [-1]));
  };
  for (const piece of along) {
    fillTo(piece.begin);
    sources.push(piece.source);
    at = piece.end;
  }
  fillTo(shape[axis]!);
  const whole = builder.emit('concat', sources, { axis }, shape, dtype);
  return [whole, ...terms.filter((_, i) => pieces[i] === null || pieces[i]!.axis !== axis)];
}

/** Replaces products of one form by one whose first contracted axis is longer. */
function joinProducts(builder: GraphBuilder, terms: readonly number[]): readonly number[] {
  const { nodes } = builder;
  const first = terms.find((t) => nodes[t]!.op === 'dot');
  if (first === undefined) return terms;
  const form = nodes[first] as GraphNode<'dot'>;
  if (form.attrs.lhsContract.length === 0) return terms;
  const alike = terms.filter((t) => isAlike(nodes, form, nodes[t]!));
  if (alike.length < 2) return terms;
  const sides = [0, 1].map((side) => alike.map((t) => nodes[t]!.sources[side]!));
  const isFree = sides.every((list) => list.every((s) => isComputed(nodes, s)));
  if (alike.length < worthCopying && !isFree) return terms;
  const axes = [form.attrs.lhsContract[0]!, form.attrs.rhsContract[0]!];
  const joined = sides.map((list, side) => joinAlong(builder, list, axes[side]!));
  const longer = builder.emit('dot', joined, form.attrs, form.shape, form.dtype);
  return [longer, ...terms.filter((t) => !alike.includes(t))];
}

function isAlike(nodes: readonly GraphNode[], form: GraphNode<'dot'>, node: GraphNode): boolean {
  if (node.op !== 'dot' || node.dtype !== form.dtype) return false;
  const { lhsBatch, rhsBatch, lhsContract, rhsContract } = form.attrs;
  return (
    sameShape(node.attrs.lhsBatch, lhsBatch) &&
    sameShape(node.attrs.rhsBatch, rhsBatch) &&
    sameShape(node.attrs.lhsContract, lhsContract) &&
    sameShape(node.attrs.rhsContract, rhsContract) &&
    node.sources.every((s, i) => sameShape(nodes[s]!.shape, nodes[form.sources[i]!]!.shape))
  );
}

/** Whether the value can be written into a larger whole by the kernel that computes it. */
function isComputed(nodes: readonly GraphNode[], node: number): boolean {
  while (isMovement(nodes[node]!)) {
    const view = nodes[node]!;
    if (view.op !== 'reshape' && view.op !== 'permute') return false;
    node = view.sources[0]!;
  }
  return nodes[node]!.op !== 'data';
}

/** One after the other along an axis; a permutation that all share stays above the concat, so that pieces are contiguous. */
function joinAlong(builder: GraphBuilder, sources: readonly number[], axis: number): number {
  const { nodes } = builder;
  const first = nodes[sources[0]!]!;
  if (first.op === 'permute' && sources.every((s) => isPermutedBy(nodes[s]!, first.attrs.axes))) {
    const below = joinAlong(builder, sources.map((s) => nodes[s]!.sources[0]!), first.attrs.axes[axis]!);
    const shape = first.shape.with(axis, first.shape[axis]! * sources.length);
    return builder.emit('permute', [below], first.attrs, shape, first.dtype);
  }
  const shape = first.shape.with(axis, first.shape[axis]! * sources.length);
  return builder.emit('concat', sources, { axis }, shape, first.dtype);
}

const isPermutedBy = (node: GraphNode, axes: readonly number[]): boolean => node.op === 'permute' && sameShape(node.attrs.axes, axes);
