/**
 * Records one node. Every operation ends here, after its own file checked shapes and dtypes; this file decides whether the
 * result requires a gradient, and that arithmetic on f16 is done in f32: each result is rounded to f16 once, and sums and
 * products are accumulated in f32. Backends need no more of f16 than to move it and to cast it from and to f32.
 */
import type { DType } from '../dtype';
import { isFloat } from '../dtype';
import { gradEnabled } from '../graph/mode';
import { Node, type Op, type OpAttributes } from '../graph/node';
import type { Shape } from '../shape';

/** What needs no arithmetic, and is recorded in f16 itself. */
const moves: ReadonlySet<Op> = new Set<Op>([
  'data',
  'cast',
  'reshape',
  'permute',
  'expand',
  'slice',
  'pad',
  'concat',
  'gather',
  'barrier',
  'custom',
]);

function meetsHalf(sources: readonly Node[], dtype: DType): boolean {
  if (dtype === 'f16') return true;
  for (const s of sources) if (s.dtype === 'f16') return true;
  return false;
}

/** The node itself. */
function made<O extends Op>(
  op: O,
  sources: readonly Node[],
  attrs: OpAttributes[O],
  shape: Shape,
  dtype: DType,
): Node<O> {
  let requiresGrad = false;
  if (gradEnabled() && isFloat(dtype)) for (const s of sources) requiresGrad ||= s.requiresGrad;
  return new Node(op, sources, attrs, shape, dtype, requiresGrad);
}

const castTo = (x: Node, dtype: DType): Node => (x.dtype === dtype ? x : made('cast', [x], { dtype }, x.shape, dtype));

/** Records an operation; one on f16 as casts to f32, the operation, and a cast back. */
export function record<O extends Op>(
  op: O,
  sources: readonly Node[],
  attrs: OpAttributes[O],
  shape: Shape,
  dtype: DType,
): Node<O> {
  if (!meetsHalf(sources, dtype) || (moves.has(op) && op !== 'cast')) return made(op, sources, attrs, shape, dtype);
  const wide = sources.map((s) => (s.dtype === 'f16' ? castTo(s, 'f32') : s));
  // Callers use the node as the operation's result, whatever it is made of.
  if (op === 'cast') return castTo(castTo(wide[0]!, 'f32'), dtype) as Node as Node<O>;
  const result = made(op, wide, attrs, shape, dtype === 'f16' ? 'f32' : dtype);
  return castTo(result, dtype) as Node as Node<O>;
}

const noSources: readonly Node[] = [];
const noAttributes = {};

/** A leaf: `data` whose value the caller attaches. */
export const leaf = (shape: Shape, dtype: DType, requiresGrad: boolean): Node<'data'> =>
  new Node('data', noSources, noAttributes, shape, dtype, requiresGrad);
