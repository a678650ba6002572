/**
 * Decides which values must exist in storage whatever the clusters will be, and gives each of them a node that is computed
 * into just that storage: outputs, pieces of a concat, and operands that a kernel can only read (of a contraction, scatter,
 * scan or sort, the source of a gather, a run-time start). Where such a value is a mere view or number, a `copy` stands
 * for it; a copy of something computed costs nothing later, for it joins the cluster of what it copies.
 */
import { type Shape, sizeOf } from '../shape';
import { mergesImages } from './contraction';
import { classOf, type Graph, type GraphNode, isMovement, withSources } from './graph';
import type { ProgramOutput } from './program';
import { GraphBuilder } from './share';

/** The graph in which every value that must be stored is a node that can be. */
export function materialise(graph: Graph): Graph {
  const builder = new GraphBuilder();
  const numbers: number[] = [];
  const made: Made = { copies: new Map(), within: new Set() };
  for (const node of graph.nodes) {
    const sources = node.sources.map((s) => numbers[s]!);
    numbers.push(builder.addFresh(withSources(node, storedSources(builder, node, sources, made))));
  }
  const taken = new Set<number>();
  const outputs = graph.outputs.map(({ node, into }): ProgramOutput => {
    let number = numbers[node]!;
    if (taken.has(number) || !canBeOutput(builder.nodes[number]!)) number = copyOf(builder, number);
    taken.add(number);
    return { node: number, into: into === null ? null : numbers[into]! };
  });
  return { nodes: builder.nodes, outputs };
}

/** Outputs are row-major, which a convolution that merges its images is not. */
function canBeOutput(node: GraphNode): boolean {
  const kind = classOf[node.op];
  if (kind === 'data' || kind === 'index' || kind === 'movement') return false;
  return node.op !== 'convolution' || !mergesImages(node);
}

function copyOf(builder: GraphBuilder, source: number): number {
  const { shape, dtype } = builder.nodes[source]!;
  return builder.addFresh({ op: 'copy', sources: [source], attrs: {}, shape, dtype, args: [] });
}

/** What was made for earlier nodes. */
interface Made {
  /** For each view or number its copy that operands share. */
  readonly copies: Map<number, number>;
  /** Concats that will lie within another. */
  readonly within: Set<number>;
}

/**
 * A piece of a concat. One that is itself a concat lies within the whole; if it already lies within another whole, its
 * pieces are written here once more, by those who compute them.
 */
function pieceOf(builder: GraphBuilder, source: number, { within }: Made): number {
  const node = builder.nodes[source]!;
  if (node.op !== 'concat') return copyOf(builder, source);
  if (!within.has(source)) {
    within.add(source);
    return copyOf(builder, source);
  }
  const again = node.sources.map((s) => copyOf(builder, builder.nodes[s]!.sources[0]!));
  return copyOf(builder, builder.addFresh(withSources(node, again)));
}

function storedSources(
  builder: GraphBuilder,
  node: GraphNode,
  sources: readonly number[],
  made: Made,
): readonly number[] {
  const { nodes } = builder;
  const orCopy = (s: number, fits: boolean): number => {
    if (fits) return s;
    const known = made.copies.get(s) ?? copyOf(builder, s);
    made.copies.set(s, known);
    return known;
  };
  if (sizeOf(node.shape) === 0) return sources;
  if (node.op === 'concat') return sources.map((s) => pieceOf(builder, s, made));
  if (node.op === 'gather') return [orCopy(sources[0]!, hasEvenAxis(nodes, sources[0]!, node.attrs.axis)), sources[1]!];
  if (node.op === 'scatter') {
    const zeros = isZero(nodes, sources[0]!);
    return sources.map((s, i) => (i === 0 && zeros ? s : orCopy(s, isReadable(nodes, s))));
  }
  if (classOf[node.op] === 'producer') return sources.map((s) => orCopy(s, isReadable(nodes, s)));
  // Run-time starts follow the value.
  if (sources.length > 1 && (node.op === 'slice' || node.op === 'pad')) {
    return sources.map((s, i) => (i === 0 ? s : orCopy(s, isFixedElement(nodes, s))));
  }
  return sources;
}

/** Whether all elements are structurally zero. */
export function isZero(nodes: readonly GraphNode[], node: number): boolean {
  while (isMovement(nodes[node]!)) {
    const view = nodes[node]!;
    if (view.op === 'pad' && view.attrs.value !== 0) return false;
    node = view.sources[0]!;
  }
  const base = nodes[node]!;
  return base.op === 'constant' && base.attrs.value === 0 && base.args[0] === -1;
}

const endsInStorage = (node: GraphNode): boolean => classOf[node.op] !== 'index';

/** Whether a value can be read from storage through its views, with zeros outside. */
function isReadable(nodes: readonly GraphNode[], node: number): boolean {
  while (isMovement(nodes[node]!)) {
    const view = nodes[node]!;
    if ((view.op === 'pad' || view.op === 'windows') && view.attrs.value !== 0) return false;
    node = view.sources[0]!;
  }
  return endsInStorage(nodes[node]!);
}

/** Whether a stored value's elements along an axis lie at equal distances under its views. */
function hasEvenAxis(nodes: readonly GraphNode[], node: number, axis: number): boolean {
  while (isMovement(nodes[node]!)) {
    const view = nodes[node]!;
    const source = nodes[view.sources[0]!]!;
    if (view.op === 'pad' || view.op === 'windows') return false;
    if (view.op === 'permute') axis = view.attrs.axes[axis]!;
    if (view.op === 'reshape') {
      const kept = keptAxis(view.shape, source.shape, axis);
      if (kept < 0) return false;
      axis = kept;
    }
    node = view.sources[0]!;
  }
  return endsInStorage(nodes[node]!);
}

/** The axis of `to` that is axis `axis` of `from` under a reshape: same size, same product of those behind. */
function keptAxis(from: Shape, to: Shape, axis: number): number {
  const behind = sizeOf(from.slice(axis + 1));
  for (let i = 0; i < to.length; i++) if (to[i] === from[axis] && sizeOf(to.slice(i + 1)) === behind) return i;
  return -1;
}

/** Whether a scalar is one element of storage whose place the structure fixes. */
function isFixedElement(nodes: readonly GraphNode[], node: number): boolean {
  while (isMovement(nodes[node]!)) {
    const view = nodes[node]!;
    if (view.op === 'pad' || view.op === 'windows') return false;
    if (view.op === 'slice' && (view.sources.length > 1 || view.args.some((a) => a >= 0))) return false;
    node = view.sources[0]!;
  }
  return endsInStorage(nodes[node]!);
}
