/*
 * Plain loops over single elements, for the producers whose work is not elementwise: scatter, scan and sort.
 */
import type { Access, DType } from '@dl/tensor';
import type { Local, ValueType } from '../wasm/assembler';
import type { MemoryOp, PlainOp } from '../wasm/function-builder';
import { type Limit, limitsOf, linearOf, scaled } from './linear';
import { type Frame, widths } from './target';

/** How one element is handled as a number on the stack. */
export interface ScalarKind {
  readonly type: ValueType;
  readonly load: MemoryOp;
  readonly store: MemoryOp;
  readonly add: PlainOp;
  readonly mul: PlainOp;
}

const integer = { type: 'i32', load: 'i32.load', store: 'i32.store', add: 'i32.add', mul: 'i32.mul' } as const;
const byte = { type: 'i32', load: 'i32.load8_u', store: 'i32.store8', add: 'i32.add', mul: 'i32.mul' } as const;

export const scalarKinds: Readonly<Record<DType, ScalarKind>> = {
  f32: { type: 'f32', load: 'f32.load', store: 'f32.store', add: 'f32.add', mul: 'f32.mul' },
  f64: { type: 'f64', load: 'f64.load', store: 'f64.store', add: 'f64.add', mul: 'f64.mul' },
  f16: { ...byte, load: 'i32.load16_u', store: 'i32.store16' },
  i32: integer,
  u32: integer,
  u8: byte,
  bool: { ...byte, add: 'i32.or', mul: 'i32.and' },
};

/** Pushes a number of a dtype. */
export function pushNumber(frame: Frame, dtype: DType, value: number): void {
  const { f } = frame;
  const { type } = scalarKinds[dtype];
  if (type === 'f32') f.f32(value);
  else if (type === 'f64') f.f64(value);
  else f.i32(value);
}

/** Loops over axes, numbered from `first`; `body` runs inside all of them. The first is `ranged` or whole. */
export function loopOver(
  frame: Frame,
  sizes: readonly number[],
  { first = 0, ranged = false }: { first?: number; ranged?: boolean },
  body: () => void,
): void {
  const { f } = frame;
  const step = (axis: number): void => {
    if (axis === sizes.length) {
      body();
      return;
    }
    f.scratch('i32', (counter) => {
      frame.counters[first + axis] = counter;
      const range = ranged && axis === 0 ? { from: frame.begin, to: frame.end } : { to: sizes[axis]! };
      f.for(counter, range, () => step(axis + 1));
    });
  };
  if (sizes.every((n) => n > 0)) step(0);
}

/** Pushes the byte address of an access; `width` is that of the dtype. */
export function pushAddress(frame: Frame, binding: number, access: Access, dtype: DType): void {
  frame.pushSum(scaled(linearOf(access.index), widths[dtype]));
  frame.pushBinding(binding);
  frame.f.op('i32.add');
}

/** Pushes the element of an access, or 0 where a bound does not hold. */
export function pushElement(frame: Frame, access: Access, dtype: DType): void {
  const { f } = frame;
  const { load } = scalarKinds[dtype];
  const limits = limitsOf(access.bounds);
  const element = () => {
    pushAddress(frame, access.binding, access, dtype);
    f.mem(load);
  };
  if (limits === null) pushNumber(frame, dtype, 0);
  else if (limits.length === 0) element();
  else choose(frame, limits, element, dtype);
}

function choose(frame: Frame, limits: readonly Limit[], element: () => void, dtype: DType): void {
  const { f } = frame;
  limits.forEach(({ term, min, end }, i) => {
    frame.pushSum(term);
    f.i32(min)
      .op('i32.sub')
      .i32(end - min)
      .op('i32.lt_u');
    if (i > 0) f.op('i32.and');
  });
  f.if(element, () => pushNumber(frame, dtype, 0), scalarKinds[dtype].type);
}

/** Pushes the row-major place of the counters of axes, or of a local in the place of one. */
export function pushRowMajor(frame: Frame, sizes: readonly number[], counters: readonly Local[]): void {
  const { f } = frame;
  f.i32(0);
  sizes.forEach((size, axis) => {
    f.i32(size).op('i32.mul').get(counters[axis]!).op('i32.add');
  });
}
