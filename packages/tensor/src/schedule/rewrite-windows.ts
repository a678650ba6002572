/**
 * Window operations as reductions over a view, so that they fuse like any reduction; so is a convolution of each channel with a
 * kernel of its own, which is no matrix product.
 */
import type { DType } from '../dtype';
import { isFloat } from '../dtype';
import type { Window } from '../graph/node';
import { type Shape, sizeOf } from '../shape';
import type { GraphAttributes, GraphNode, GraphOp } from './graph';
import type { GraphBuilder } from './share';

/** The number that a maximum starts from in a dtype. */
export const lowestOf = (dtype: DType): number =>
  isFloat(dtype) ? Number.NEGATIVE_INFINITY : dtype === 'i32' ? -(2 ** 31) : 0;

const both = { operands: [null, null] } as const;

/** A window operation as a reduction over a view [outer…, windows…, size…]. */
export function emitWindow(
  builder: GraphBuilder,
  node: GraphNode<'window_sum' | 'window_max' | 'window_argmax'>,
): number {
  const window = node.attrs;
  const source = builder.nodes[node.sources[0]!]!;
  const value = node.op === 'window_sum' ? 0 : lowestOf(source.dtype);
  const rank = node.shape.length;
  const axes = window.size.map((_, i) => rank + i);
  const view = builder.emit(
    'windows',
    node.sources,
    { ...window, value },
    [...node.shape, ...window.size],
    source.dtype,
  );
  if (node.op === 'window_argmax') {
    const alone = sizeOf(window.size) === 1;
    return flatIndex(
      builder,
      node,
      alone
        ? builder.emit('constant', [], { value: 0 }, node.shape, 'i32', [-1])
        : builder.emit('argmax', [view], { axes }, node.shape, 'i32'),
    );
  }
  const op = node.op === 'window_sum' ? 'sum' : 'max_reduce';
  // Windows of one element leave nothing to reduce.
  const reduces = axes.filter((a) => window.size[a - rank] !== 1).length > 0;
  return reduces
    ? builder.emit(op, [view], { axes }, node.shape, node.dtype)
    : builder.emit('reshape', [view], { shape: node.shape }, node.shape, node.dtype);
}

/** The flat index in the plane of the largest element, given its position within its window. */
function flatIndex(builder: GraphBuilder, node: GraphNode, position: number): number {
  const { size, stride, dilation, padding } = node.attrs as Window;
  const { shape } = node;
  const plane = builder.nodes[node.sources[0]!]!.shape.slice(-size.length);
  const outer = shape.length - size.length;
  const by = (op: NumberOp, x: number, value: number): number => withNumber(builder, op, x, value);
  let rest = position;
  let flat = -1;
  let step = 1;
  for (let i = size.length - 1; i >= 0; i--) {
    const offset = i === 0 ? rest : by('mod', rest, size[i]!);
    rest = i === 0 ? rest : by('div', rest, size[i]!);
    const window = builder.emit('iota', [], { axis: outer + i }, shape, 'i32');
    const [low, high] = padding[i]!;
    let at = by('add', by('mul', window, stride[i]!), -low);
    at = builder.emit('add', [at, by('mul', offset, dilation[i]!)], both, shape, 'i32');
    // Where a whole window is −∞ its first place is the largest, also in the padding: move on to the first element.
    if (low > 0) {
      const first =
        dilation[i]! === 1
          ? builder.emit('constant', [], { value: 0 }, shape, 'i32', [-1])
          : by('mod', at, dilation[i]!);
      const outside = builder.emit('lt', [at], { operands: [null, 0] }, shape, 'bool', [-1]);
      at = builder.emit('where', [outside, first, at], { operands: [null, null, null] }, shape, 'i32', []);
    }
    if (high > (size[i]! - 1) * dilation[i]!) at = by('min', at, plane[i]! - 1);
    const scaled = by('mul', at, step);
    flat = flat < 0 ? scaled : builder.emit('add', [flat, scaled], both, shape, 'i32');
    step *= plane[i]!;
  }
  return flat;
}

type NumberOp = 'add' | 'mul' | 'div' | 'mod' | 'min';

/** op(x, by) with a number of the structure. */
function withNumber(builder: GraphBuilder, op: NumberOp, x: number, by: number): number {
  const { shape, dtype } = builder.nodes[x]!;
  if ((op === 'add' && by === 0) || ((op === 'mul' || op === 'div') && by === 1)) return x;
  if (op === 'mod' && by === 1) return builder.emit('constant', [], { value: 0 }, shape, dtype, [-1]);
  return builder.emit(
    op as GraphOp & ('add' | 'mul'),
    [x],
    { operands: [null, by] } as GraphAttributes['add'],
    shape,
    dtype,
    [-1],
  );
}

/** Whether each channel is convolved with one kernel of its own. */
export const isDepthwise = ({ attrs, shape }: GraphNode<'convolution'>, lhs: Shape): boolean =>
  attrs.groups > 1 && attrs.groups === lhs[1] && attrs.groups === shape[1] && attrs.lhsDilation.every((d) => d === 1);

/** Σ over the kernel of windows · weight. */
export function emitDepthwise(builder: GraphBuilder, node: GraphNode<'convolution'>): number {
  const [x, w] = node.sources as readonly [number, number];
  const { stride, padding, rhsDilation } = node.attrs;
  const { dtype, shape } = node;
  const kernel = builder.nodes[w]!.shape.slice(2);
  const window: GraphAttributes['windows'] = { size: kernel, stride, padding, dilation: rhsDilation, value: 0 };
  const space = [...shape, ...kernel];
  const view = builder.emit('windows', [x], window, space, dtype);
  const thin = [1, shape[1]!, ...kernel.map(() => 1), ...kernel];
  const weight = builder.emit('reshape', [w], { shape: thin }, thin, dtype);
  const wide = builder.emit('expand', [weight], { shape: space }, space, dtype);
  const product = builder.emit('mul', [view, wide], both, space, dtype);
  const axes = kernel.map((_, i) => shape.length + i);
  if (sizeOf(kernel) === 1) return builder.emit('reshape', [product], { shape }, shape, dtype);
  return builder.emit('sum', [product], { axes }, shape, dtype);
}
