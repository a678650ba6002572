/*
 * Contractions as plain loops: a multiplication and a sum over the k axes. Any dtype, any index function.
 */
import type { Access, Contraction, Kernel } from '@dl/tensor';
import { nestOf } from '../nest';
import { type Plan, planOf } from '../plan';

function loopKernel(
  { dtype, batch, m, n, k, lhs, rhs, out }: Contraction,
  range: number,
): Pick<Kernel, 'rows' | 'reduced' | 'body' | 'range'> {
  const rows = [...batch, ...m, ...n];
  let step = 1;
  const terms = rows
    .map((size, index) => ({ size, index }))
    .reverse()
    .map(({ size, index }) => {
      const term = { kind: 'mul', term: { kind: 'var', index, size }, factor: step } as const;
      step *= size;
      return term;
    });
  const place: Access = { binding: out, index: { kind: 'add', terms }, bounds: [] };
  return {
    rows,
    reduced: k,
    range,
    body: [
      { op: 'load', dtype, access: lhs, fill: 0 },
      { op: 'load', dtype, access: rhs, fill: 0 },
      { op: 'mul', dtype, args: [0, 1] },
      { op: 'sum', dtype, args: [2] },
      { op: 'store', dtype, access: place, args: [3] },
    ],
  };
}

/** The plan of a contraction as a nest. */
export const contractionPlan = (contraction: Contraction, range: number): Plan =>
  planOf(nestOf(loopKernel(contraction, range)));
