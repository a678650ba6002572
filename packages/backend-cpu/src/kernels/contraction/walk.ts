/*
 * The loops over k inside a register tile. Two pointers walk the operands; steps of an unrolled axis become constant
 * offsets, the others increments.
 */
import type { FunctionBuilder, Local } from '../../wasm/assembler';

/** One axis of k: its size, and the bytes from one step to the next in both operands. */
export interface WalkAxis {
  /** A local is at least 1. */
  readonly size: number | Local;
  readonly a: number;
  readonly b: number;
}

/** Offsets of one step from the pointers. */
export interface StepOffsets {
  readonly a: number;
  readonly b: number;
}

/**
 * Runs `step` for every element of the axes, the last fastest. `a` and `b` are moved.
 *
 * @param unroll - whether the last axis is written out
 */
export function walk(
  f: FunctionBuilder,
  axes: readonly WalkAxis[],
  { a, b, unroll }: { a: Local; b: Local; unroll: boolean },
  step: (offsets: StepOffsets) => void,
): void {
  const looped = unroll ? axes.slice(0, -1) : axes;
  const written = unroll ? axes.at(-1) : undefined;
  const steps = () => {
    const count = typeof written?.size === 'number' ? written.size : 1;
    for (let i = 0; i < count; i++) step({ a: i * (written?.a ?? 0), b: i * (written?.b ?? 0) });
  };
  const level = (at: number): void => {
    const axis = looped[at];
    if (axis === undefined) {
      steps();
      return;
    }
    // The loop inside has moved the pointers to its end.
    const next = looped[at + 1];
    f.scratch('i32', (counter) => {
      f.push(axis.size).set(counter);
      f.loop((again) => {
        level(at + 1);
        move(f, a, axis.a, next && { size: next.size, step: next.a });
        move(f, b, axis.b, next && { size: next.size, step: next.b });
        f.get(counter).i32(1).op('i32.sub').tee(counter).brIf(again);
      });
    });
  };
  level(0);
}

/** Steps on, and back over what the loop inside walked. */
function move(f: FunctionBuilder, pointer: Local, by: number, walked?: { size: number | Local; step: number }): void {
  const { size = 0, step = 0 } = walked ?? {};
  if (typeof size === 'number') {
    if (by !== size * step) f.increment(pointer, by - size * step);
    return;
  }
  f.get(pointer).i32(by).op('i32.add').get(size).i32(step).op('i32.mul').op('i32.sub').set(pointer);
}
