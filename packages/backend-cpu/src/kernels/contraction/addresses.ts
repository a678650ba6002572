/*
 * Where the operands and the result of a contraction lie at the running axes, and loops over those axes.
 */
import type { Local } from '../../wasm/assembler';
import { scaled } from '../linear';
import type { Frame } from '../target';
import { type Factor, type Form, outIndex, without } from './form';
import { bytesOf } from './method';

export interface AxisRange {
  readonly from: Local | number;
  readonly to: Local | number;
  release(): void;
}

/** The whole of an axis, or the part of the first that is asked for; one step for an axis −1. */
export function rangeOfAxis(frame: Frame, form: Form, axis: number): AxisRange {
  const { f } = frame;
  if (axis !== 0 || form.rangeScale === 0 || form.axes[0]!.role === 'n') {
    return { from: 0, to: axis < 0 ? 1 : form.axes[axis]!.size, release: () => {} };
  }
  const [from, to] = [f.borrow('i32'), f.borrow('i32')];
  f.get(frame.begin).i32(form.rangeScale).op('i32.mul').set(from);
  f.get(frame.end).i32(form.rangeScale).op('i32.mul').set(to);
  return { from, to, release: () => f.release(from, to) };
}

/** A loop over a whole axis, or over the part of the first that is asked for. */
export function loopAxis(frame: Frame, form: Form, axis: number, body: () => void): void {
  const { f } = frame;
  f.scratch('i32', (counter) => {
    frame.counters[axis] = counter;
    const { from, to, release } = rangeOfAxis(frame, form, axis);
    f.for(counter, { from, to }, body);
    release();
  });
}

/** Pushes the byte address of a factor at the running axes; those in `zero` are at their beginning. */
export function pushFactor(frame: Frame, form: Form, factor: Factor, zero: readonly number[]): void {
  const { f } = frame;
  frame.pushSum(scaled(without(factor.index, zero), bytesOf(form)));
  if (factor.binding < 0) f.get(frame.scratch);
  else frame.pushBinding(factor.binding);
  f.op('i32.add');
}

/** Pushes the byte address of the result. */
export function pushOut(frame: Frame, form: Form, zero: readonly number[]): void {
  frame.pushSum(scaled(without(outIndex(form), zero), bytesOf(form)));
  frame.pushBinding(form.out);
  frame.f.op('i32.add');
}
