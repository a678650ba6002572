/**
 * Slices of elementwise work. Where a value is used only in slices that together are no larger than it (the gates of a
 * recurrent cell are quarters of one sum), the slices are taken before the work rather than after: it is the same work, but
 * no value is stored only to be cut up. Slices that are read from storage anyway stay slices of one stored value.
 */
import { sizeOf } from '../shape';
import { classOf, type GraphNode, pointwise } from './graph';
import type { Program, ProgramNode } from './program';
import type { GraphBuilder } from './share';

/** A longer chain of operations is left alone. */
const deepest = 16;

/** 1 for each program node whose slices are better taken of its sources. */
export function findSliced({ nodes, outputs }: Program): Uint8Array {
  const raw = findRaw(nodes, outputs);
  const ofProduct = findOfProduct(nodes);
  const sliced = new Uint8Array(nodes.length);
  const depth = new Uint8Array(nodes.length);
  const stays = Uint8Array.from(raw);
  /** Elements of all slices that are taken of a node, or would be once its users are pushed through. */
  const taken = new Float64Array(nodes.length);
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    const fits = stays[i] === 0 && taken[i]! > 0 && taken[i]! <= sizeOf(node.shape) && depth[i]! < deepest;
    if (fits && ofProduct[i] === 1) sliced[i] = 1;
    for (const s of node.sources) {
      if (node.op === 'slice' && raw[i] === 0 && node.sources.length === 1) taken[s]! += sizeOf(node.shape);
      else if (sliced[i] === 1) {
        taken[s]! += taken[i]!;
        depth[s] = Math.max(depth[s]!, depth[i]! + 1);
      } else stays[s] = 1;
    }
  }
  return sliced;
}

/** 1 for each node that is elementwise work on a product: what reads its slices can follow in the product's kernel. */
function findOfProduct(nodes: readonly ProgramNode[]): Uint8Array {
  const of = new Uint8Array(nodes.length);
  const isProduct = (s: number): boolean => nodes[s]!.op === 'dot' || nodes[s]!.op === 'convolution';
  nodes.forEach((node, i) => {
    if (pointwise.has(node.op) && node.sources.some((s) => of[s] === 1 || isProduct(s))) of[i] = 1;
  });
  return of;
}

/** 1 for each node that is read from storage, by itself or through views. */
function findRaw(nodes: readonly ProgramNode[], outputs: Program['outputs']): Uint8Array {
  const raw = new Uint8Array(nodes.length);
  for (const { node } of outputs) raw[node] = 1;
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    const kind = classOf[node.op];
    const reads =
      kind === 'producer' ||
      kind === 'concat' ||
      kind === undefined ||
      node.op === 'gather' ||
      (kind === 'movement' && raw[i] === 1);
    if (reads) for (const s of node.sources) raw[s] = 1;
  }
  return raw;
}

/**
 * Emits a slice, taken as far down as elementwise work may be sliced.
 *
 * @param sliced - numbers of the builder's nodes that `findSliced` named
 */
export function emitSliced(builder: GraphBuilder, slice: GraphNode<'slice'>, sliced: ReadonlySet<number>): number {
  const index = slice.sources[0]!;
  const source = builder.nodes[index]!;
  if (!sliced.has(index) || !pointwise.has(source.op)) return builder.add(slice);
  const { attrs, shape, args } = slice;
  const sources = source.sources.map((s) => {
    const part = { op: 'slice', sources: [s], attrs, shape, dtype: builder.nodes[s]!.dtype, args };
    return emitSliced(builder, part as GraphNode<'slice'>, sliced);
  });
  return builder.add({
    op: source.op,
    sources,
    attrs: source.attrs,
    shape,
    dtype: source.dtype,
    args: source.args,
  } as GraphNode);
}
