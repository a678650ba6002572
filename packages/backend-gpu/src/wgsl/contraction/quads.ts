/*
 * Where an operand can be read four elements at once: where memory runs along an axis whose size is a multiple of 4, and everything
 * else moves by multiples of 4. Such an operand is bound as vectors. Whether it is changes no result: the same elements are
 * multiplied and added in the same order.
 */
import type { Access, Contraction, Expr } from '@dl/tensor';

/** Along which axes of the product four neighbours lie in memory: the operand's own (m or n), or k. */
export type QuadAxis = 'own' | 'k' | null;

interface Axes {
  readonly first: number;
  readonly sizes: readonly number[];
}

/** The number of the axis that runs fastest, or −1. */
const fastest = ({ first, sizes }: Axes): number => {
  const last = sizes.findLastIndex((size) => size > 1);
  return last < 0 ? -1 : first + last;
};

/** Whether an expression is a multiple of 4 wherever it is. */
function isFourfold(e: Expr): boolean {
  switch (e.kind) {
    case 'const':
      return e.value % 4 === 0;
    case 'var':
      return e.size === 1;
    case 'mul':
      return e.factor % 4 === 0 || isFourfold(e.term);
    case 'add':
      return e.terms.every(isFourfold);
    default:
      return false;
  }
}

/** The axis of quads in an access whose own axes (m or n) and k axes are these. */
function axisOf({ index, bounds }: Access, own: Axes, k: Axes): QuadAxis {
  if (bounds.length > 0) return null;
  const terms = index.kind === 'add' ? index.terms : [index];
  const others = terms.filter((term) => !isFourfold(term));
  const [run] = others;
  if (others.length !== 1 || run?.kind !== 'var' || run.size % 4 !== 0) return null;
  if (run.index === fastest(own)) return 'own';
  return run.index === fastest(k) ? 'k' : null;
}

/** Along which axis each operand of a contraction can be read four elements at once. */
export function quadAxes({ batch, m, n, k, lhs, rhs }: Contraction): {
  readonly lhs: QuadAxis;
  readonly rhs: QuadAxis;
} {
  const axes = (first: number, sizes: readonly number[]): Axes => ({ first, sizes });
  const kAxes = axes(batch.length + m.length + n.length, k);
  return {
    lhs: axisOf(lhs, axes(batch.length, m), kAxes),
    rhs: axisOf(rhs, axes(batch.length + m.length, n), kAxes),
  };
}
