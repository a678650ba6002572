/*
 * Scan: h_t = a_t · h_{t−1} + b_t, one row after another.
 */
import type { Scan } from '@dl/tensor';
import { loopOver, pushAddress, pushElement, pushNumber, scalarKinds } from './scalar-loops';
import type { Frame } from './target';

/** Writes a scan. */
export function emitScan(
  frame: Frame,
  { dtype, rows, length, reverse, a, b, outIndex, out }: Scan,
  range: number,
): void {
  const { f } = frame;
  const kind = scalarKinds[dtype];
  const h = f.local(kind.type);
  const time = f.local('i32');
  const step = f.local('i32');
  loopOver(frame, rows, { ranged: range > 1 }, () => {
    pushNumber(frame, dtype, 0);
    f.set(h);
    f.for(step, { to: length }, () => {
      if (reverse)
        f.i32(length - 1)
          .get(step)
          .op('i32.sub')
          .set(time);
      else f.get(step).set(time);
      frame.counters[rows.length] = time;
      pushElement(frame, a, dtype);
      f.get(h).op(kind.mul);
      pushElement(frame, b, dtype);
      f.op(kind.add);
      if (dtype === 'u8') f.i32(255).op('i32.and');
      f.set(h);
      pushAddress(frame, out, { binding: out, index: outIndex, bounds: [] }, dtype);
      f.get(h).mem(kind.store);
    });
  });
}
