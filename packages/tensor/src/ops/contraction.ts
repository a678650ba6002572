/**
 * Contractions: `dot` over any batch and contraction axes, and `convolution` of any rank with stride, padding, groups and
 * dilation of both operands. Both are closed under differentiation: their gradients are again one of each.
 */
import { promote } from '../dtype';
import { ShapeError, ValueError } from '../errors';
import type { ConvolutionSpec, Node, OpAttributes } from '../graph/node';
import { showShape } from '../shape';
import { cast } from './elementwise';
import { record } from './record';

const numeric = (operation: string, a: Node, b: Node): [Node, Node] => {
  const met = promote(operation, a.dtype, b.dtype);
  const dtype = met === 'bool' || met === 'u8' ? 'i32' : met;
  return [cast(a, dtype), cast(b, dtype)];
};

/** out[batch…, lhs free…, rhs free…] = Σ lhs · rhs over the contracted axes. */
export function dot(lhs: Node, rhs: Node, axes: OpAttributes['dot']): Node {
  const [a, b] = numeric('dot', lhs, rhs);
  const pairs = [
    ...axes.lhsBatch.map((x, i) => [x, axes.rhsBatch[i]!] as const),
    ...axes.lhsContract.map((x, i) => [x, axes.rhsContract[i]!] as const),
  ];
  for (const [i, j] of pairs) {
    if (a.shape[i] !== b.shape[j]) {
      throw new ShapeError(
        `dot: axis ${i} of ${showShape(a.shape)} and axis ${j} of ${showShape(b.shape)} differ (${a.shape[i]} ≠ ${b.shape[j]}).`,
      );
    }
  }
  const free = (x: Node, batch: readonly number[], contract: readonly number[]): number[] =>
    x.shape.filter((_, i) => !batch.includes(i) && !contract.includes(i));
  const shape = [
    ...axes.lhsBatch.map((i) => a.shape[i]!),
    ...free(a, axes.lhsBatch, axes.lhsContract),
    ...free(b, axes.rhsBatch, axes.rhsContract),
  ];
  return record('dot', [a, b], axes, shape, a.dtype);
}

/** Size of one spatial axis of a convolution's result. */
export function convolvedSize(
  n: number,
  k: number,
  axis: number,
  spec: Pick<ConvolutionSpec, 'stride' | 'padding' | 'lhsDilation' | 'rhsDilation'>,
): number {
  const [low, high] = spec.padding[axis]!;
  const data = Math.max(n - 1, 0) * spec.lhsDilation[axis]! + Math.min(n, 1) + low + high;
  const kernel = (k - 1) * spec.rhsDilation[axis]! + 1;
  return Math.floor((data - kernel) / spec.stride[axis]!) + 1;
}

/** Cross-correlation of [N, C, spatial…] with [O, C / groups, kernel…]. */
export function convolution(lhs: Node, rhs: Node, spec: ConvolutionSpec): Node {
  const [x, w] = numeric('convolution', lhs, rhs);
  const rank = x.shape.length - 2;
  if (rank < 0 || w.shape.length !== x.shape.length) {
    throw new ShapeError(
      `convolution: data ${showShape(x.shape)} and weight ${showShape(w.shape)} differ in rank. Data is [N, C, spatial…], weight [O, C / groups, kernel…].`,
    );
  }
  checkGroups(x, w, spec.groups);
  const sizes = x.shape.slice(2).map((n, i) => convolvedSize(n, w.shape[i + 2]!, i, spec));
  if (sizes.some((n) => n < 0)) {
    throw new ShapeError(
      `convolution: the kernel ${showShape(w.shape.slice(2))} is larger than the padded data ${showShape(x.shape.slice(2))}. Pad more, or use a smaller kernel.`,
    );
  }
  return record('convolution', [x, w], spec, [x.shape[0]!, w.shape[0]!, ...sizes], x.dtype);
}

function checkGroups(x: Node, w: Node, groups: number): void {
  if (!Number.isInteger(groups) || groups < 1 || x.shape[1]! % groups !== 0 || w.shape[0]! % groups !== 0) {
    throw new ValueError(
      `convolution: ${groups} groups do not divide ${x.shape[1]} input and ${w.shape[0]} output channels. Choose a common divisor.`,
    );
  }
  if (w.shape[1] !== x.shape[1]! / groups) {
    throw new ShapeError(
      `convolution: data ${showShape(x.shape)} has ${x.shape[1]! / groups} channels a group, but weight ${showShape(w.shape)} takes ${w.shape[1]}. Weight is [O, C / groups, kernel…].`,
    );
  }
}
