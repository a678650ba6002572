/*
 * Rows ahead of their time. The hardware fetches memory ahead of loads within a page, and so begins anew with each row. A
 * kernel that goes over its row again has time: while it computes with one that is in the cache, it also loads from the
 * next, and drops what it gets.
 */
import { byteWidth } from '@dl/tensor';
import { factorOf } from './linear';
import type { Loop, PlannedOp } from './plan';

/** Bytes of a row that pay and still fit a cache, and of all rows from which they come from memory. */
const row = { least: 1024, most: 1 << 17 } as const;
const outOfCache = 1 << 20;

/** Bytes from an element of a load to that of the next row, as the innermost row loop goes. */
export const bytesAhead = ({ op }: PlannedOp, { variable }: Loop): number =>
  factorOf(op.place!.index, variable) * byteWidth(op.dtype);

/** Those of the loads of the first phase that are worth making for the next row too. */
export function loadsAhead(ops: readonly PlannedOp[], loops: readonly Loop[], rowDepth: number): PlannedOp[] {
  const inner = loops[rowDepth - 1];
  const lane = loops.find((loop) => loop.lane);
  if (!inner || !lane?.reduced) return [];
  return ops.filter((o) => {
    const { op, place } = o.op;
    if (op !== 'load' || place!.limits.length > 0 || place!.index.terms.some((t) => t.atom.kind !== 'var'))
      return false;
    const bytes = bytesAhead(o, inner);
    const contiguous = factorOf(place!.index, lane.variable) === 1;
    return contiguous && bytes >= row.least && bytes <= row.most && bytes * inner.size >= outOfCache;
  });
}
