/**
 * Rewrites the program into the scheduler's operations and into cheaper forms of the same values. A window operation becomes a
 * reduction over a view; an operation on nothing becomes a number; operations that do nothing disappear. Nodes are
 * visited once, in order, and emitted through the sharing builder.
 */
import type { DType } from '../dtype';
import { type Shape, sameShape, sizeOf, withoutAxes } from '../shape';
import { type Graph, type GraphNode, withSources } from './graph';
import type { Program } from './program';
import { emitPhases, hasPhases } from './rewrite-phases';
import { emitPickedRows, emitPlacedRows } from './rewrite-picks';
import { emitThinDot } from './rewrite-products';
import { emitSliced, findSliced } from './rewrite-slices';
import { emitSum, findSums, isSum, isZeroProduct, joinStacked } from './rewrite-sums';
import { emitDepthwise, emitWindow, isDepthwise, lowestOf } from './rewrite-windows';
import { GraphBuilder } from './share';

/** The program as a graph of shared nodes, rewritten. */
export function rewrite(program: Program): Graph {
  const builder = new GraphBuilder();
  const numbers: number[] = [];
  const sums = findSums(program);
  const sliced = findSliced(program);
  const slicedNumbers = new Set<number>();
  const isTerm = new Uint8Array(program.nodes.length);
  for (const node of program.nodes) if (isSum(node)) for (const s of node.sources) isTerm[s] = 1;
  program.nodes.forEach((node, i) => {
    if (isSum(node)) {
      if (sums.inner[i] === 1) return;
      for (const sum of emitSum(builder, sums, i, numbers, sliced)) slicedNumbers.add(sum);
      return;
    }
    const rewired = withSources(
      node as GraphNode,
      node.sources.map((s) => numbers[s]!),
    );
    if (rewired.op === 'dot' && isTerm[i] === 0 && isZeroProduct(builder.nodes, rewired)) {
      numbers[i] = constantOf(builder, 0, node.shape, node.dtype);
      return;
    }
    numbers[i] = rewired.op === 'slice' ? emitSliced(builder, rewired, slicedNumbers) : emitRewritten(builder, rewired);
    if (sliced[i] === 1) slicedNumbers.add(numbers[i]!);
  });
  return {
    nodes: builder.nodes,
    outputs: program.outputs.map(({ node, into }) => ({
      node: numbers[node]!,
      into: into === null ? null : numbers[into]!,
    })),
  };
}

/** Emits one node in its cheapest form. */
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
      return sizeOf(nodes[node.sources[1]!]!.shape) === 0 ? node.sources[0]! : emitPlacedRows(builder, node);
    case 'gather':
      return emitPickedRows(builder, node);
    case 'dot':
      return emitThinDot(builder, node) ?? builder.add(node);
    case 'convolution':
      return emitConvolution(builder, node);
    case 'add':
    case 'mul':
    case 'div':
      return isIdentity(node) ? node.sources[0]! : builder.add(node);
    case 'concat':
      return emitConcat(builder, node);
    default:
      return builder.add(node);
  }
}

/** A convolution, or what computes its values with less work. */
function emitConvolution(builder: GraphBuilder, node: GraphNode<'convolution'>): number {
  const [data, kernel] = node.sources.map((s) => builder.nodes[s]!.shape);
  if (isDepthwise(node, data!)) return emitDepthwise(builder, node);
  if (hasPhases(node, kernel!)) return emitPhases(builder, node, (part) => emitConvolution(builder, part));
  return builder.add(node);
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

/** x + 0, x · 1 and x / 1, where the number belongs to the structure. */
function isIdentity(node: GraphNode<'add' | 'mul' | 'div'>): boolean {
  const { operands } = node.attrs;
  const neutral = node.op === 'add' ? 0 : 1;
  if (node.sources.length !== 1 || node.args[0] !== -1) return false;
  return operands[1] === neutral || (operands[0] === neutral && node.op !== 'div');
}

/** Axes of size 1 need no reduction; a reduction whose rows are too few to share out has two stages. */
function emitReduce(builder: GraphBuilder, node: GraphNode<'sum' | 'prod' | 'max_reduce' | 'min_reduce'>): number {
  const source = builder.nodes[node.sources[0]!]!;
  const axes = node.attrs.axes.filter((a) => source.shape[a] !== 1);
  if (axes.length > 0) return emitStages(builder, node, source.shape);
  return emitReshape(builder, { ...node, op: 'reshape', attrs: { shape: node.shape } } as GraphNode<'reshape'>);
}

/** Empty pieces are dropped. */
function emitConcat(builder: GraphBuilder, node: GraphNode<'concat'>): number {
  const sources = node.sources.filter((s) => sizeOf(builder.nodes[s]!.shape) > 0);
  if (sources.length === 0) return constantOf(builder, 0, node.shape, node.dtype);
  if (sources.length === 1) return sources[0]!;
  return joinStacked(builder, sources, node.attrs.axis) ?? builder.add({ ...node, sources });
}

/** Rows fewer than this leave most threads idle; a reduction of more elements than this is worth a second stage. */
const fewRows = 8;
const longReduction = 65536;
/** How many partial results to aim at; the number depends on the shape alone. */
const wantedParts = 64;

function emitStages(
  builder: GraphBuilder,
  node: GraphNode<'sum' | 'prod' | 'max_reduce' | 'min_reduce'>,
  from: Shape,
): number {
  const { axes } = node.attrs;
  const reduced = axes.reduce((n, a) => n * from[a]!, 1);
  if (reduced < longReduction || sizeOf(node.shape) >= fewRows) return builder.add(node);
  for (const axis of axes) {
    const parts = bestDivisor(from[axis]!);
    if (parts < fewRows) continue;
    const split = [...from.slice(0, axis), parts, from[axis]! / parts, ...from.slice(axis + 1)];
    const view = emitReshape(builder, {
      ...node,
      op: 'reshape',
      attrs: { shape: split },
      shape: split,
      dtype: builder.nodes[node.sources[0]!]!.dtype,
    } as GraphNode<'reshape'>);
    const first = axes.map((a) => (a < axis ? a : a + 1)).filter((a) => split[a] !== 1);
    if (first.length === 0) continue;
    const partial = builder.emit(node.op, [view], { axes: first }, withoutAxes(split, first), node.dtype);
    const at = axis - first.filter((a) => a < axis).length;
    const whole = builder.emit(
      node.op,
      [partial],
      { axes: [at] },
      withoutAxes(withoutAxes(split, first), [at]),
      node.dtype,
    );
    return emitReshape(builder, {
      ...node,
      op: 'reshape',
      sources: [whole],
      attrs: { shape: node.shape },
    } as GraphNode<'reshape'>);
  }
  return builder.add(node);
}

/** The divisor nearest to the wanted number of parts, by ratio. */
function bestDivisor(n: number): number {
  let best = 1;
  const distance = (d: number): number => Math.abs(Math.log(d / wantedParts));
  for (let d = 1; d <= Math.min(n, wantedParts * 8); d++) if (n % d === 0 && distance(d) < distance(best)) best = d;
  return best;
}
