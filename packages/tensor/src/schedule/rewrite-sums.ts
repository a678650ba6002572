/**
 * Sums of many terms. A gradient that several uses contribute to is recorded as a chain of additions; where the terms are
 * pads beside each other the sum is a concat, whose pieces are written in place, and where they are products of one
 * form it is one longer product (the weight gradient of an unrolled recurrence). A chain is looked at once, from its root.
 */
import { sameShape } from '../shape';
import { type GraphNode, isMovement, withSources } from './graph';
import { isZero } from './materialise';
import type { Program, ProgramNode } from './program';
import type { GraphBuilder } from './share';

const both = { operands: [null, null] } as const;

/** Fewer products than this are joined only if their operands need no copies. */
const worthCopying = 3;

/** Whether a node adds two sources. */
export const isSum = (node: ProgramNode): boolean => node.op === 'add' && node.sources.length === 2;

/** What is known of a program's additions before any is emitted. */
export interface Sums {
  readonly nodes: readonly ProgramNode[];
  readonly uses: Int32Array;
  /** 1 for each addition that is a term of one other addition and of nothing else. */
  readonly inner: Uint8Array;
  /** How often two right sides meet in one sum of two products, as a step of a recurrence does again and again. */
  readonly pairs: ReadonlyMap<number, number>;
}

/** How often two right sides must meet for a copy of both, one below the other, to be worth it. */
const oftenEnough = 4;

export function findSums({ nodes, outputs }: Program): Sums {
  const uses = new Int32Array(nodes.length);
  const user = new Int32Array(nodes.length).fill(-1);
  nodes.forEach((node, i) => {
    for (const s of node.sources) {
      uses[s]!++;
      user[s] = i;
    }
  });
  for (const { node } of outputs) uses[node]! += 2;
  const inner = Uint8Array.from(nodes, (node, i) => (isSum(node) && uses[i] === 1 && isSum(nodes[user[i]!]!) ? 1 : 0));
  const pairs = new Map<number, number>();
  nodes.forEach((node, i) => {
    if (!isSum(node) || inner[i] === 1) return;
    const key = pairOf(nodes, chainOf(nodes, inner, i).terms);
    if (key >= 0) pairs.set(key, (pairs.get(key) ?? 0) + 1);
  });
  return { nodes, uses, inner, pairs };
}

/** The right sides of the two products among terms, as one number; −1 if there are not two. */
function pairOf(nodes: readonly ProgramNode[], terms: readonly number[]): number {
  const products = terms.filter((t) => nodes[t]!.op === 'dot');
  if (products.length !== 2) return -1;
  // Views of one value may be recorded anew in each step.
  const [a, b] = products.map((t) => rootOf(nodes, nodes[t]!.sources[1]!));
  return a! * nodes.length + b!;
}

function rootOf(nodes: readonly ProgramNode[], node: number): number {
  while (nodes[node]!.op === 'permute' || nodes[node]!.op === 'reshape') node = nodes[node]!.sources[0]!;
  return node;
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
 * @param numbers - for each program node its number in the builder; set here
 * @param sliced - what `findSliced` found
 * @returns numbers in the builder of the additions that may be sliced
 */
export function emitSum(
  builder: GraphBuilder,
  sums: Sums,
  root: number,
  numbers: number[],
  sliced: Uint8Array,
): readonly number[] {
  const { nodes, uses, inner, pairs } = sums;
  const chain = chainOf(nodes, inner, root);
  const emitted = chain.terms.map((t) => numbers[t]!);
  const joined = joinTerms(builder, emitted, {
    alone: new Set(chain.terms.filter((t) => uses[t] === 1).map((t) => numbers[t]!)),
    often: (pairs.get(pairOf(nodes, chain.terms)) ?? 0) >= oftenEnough,
  });
  if (joined.length < emitted.length) {
    const added = addAll(builder, joined);
    numbers[root] = added.at(-1)!;
    return sliced[root] === 1 ? added : [];
  }
  for (const i of chain.sums) {
    const node = nodes[i]!;
    numbers[i] = builder.add(
      withSources(
        node as GraphNode,
        node.sources.map((s) => numbers[s]!),
      ),
    );
  }
  return chain.sums.filter((i) => sliced[i] === 1).map((i) => numbers[i]!);
}

/** What is known of the terms of one sum. */
interface Terms {
  /** Those that nothing else uses. */
  readonly alone: ReadonlySet<number>;
  /** Whether its two right sides meet in many sums. */
  readonly often: boolean;
}

function joinTerms(builder: GraphBuilder, emitted: readonly number[], known: Terms): readonly number[] {
  const padded = joinPads(builder, emitted);
  const multiplied = joinProducts(builder, padded, known);
  return withoutZeros(builder, joinReductions(builder, multiplied, known));
}

/** Whether a product has an operand of zeros. As a term of a sum it may be one of many that are joined, and counts then. */
export const isZeroProduct = (nodes: readonly GraphNode[], node: GraphNode): boolean =>
  node.op === 'dot' && node.sources.some((s) => isZero(nodes, s));

/** Terms that are structurally zero add nothing; one of all zeros stays. */
function withoutZeros({ nodes }: GraphBuilder, terms: readonly number[]): readonly number[] {
  const rest = terms.filter((t) => !isZero(nodes, t) && !isZeroProduct(nodes, nodes[t]!));
  return rest.length === 0 ? terms.slice(0, 1) : rest;
}

/** The sums of the first term, the first two, and so on. */
function addAll(builder: GraphBuilder, terms: readonly number[]): number[] {
  const { shape, dtype } = builder.nodes[terms[0]!]!;
  const added = [terms[0]!];
  for (const t of terms.slice(1)) added.push(builder.emit('add', [added.at(-1)!, t], both, shape, dtype));
  return added;
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
  const whole = joinStacked(builder, sources, axis) ?? builder.emit('concat', sources, { axis }, shape, dtype);
  return [whole, ...terms.filter((_, i) => pieces[i] === null || pieces[i]!.axis !== axis)];
}

/**
 * The order in which joined terms stand. Those of a recurrence were recorded backwards, so this is the order of time, in which
 * other uses of the same operands stack them: they can share one storage.
 */
const latestFirst = (terms: readonly number[]): readonly number[] => [...terms].sort((a, b) => b - a);

/** Replaces products of one form by one whose first contracted axis is longer. */
function joinProducts(builder: GraphBuilder, terms: readonly number[], { alone, often }: Terms): readonly number[] {
  const { nodes } = builder;
  const first = terms.find((t) => nodes[t]!.op === 'dot');
  if (first === undefined) return terms;
  const form = nodes[first] as GraphNode<'dot'>;
  if (form.attrs.lhsContract.length === 0) return terms;
  const alike = latestFirst(terms.filter((t) => alone.has(t) && isAlike(nodes, form, nodes[t]!)));
  if (alike.length < 2) return terms;
  const sides = [0, 1].map((side) => alike.map((t) => nodes[t]!.sources[side]!));
  if (!isWorthJoining(nodes, alike.length, often ? sides.slice(0, 1) : sides)) return terms;
  const axes = [form.attrs.lhsContract[0]!, form.attrs.rhsContract[0]!];
  const joined = sides.map((list, side) => joinAlong(builder, list, axes[side]!));
  const longer = builder.emit('dot', joined, form.attrs, form.shape, form.dtype);
  return [longer, ...terms.filter((t) => !alike.includes(t))];
}

/** Whether the sources need not be copied into one storage, or there are many. */
const isWorthJoining = (nodes: readonly GraphNode[], count: number, sides: readonly (readonly number[])[]): boolean =>
  count >= worthCopying || sides.every((list) => list.every((s) => isComputed(nodes, s)));

/** Replaces sums over the same axes by one over a longer first axis. */
function joinReductions(builder: GraphBuilder, terms: readonly number[], { alone }: Terms): readonly number[] {
  const { nodes } = builder;
  const first = terms.find((t) => nodes[t]!.op === 'sum');
  if (first === undefined) return terms;
  const form = nodes[first] as GraphNode<'sum'>;
  const { shape } = nodes[form.sources[0]!]!;
  const isLike = (node: GraphNode): boolean =>
    node.op === 'sum' &&
    sameShape(node.attrs.axes, form.attrs.axes) &&
    sameShape(nodes[node.sources[0]!]!.shape, shape);
  const alike = latestFirst(terms.filter((t) => alone.has(t) && isLike(nodes[t]!)));
  const sources = alike.map((t) => nodes[t]!.sources[0]!);
  if (alike.length < worthCopying || !sources.every((s) => isComputed(nodes, s))) return terms;
  const joined = joinAlong(builder, sources, form.attrs.axes[0]!);
  const longer = builder.emit('sum', [joined], form.attrs, form.shape, form.dtype);
  return [longer, ...terms.filter((t) => !alike.includes(t))];
}

/** Pieces of a concat that are products with one right side, as one product of more rows; null if they are not. */
export function joinStacked(builder: GraphBuilder, sources: readonly number[], axis: number): number | null {
  const { nodes } = builder;
  const first = nodes[sources[0]!]!;
  // A stack is a concat of pieces with a new axis of size 1.
  const below = first.op === 'reshape' ? nodes[first.sources[0]!]! : first;
  const isStack =
    first.op === 'reshape' && first.shape[axis] === 1 && sameShape(below.shape, first.shape.toSpliced(axis, 1));
  if (first.op === 'reshape' && !isStack) return null;
  const pieces = isStack
    ? sources.map((s) =>
        sameShape(nodes[s]!.shape, first.shape) && nodes[s]!.op === 'reshape' ? nodes[s]!.sources[0]! : -1,
      )
    : sources;
  if (below.op !== 'dot' || pieces.length < worthCopying) return null;
  const rows = below.attrs.lhsBatch.length;
  const free = nodes[below.sources[0]!]!.shape.length - rows - below.attrs.lhsContract.length;
  if (axis < rows || axis >= rows + free) return null;
  for (const p of pieces) {
    if (
      p < 0 ||
      !sameShape(nodes[p]!.shape, below.shape) ||
      !isAlike(nodes, below, nodes[p]!) ||
      nodes[p]!.sources[1] !== below.sources[1]
    )
      return null;
  }
  const left = nodes[below.sources[0]!]!;
  const freeAxes = [...left.shape.keys()].filter(
    (a) => !below.attrs.lhsBatch.includes(a) && !below.attrs.lhsContract.includes(a),
  );
  const joined = joinAlong(
    builder,
    pieces.map((p) => nodes[p]!.sources[0]!),
    freeAxes[axis - rows]!,
  );
  const shape = below.shape.with(axis, below.shape[axis]! * pieces.length);
  const product = builder.emit('dot', [joined, below.sources[1]!], below.attrs, shape, below.dtype);
  if (!isStack) return product;
  const stacked = first.shape.with(axis, pieces.length);
  return builder.emit('reshape', [product], { shape: stacked }, stacked, first.dtype);
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
    const below = joinAlong(
      builder,
      sources.map((s) => nodes[s]!.sources[0]!),
      first.attrs.axes[axis]!,
    );
    const shape = first.shape.with(axis, first.shape[axis]! * sources.length);
    return builder.emit('permute', [below], first.attrs, shape, first.dtype);
  }
  const shape = first.shape.with(axis, first.shape[axis]! * sources.length);
  return builder.emit('concat', sources, { axis }, shape, first.dtype);
}

const isPermutedBy = (node: GraphNode, axes: readonly number[]): boolean =>
  node.op === 'permute' && sameShape(node.attrs.axes, axes);
