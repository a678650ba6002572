/**
 * A gather of one element a row, and the scatter that is its gradient, as a comparison with the position: elementwise work and
 * a sum, which fuse with what surrounds them (the picked log-probability of a cross entropy is never stored), where a
 * gather would need the whole row in storage.
 */
import { isFloat } from '../dtype';
import type { Shape } from '../shape';
import { baseOf, type GraphNode } from './graph';
import type { GraphBuilder } from './share';

/** Longer rows cost more than what fusion saves. */
const longestRow = 4096;

const both = { operands: [null, null] } as const;

/** Whether the row positions equal the index of the row, which is checked; bool of the shape of the row's tensor. */
function positionIs(
  builder: GraphBuilder,
  index: number,
  { op, attrs: { axis, operation = op } }: GraphNode<'gather' | 'scatter'>,
  shape: Shape,
): number {
  const position = builder.emit('iota', [], { axis }, shape, 'i32');
  const inside = builder.emit('check', [index], { limit: shape[axis]!, operation }, builder.nodes[index]!.shape, 'i32');
  const wide = builder.emit('expand', [inside], { shape }, shape, 'i32');
  return builder.emit('eq', [position, wide], both, shape, 'bool');
}

/** Σ where(position = index, x, 0); or the gather itself where that is better. */
export function emitPickedRows(builder: GraphBuilder, node: GraphNode<'gather'>): number {
  const { nodes } = builder;
  const { axis } = node.attrs;
  const [x, index] = node.sources as readonly [number, number];
  const { shape, dtype } = nodes[x]!;
  const length = shape[axis]!;
  const isPick = node.shape[axis] === 1 && length > 1 && length <= longestRow && isFloat(dtype) && dtype !== 'f16';
  if (!isPick || nodes[baseOf(nodes, x)]!.op === 'data') return builder.add(node);
  const here = positionIs(builder, index, node, shape);
  const alone = builder.emit('where', [here, x], { operands: [null, null, 0] }, shape, dtype, [-1]);
  const without = shape.filter((_, i) => i !== axis);
  const sum = builder.emit('sum', [alone], { axes: [axis] }, without, dtype);
  return builder.emit('reshape', [sum], { shape: node.shape }, node.shape, dtype);
}

/** where(position = index, update, base), or base + that; or the scatter itself where rows have several updates. */
export function emitPlacedRows(builder: GraphBuilder, node: GraphNode<'scatter'>): number {
  const { nodes } = builder;
  const { axis, mode } = node.attrs;
  const [base, index, update] = node.sources as readonly [number, number, number];
  const { shape, dtype } = node;
  const length = shape[axis]!;
  if (nodes[index]!.shape[axis] !== 1 || length < 2 || length > longestRow) return builder.add(node);
  const here = positionIs(builder, index, node, shape);
  const wide = builder.emit('expand', [update], { shape }, shape, dtype);
  if (mode === 'set') return builder.emit('where', [here, wide, base], { operands: [null, null, null] }, shape, dtype);
  const alone = builder.emit('where', [here, wide], { operands: [null, null, 0] }, shape, dtype, [-1]);
  const zero = nodes[baseOf(nodes, base)]!;
  const isZero = zero.op === 'constant' && zero.attrs.value === 0 && zero.args[0] === -1 && !hasFill(nodes, base);
  return isZero ? alone : builder.emit('add', [base, alone], both, shape, dtype);
}

/** Whether a view on the way to the base shows another number than the base's. */
function hasFill(nodes: readonly GraphNode[], node: number): boolean {
  for (let view = nodes[node]!; view.sources.length > 0; view = nodes[view.sources[0]!]!) {
    if ((view.op === 'pad' || view.op === 'windows') && view.attrs.value !== 0) return true;
  }
  return false;
}
