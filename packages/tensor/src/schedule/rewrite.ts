/**
 * Rewrites the program into the scheduler's operations and into cheaper forms of the same values. A window operation becomes a
 * reduction over a view; an operation on nothing becomes a number; operations that do nothing disappear. Nodes are
 * visited once, in order, and emitted through the sharing builder.
 */
import type { DType } from '../dtype';
import type { Window } from '../graph/node';
import { sameShape, type Shape, sizeOf } from '../shape';
import type { Graph, GraphAttributes, GraphNode, GraphOp } from './graph';
import { lowestOf } from './kernel-builder';
import type { Program } from './program';
import { GraphBuilder } from './share';

/** The program as a graph of shared nodes, rewritten. */
export function rewrite(program: Program): Graph {
  const builder = new GraphBuilder();
  const numbers: number[] = [];
  for (const node of program.nodes) {
    const sources = node.sources.map((s) => numbers[s]!);
    numbers.push(emitRewritten(builder, { ...node, sources } as GraphNode));
  }
  return {
    nodes: builder.nodes,
    outputs: program.outputs.map(({ node, into }) => ({ node: numbers[node]!, into: into === null ? null : numbers[into]! })),
  };
}

function emitRewritten(builder: GraphBuilder, node: GraphNode): number {
  const { nodes } = builder;
  const source = nodes[node.sources[0]!];
  if (source !== undefined && sizeOf(node.shape) > 0) {
    const empty = emptyValue(node, nodes);
    if (empty !== null) return constantOf(builder, empty, node.shape, node.dtype);
  }
  switch (node.op) {
    case 'custom':
      throw new Error(`internal: ${node.attrs.definition.name} reached the scheduler undecomposed.`);
    case 'window_sum':
    case 'window_max':
    case 'window_argmax':
      return emitWindow(builder, node);
    case 'reshape':
      return emitReshape(builder, node);
    case 'expand':
      return sameShape(source!.shape, node.shape) ? node.sources[0]! : builder.add(node);
    case 'permute':
      return emitPermute(builder, node);
    case 'cast':
    case 'bitcast':
      return source!.dtype === node.dtype ? node.sources[0]! : builder.add(node);
    case 'sum':
    case 'prod':
    case 'max_reduce':
    case 'min_reduce':
      return emitReduce(builder, node);
    case 'argmax':
      return source!.shape[node.attrs.axes[0]!] === 1 ? constantOf(builder, 0, node.shape, 'i32') : builder.add(node);
    case 'scatter':
      return sizeOf(nodes[node.sources[1]!]!.shape) === 0 ? node.sources[0]! : builder.add(node);
    case 'concat':
      return emitConcat(builder, node);
    default:
      return builder.add(node);
  }
}

const constantOf = (builder: GraphBuilder, value: number, shape: Shape, dtype: DType): number =>
  builder.emit('constant', [], { value }, shape, dtype, [-1]);

/** The number that every element of a node is because it is made of no elements; null if it has some. */
function emptyValue(node: GraphNode, nodes: readonly GraphNode[]): number | null {
  if (!node.sources.slice(0, 2).some((s) => sizeOf(nodes[s]!.shape) === 0)) return null;
  switch (node.op) {
    case 'sum':
    case 'dot':
    case 'convolution':
    case 'window_sum':
      return 0;
    case 'prod':
      return 1;
    case 'pad':
      return node.attrs.value;
    case 'window_max':
      return lowestOf(node.dtype);
    case 'window_argmax':
      return 0;
    default:
      return null;
  }
}

/** Reshapes of reshapes are one; to the same shape, none. */
function emitReshape(builder: GraphBuilder, node: GraphNode<'reshape'>): number {
  let from = node.sources[0]!;
  while (builder.nodes[from]!.op === 'reshape') from = builder.nodes[from]!.sources[0]!;
  if (sameShape(builder.nodes[from]!.shape, node.shape)) return from;
  return builder.add({ ...node, sources: [from] });
}

function emitPermute(builder: GraphBuilder, node: GraphNode<'permute'>): number {
  const inner = builder.nodes[node.sources[0]!]!;
  const below = inner.op === 'permute' ? inner.attrs.axes : null;
  const axes = below === null ? node.attrs.axes : node.attrs.axes.map((a) => below[a]!);
  const from = below === null ? node.sources[0]! : inner.sources[0]!;
  if (axes.every((a, i) => a === i)) return from;
  return builder.add({ ...node, attrs: { axes }, sources: [from] });
}

/** Axes of size 1 need no reduction. */
function emitReduce(builder: GraphBuilder, node: GraphNode<'sum' | 'prod' | 'max_reduce' | 'min_reduce'>): number {
  const source = builder.nodes[node.sources[0]!]!;
  const axes = node.attrs.axes.filter((a) => source.shape[a] !== 1);
  if (axes.length > 0) return builder.add(node);
  return emitReshape(builder, { ...node, op: 'reshape', attrs: { shape: node.shape } } as GraphNode<'reshape'>);
}

/** Empty pieces are dropped. */
function emitConcat(builder: GraphBuilder, node: GraphNode<'concat'>): number {
  const sources = node.sources.filter((s) => sizeOf(builder.nodes[s]!.shape) > 0);
  if (sources.length === 0) return constantOf(builder, 0, node.shape, node.dtype);
  return sources.length === 1 ? sources[0]! : builder.add({ ...node, sources });
}

/** A window operation as a reduction over a view [outer…, windows…, size…]. */
function emitWindow(builder: GraphBuilder, node: GraphNode<'window_sum' | 'window_max' | 'window_argmax'>): number {
  const window = node.attrs;
  const source = builder.nodes[node.sources[0]!]!;
  const value = node.op === 'window_sum' ? 0 : lowestOf(source.dtype);
  const rank = node.shape.length;
  const axes = window.size.map((_, i) => rank + i);
  const view = builder.emit('windows', node.sources, { ...window, value }, [...node.shape, ...window.size], source.dtype);
  if (node.op === 'window_argmax') {
    const alone = sizeOf(window.size) === 1;
    return flatIndex(builder, node, alone ? constantOf(builder, 0, node.shape, 'i32') : builder.emit('argmax', [view], { axes }, node.shape, 'i32'));
  }
  return emitReduce(builder, { ...node, op: node.op === 'window_sum' ? 'sum' : 'max_reduce', sources: [view], attrs: { axes } } as GraphNode<'sum'>);
}

/** The flat index in the plane of the largest element, given its position within its window. */
function flatIndex(builder: GraphBuilder, node: GraphNode, position: number): number {
  const { size, stride, dilation, padding } = node.attrs as Window;
  const { shape } = node;
  const plane = builder.nodes[node.sources[0]!]!.shape.slice(-size.length);
  const outer = shape.length - size.length;
  const with_ = (op: 'add' | 'mul' | 'div' | 'mod' | 'max' | 'min', x: number, by: number): number => withNumber(builder, op, x, by);
  let rest = position;
  let flat = -1;
  let step = 1;
  for (let i = size.length - 1; i >= 0; i--) {
    const offset = i === 0 ? rest : with_('mod', rest, size[i]!);
    rest = i === 0 ? rest : with_('div', rest, size[i]!);
    const window = builder.emit('iota', [], { axis: outer + i }, shape, 'i32');
    const [low, high] = padding[i]!;
    let at = with_('add', with_('mul', window, stride[i]!), -low);
    at = builder.emit('add', [at, with_('mul', offset, dilation[i]!)], { operands: [null, null] }, shape, 'i32', []);
    // Where a whole window is −∞ its first place is the largest, also in the padding: move on to the first element.
    if (low > 0) {
      const first = dilation[i]! === 1 ? builder.emit('constant', [], { value: 0 }, shape, 'i32', [-1]) : with_('mod', at, dilation[i]!);
      const outside = builder.emit('lt', [at], { operands: [null, 0] }, shape, 'bool', [-1]);
      at = builder.emit('where', [outside, first, at], { operands: [null, null, null] }, shape, 'i32', []);
    }
    if (high > (size[i]! - 1) * dilation[i]!) at = with_('min', at, plane[i]! - 1);
    const scaled = with_('mul', at, step);
    flat = flat < 0 ? scaled : builder.emit('add', [flat, scaled], { operands: [null, null] }, shape, 'i32', []);
    step *= plane[i]!;
  }
  return flat;
}

function withNumber(builder: GraphBuilder, op: 'add' | 'mul' | 'div' | 'mod' | 'max' | 'min', x: number, by: number): number {
  const { shape, dtype } = builder.nodes[x]!;
  if ((op === 'add' && by === 0) || ((op === 'mul' || op === 'div') && by === 1)) return x;
  if (op === 'mod' && by === 1) return builder.emit('constant', [], { value: 0 }, shape, dtype, [-1]);
  return builder.emit(op as GraphOp & ('add' | 'mul'), [x], { operands: [null, by] } as GraphAttributes['add'], shape, dtype, [-1]);
}
