/**
 * Products that are no matrix products: one without contraction is a multiplication, one of rows with rows a sum of
 * multiplications. Both fuse with what surrounds them, which a contraction's operands cannot.
 */
import { sizeOf } from '../shape';
import { formOf } from './contraction';
import type { GraphNode } from './graph';
import type { GraphBuilder } from './share';

const both = { operands: [null, null] } as const;

/** The product in elementwise form, or null if it is better as a contraction. */
export function emitThinDot(builder: GraphBuilder, node: GraphNode<'dot'>): number | null {
  const { nodes } = builder;
  const [lhs, rhs] = node.sources.map((s) => nodes[s]!);
  const { batch, m, n, k } = formOf(node, lhs!.shape, rhs!.shape, false);
  const [rows, columns, depth] = [sizeOf(m), sizeOf(n), sizeOf(k)];
  if (depth !== 1 && (rows !== 1 || columns !== 1)) return null;
  const { lhsBatch, rhsBatch, lhsContract, rhsContract } = node.attrs;
  const space = [...batch, ...m, ...n, ...k];
  const ones = (list: readonly number[]): number[] => list.map(() => 1);
  const left = laidOut(builder, node.sources[0]!, lhsBatch, lhsContract, [...batch, ...m, ...ones(n), ...k], space);
  const right = laidOut(builder, node.sources[1]!, rhsBatch, rhsContract, [...batch, ...ones(m), ...n, ...k], space);
  const product = builder.emit('mul', [left, right], both, space, node.dtype);
  if (depth === 1) return builder.emit('reshape', [product], { shape: node.shape }, node.shape, node.dtype);
  const axes = k.map((_, i) => node.shape.length + i);
  return builder.emit('sum', [product], { axes }, node.shape, node.dtype);
}

/** An operand with its axes in the order batch, free, contracted, stretched over the space of the product. */
function laidOut(
  builder: GraphBuilder,
  source: number,
  batch: readonly number[],
  contract: readonly number[],
  thin: readonly number[],
  space: readonly number[],
): number {
  const { shape, dtype } = builder.nodes[source]!;
  const free = [...shape.keys()].filter((a) => !batch.includes(a) && !contract.includes(a));
  const axes = [...batch, ...free, ...contract];
  const ordered = axes.every((a, i) => a === i)
    ? source
    : builder.emit(
        'permute',
        [source],
        { axes },
        axes.map((a) => shape[a]!),
        dtype,
      );
  const wide = builder.emit('reshape', [ordered], { shape: thin }, thin, dtype);
  return thin.every((n, i) => n === space[i]) ? wide : builder.emit('expand', [wide], { shape: space }, space, dtype);
}
