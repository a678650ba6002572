/*
 * What happens to an output of a contraction: it is stored, or handed at once to the kernel's instructions where these work on single
 * elements, so that it need not go through memory.
 */
import type { Contraction, Expr, Kernel } from '@dl/tensor';
import { emitBody } from '../rows';
import { type Shader, valueType } from '../shader';

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** Instructions beyond which a body is not repeated for each output of a thread. */
const longBody = 40;

/** Whether an index is that of the elements of `sizes` in order. */
function isRowMajor(index: Expr, sizes: readonly number[]): boolean {
  const strides = new Map<number, number>();
  for (const term of index.kind === 'add' ? index.terms : [index]) {
    if (term.kind === 'var') strides.set(term.index, 1);
    else if (term.kind === 'mul' && term.term.kind === 'var') strides.set(term.term.index, term.factor);
    else if (term.kind !== 'const' || term.value !== 0) return false;
  }
  let stride = 1;
  for (let axis = sizes.length - 1; axis >= 0; axis--) {
    if (sizes[axis] === 1) continue;
    if (strides.get(axis) !== stride) return false;
    strides.delete(axis);
    stride *= sizes[axis]!;
  }
  return strides.size === 0;
}

/** Whether the instructions can be run on each output as it is computed. */
export function fuses({ body, rows, reduced }: Kernel, { batch, m, n, out, lhs, rhs }: Contraction): boolean {
  if (body.length === 0 || body.length > longBody || reduced.length > 0) return false;
  if (product(rows) !== product(batch) * product(m) * product(n)) return false;
  return body.every((instruction) => {
    if (!('access' in instruction)) return true;
    const { access, op } = instruction;
    const isOperand = access.binding === lhs.binding || access.binding === rhs.binding;
    if (op === 'store' && isOperand) return false;
    if (access.binding !== out) return true;
    return op !== 'gather' && access.bounds.length === 0 && isRowMajor(access.index, rows);
  });
}

/**
 * Emits the function `finish(at, value)` for output `at`.
 *
 * @param keep - whether the output itself is needed in memory by others
 */
export function emitFinish(shader: Shader, contraction: Contraction, isFused: boolean, keep: boolean): void {
  const { kernel } = shader;
  const { out, dtype } = contraction;
  shader.function(`finish(at: i32, value: ${valueType[dtype]})`, () => {
    const overwritten = kernel.body.some((i) => i.op === 'store' && i.access.binding === out);
    if (!isFused || (keep && !overwritten)) shader.line(shader.store(out, 'at', 'value'));
    if (!isFused) return;
    const vars = shader.unflatten('at', kernel.rows, 'v');
    emitBody({ kernel, shader, vars, values: new Map(), produced: { binding: out, value: 'value' } });
  });
}
