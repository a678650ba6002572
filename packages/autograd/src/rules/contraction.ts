/**
 * Gradients of contractions, which are contractions again: that of a `dot` is a dot of the cotangent with the other
 * operand, and those of a convolution are convolutions in which stride and dilation have changed places.
 */
import type { ConvolutionSpec, Node, Op, OpAttributes, Tensor } from '@dl/tensor';
import { permuted } from './movement';
import { axesOf, type Cotangent, type Rule, type Step } from './rule';

/** The axes of one operand of a `dot`, and where its free axes are in the result. */
interface Side {
  readonly tensor: Tensor;
  readonly batch: readonly number[];
  readonly contract: readonly number[];
  readonly free: readonly number[];
  readonly inResult: readonly number[];
}

function sides(lhs: Tensor, rhs: Tensor, axes: OpAttributes['dot']): [Side, Side] {
  const freeOf = (t: Tensor, batch: readonly number[], contract: readonly number[]): number[] =>
    axesOf(t.rank).filter((a) => !batch.includes(a) && !contract.includes(a));
  const left = freeOf(lhs, axes.lhsBatch, axes.lhsContract);
  const right = freeOf(rhs, axes.rhsBatch, axes.rhsContract);
  const first = axes.lhsBatch.length;
  const [batch, inResult] = [axes.lhsBatch, left.map((_, i) => first + i)];
  return [
    { tensor: lhs, batch, contract: axes.lhsContract, free: left, inResult },
    {
      tensor: rhs,
      batch: axes.rhsBatch,
      contract: axes.rhsContract,
      free: right,
      inResult: right.map((_, i) => first + left.length + i),
    },
  ];
}

/** Whether the contracted axes of a tensor lie before its free ones in memory, as far as a permutation tells. */
function contractsFirst({ tensor, contract, free }: Side): boolean {
  const { node } = tensor;
  const place = (a: number): number => (node.op === 'permute' ? (node as Node<'permute'>).attrs.axes[a]! : a);
  return Math.min(...contract.map(place)) < Math.min(...free.map(place));
}

/** The cotangent of one side: Σ over the other's free axes of g · other, with its axes put back in order. */
function ofSide(g: Tensor, own: Side, other: Side): Tensor {
  const batch = axesOf(own.batch.length);
  const rest = other.contract.map((a, i) => [a, own.contract[i]!] as const).sort(([a], [b]) => a - b);
  const contracted = rest.map(([, a]) => a);
  const first = contractsFirst(own);
  const product = first
    ? other.tensor.dot(g, {
        lhsBatch: other.batch,
        rhsBatch: batch,
        lhsContract: other.free,
        rhsContract: other.inResult,
      })
    : g.dot(other.tensor, {
        lhsBatch: batch,
        rhsBatch: other.batch,
        lhsContract: other.inResult,
        rhsContract: other.free,
      });
  const labels = [...own.batch, ...(first ? [...contracted, ...own.free] : [...own.free, ...contracted])];
  return permuted(
    product,
    axesOf(own.tensor.rank).map((a) => labels.indexOf(a)),
  );
}

function dot({ attrs, g, x, wants }: Step<'dot'>): Cotangent[] {
  const [lhs, rhs] = sides(x[0]!, x[1]!, attrs);
  return [wants(0) ? ofSide(g, lhs, rhs) : null, wants(1) ? ofSide(g, rhs, lhs) : null];
}

const spatial = (t: Tensor): number[] => axesOf(t.rank).slice(2);

/**
 * The cotangent of the data: the cotangent's elements `stride` apart, against the kernel turned round with its channels
 * exchanged within each group. A data element i is met where p · stride + k · rhsDilation = i · lhsDilation + low.
 */
function ofData(g: Tensor, x: Tensor, w: Tensor, spec: ConvolutionSpec): Tensor {
  const [outputs, inputs, ...kernel] = w.shape as [number, number, ...number[]];
  const { groups, stride, padding, lhsDilation, rhsDilation } = spec;
  const turned = w
    .flip(spatial(w))
    .reshape([groups, outputs / groups, inputs, ...kernel])
    .transpose(1, 2)
    .reshape([groups * inputs, outputs / groups, ...kernel]);
  return g.convolution(turned, {
    stride: lhsDilation,
    lhsDilation: stride,
    rhsDilation,
    groups,
    padding: padding.map(([low], i) => [
      (kernel[i]! - 1) * rhsDilation[i]! - low,
      (x.shape[i + 2]! - 1) * lhsDilation[i]! - (g.shape[i + 2]! - 1) * stride[i]! + low,
    ]),
  });
}

/**
 * The cotangent of the kernel: the data against the cotangent as a kernel whose elements are `stride` apart. Images take
 * the place of channels and channels that of images; groups stay groups. The upper padding crops what no window reached.
 */
function ofKernel(g: Tensor, x: Tensor, w: Tensor, spec: ConvolutionSpec): Tensor {
  const { groups, stride, padding, lhsDilation, rhsDilation } = spec;
  const [images, channels, ...sizes] = x.shape as [number, number, ...number[]];
  const perGroup = channels / groups;
  const data =
    groups === 1
      ? x.transpose(0, 1)
      : x
          .reshape([images, groups, perGroup, ...sizes])
          .permute([2, 1, 0, ...sizes.map((_, i) => i + 3)])
          .reshape([perGroup, groups * images, ...sizes]);
  const result = data.convolution(g.transpose(0, 1), {
    stride: rhsDilation,
    lhsDilation,
    rhsDilation: stride,
    groups,
    padding: padding.map(([low], i) => {
      const reach = (w.shape[i + 2]! - 1) * rhsDilation[i]! + (g.shape[i + 2]! - 1) * stride[i]!;
      return [low, reach - (sizes[i]! - 1) * lhsDilation[i]! - low];
    }),
  }); // [C / groups, O, kernel…]
  return result.transpose(0, 1);
}

function convolution({ attrs, g, x, wants }: Step<'convolution'>): Cotangent[] {
  const [data, kernel] = [x[0]!, x[1]!];
  if (g.size === 0 || data.size === 0 || kernel.size === 0) return [];
  return [wants(0) ? ofData(g, data, kernel, attrs) : null, wants(1) ? ofKernel(g, data, kernel, attrs) : null];
}

export const contractionRules = {
  dot,
  convolution,
} as const satisfies { readonly [O in Op]?: Rule<O> };
