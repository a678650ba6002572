/*
 * Which contractions a BLAS computes: large ones in f32 whose operands lie as rows or columns, with one batch axis at most.
 * What follows the product runs as a kernel of its own, on what the library has left.
 */
import type { Kernel } from '@dl/tensor';
import { type Factor, type Form, formOf, type Role } from '../kernels/contraction/form';
import { factorOf, type Linear } from '../kernels/linear';
import type { Blas } from './library';

/** Products and sums of one product, and of all, from which a call and a pass over the result are worth it. */
const least = { each: 1 << 20, all: 1 << 22 } as const;
/** The codes of cblas. */
const rowMajor = 101;
const plain = 111;
const transposed = 112;

interface Operand {
  readonly binding: number;
  /** Element offset, over parameters. */
  readonly offset: Linear;
  readonly trans: number;
  /** Elements between rows, and between products of a batch. */
  readonly stride: number;
  readonly batchStride: number;
}

/** The calls that a contraction comes to. */
export interface Sgemm {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly lhs: Operand;
  readonly rhs: Operand;
  readonly out: number;
}

/** The axis of each role, or null where one has several. */
function axesOf({ axes }: Form): ReadonlyMap<Role, number> | null {
  const found = new Map<Role, number>();
  for (const [i, { role }] of axes.entries()) {
    if (found.has(role)) return null;
    found.set(role, i);
  }
  return found;
}

/** An operand of `rows` × `columns` as sgemm takes it, or null where it lies otherwise. */
function operandOf(
  { binding, index, limits }: Factor,
  { rows, columns, batch }: { rows: AxisOf; columns: AxisOf; batch: AxisOf },
): Operand | null {
  const even = index.terms.every(({ atom }) => atom.kind === 'var' || atom.kind === 'param');
  if (limits.length > 0 || !even) return null;
  const factor = ({ axis }: AxisOf): number => (axis === undefined ? 0 : factorOf(index, axis));
  const offset = { ...index, terms: index.terms.filter(({ atom }) => atom.kind === 'param'), mask: 0 };
  const base = { binding, offset, batchStride: factor(batch) };
  if (base.batchStride < 0) return null;
  // Of an axis with one element, any stride will do.
  const fits = (line: AxisOf, across: AxisOf): number | null => {
    if (line.size > 1 && factor(line) !== 1) return null;
    const stride = across.size > 1 ? factor(across) : line.size;
    return stride >= line.size && stride < 2 ** 31 ? stride : null;
  };
  const straight = fits(columns, rows);
  if (straight !== null) return { ...base, trans: plain, stride: straight };
  const turned = fits(rows, columns);
  return turned === null ? null : { ...base, trans: transposed, stride: turned };
}

interface AxisOf {
  readonly axis: number | undefined;
  readonly size: number;
}

/** The calls for a kernel's producer, or null where it is computed here. */
export function sgemmOf(kernel: Kernel): Sgemm | null {
  const { producer } = kernel;
  if (producer?.kind !== 'contraction' || producer.dtype !== 'f32') return null;
  const form = formOf(producer, kernel);
  const axes = form && form.zeros.length === 0 ? axesOf(form) : null;
  if (!form || !axes) return null;
  const of = (role: Role): AxisOf => {
    const axis = axes.get(role);
    return { axis, size: axis === undefined ? 1 : form.axes[axis]!.size };
  };
  const [batch, m, n, k] = [of('batch'), of('m'), of('n'), of('k')];
  const work = m.size * n.size * k.size;
  if (work < least.each || work * batch.size < least.all) return null;
  const lhs = operandOf(form.lhs, { rows: m, columns: k, batch });
  const rhs = operandOf(form.rhs, { rows: k, columns: n, batch });
  const fixed = [lhs, rhs].every((operand) =>
    operand?.offset.terms.every(({ atom }) => atom.kind === 'param' && kernel.params[atom.index]!.kind !== 'element'),
  );
  return fixed && lhs && rhs ? { batch: batch.size, m: m.size, n: n.size, k: k.size, lhs, rhs, out: form.out } : null;
}

/** Where a step finds its bindings and parameters. */
export interface Places {
  /** Byte address of a binding in the memory. */
  binding(index: number): number;
  parameter(index: number): number;
}

/** Computes the product. `base` is where the memory begins in the process. */
export function runSgemm({ sgemm }: Blas, base: number, call: Sgemm, places: Places): void {
  const { batch, m, n, k, lhs, rhs, out } = call;
  const startOf = ({ binding, offset }: Operand): number => {
    let elements = offset.constant;
    for (const { atom, factor } of offset.terms)
      if (atom.kind === 'param') elements += factor * places.parameter(atom.index);
    return base + places.binding(binding) + 4 * elements;
  };
  const [a, b, c] = [startOf(lhs), startOf(rhs), base + places.binding(out)];
  for (let i = 0; i < batch; i++) {
    const left = a + 4 * i * lhs.batchStride;
    const right = b + 4 * i * rhs.batchStride;
    sgemm(rowMajor, lhs.trans, rhs.trans, m, n, k, 1, left, lhs.stride, right, rhs.stride, 0, c + 4 * i * m * n, n);
  }
}
