/*
 * Vector expressions over several registers at once.
 *
 * A `Vec` stands for `width` vectors that go through the same operations. Each operation is emitted for all of them
 * before the next one, because V8 keeps the order it is given and four independent chains hide the latency of
 * floating-point arithmetic. Results live in borrowed locals; `scope` gives them back.
 *
 * Multiply-add is fused where the engine has relaxed SIMD, two instructions elsewhere: an algorithm on top must be
 * right with either.
 */

import type { Constants, LaneType } from './constants';
import type { WasmFeatures } from './features';
import type { FunctionBuilder, Local, PlainOp } from './function-builder';

/** `width` locals of type v128. */
export type Vec = readonly Local[];

/** A constant in every lane. */
export interface Splat {
  readonly lane: LaneType;
  readonly value: number | bigint;
}

/** A vector, a constant, or a number that takes the lane type of its operation. */
export type Operand = Vec | Splat | number;

/** Lane types with floating-point arithmetic. */
export type FloatLane = 'f32x4' | 'f64x2';

/** Shifts of every lane by the same count. */
export type ShiftOp = `${'i32x4' | 'i64x2' | 'i16x8' | 'i8x16'}.${'shl' | 'shr_s' | 'shr_u'}`;

/** A 32-bit pattern in every lane. */
export const bits32 = (value: number): Splat => ({ lane: 'i32x4', value });

/** A 64-bit pattern in every lane. */
export const bits64 = (value: bigint): Splat => ({ lane: 'i64x2', value });

/** A float in every lane. */
export const splat = (lane: FloatLane, value: number): Splat => ({ lane, value });

/** What a vector emitter needs besides the function it writes. */
export interface VectorOptions {
  /** Where constants come from. */
  readonly constants: Constants;
  readonly features: Pick<WasmFeatures, 'relaxedSimd'>;
  /** Vectors that are carried through each operation together; 1 where absent. */
  readonly width?: number;
}

/** Emits vector operations on `width` vectors together. */
export class VectorEmitter {
  readonly f: FunctionBuilder;
  readonly constants: Constants;
  readonly features: Pick<WasmFeatures, 'relaxedSimd'>;
  readonly width: number;
  #allocated: Vec[] = [];

  constructor(f: FunctionBuilder, { constants, features, width = 1 }: VectorOptions) {
    this.f = f;
    this.constants = constants;
    this.features = features;
    this.width = width;
  }

  /** New locals, given back at the end of the enclosing scope. */
  allocate(): Vec {
    const vec = Array.from({ length: this.width }, () => this.f.borrow('v128'));
    this.#allocated.push(vec);
    return vec;
  }

  /** Runs `body` and gives back every local it allocated but those of its result. */
  scope(body: () => Vec): Vec {
    const outer = this.#allocated;
    this.#allocated = [];
    const result = body();
    for (const vec of this.#allocated) {
      if (vec === result) outer.push(vec);
      else this.f.release(...vec);
    }
    this.#allocated = outer;
    return result;
  }

  /** New locals filled by an emitter that leaves vector `position` on the stack. */
  fill(emit: (position: number) => void): Vec {
    const result = this.allocate();
    for (const [position, local] of result.entries()) {
      emit(position);
      this.f.set(local);
    }
    return result;
  }

  /** Applies an instruction whose operands and result are vectors. */
  op(name: PlainOp, ...operands: readonly Operand[]): Vec {
    const held: Local[] = [];
    const sources = operands.map((operand) => {
      if (typeof operand === 'object' && !('lane' in operand)) return (at: number) => this.f.get(operand[at] as Local);
      const constant = typeof operand === 'number' ? { lane: laneOf(name), value: operand } : operand;
      if (this.width === 1) return () => this.constants.splat(this.f, constant.lane, constant.value);
      const local = this.f.borrow('v128');
      held.push(local);
      this.constants.splat(this.f, constant.lane, constant.value);
      this.f.set(local);
      return () => this.f.get(local);
    });
    const result = this.fill((at) => {
      for (const source of sources) source(at);
      this.f.op(name);
    });
    this.f.release(...held);
    return result;
  }

  /** Shifts every lane by a constant count. */
  shift(name: ShiftOp, x: Vec, count: number): Vec {
    return this.fill((at) =>
      this.f
        .get(x[at] as Local)
        .i32(count)
        .op(name),
    );
  }

  /** Picks four words out of the eight of `a` and `b`. */
  shuffle32(a: Vec, b: Vec, words: readonly [number, number, number, number]): Vec {
    return this.fill((at) => {
      this.f.get(a[at] as Local).get(b[at] as Local);
      this.f.shuffle32(...words);
    });
  }

  /** a·b + c, fused where the engine can. */
  madd(lane: FloatLane, a: Operand, b: Operand, c: Operand): Vec {
    const [x, y, z] = [typed(lane, a), typed(lane, b), typed(lane, c)];
    if (this.features.relaxedSimd) return this.op(`${lane}.relaxed_madd`, x, y, z);
    return this.op(`${lane}.add`, this.op(`${lane}.mul`, x, y), z);
  }

  /** c − a·b, fused where the engine can. */
  nmadd(lane: FloatLane, a: Operand, b: Operand, c: Operand): Vec {
    const [x, y, z] = [typed(lane, a), typed(lane, b), typed(lane, c)];
    if (this.features.relaxedSimd) return this.op(`${lane}.relaxed_nmadd`, x, y, z);
    return this.op(`${lane}.sub`, z, this.op(`${lane}.mul`, x, y));
  }

  /** Bits of `a` where `mask` is set, of `b` elsewhere. */
  select(mask: Operand, a: Operand, b: Operand): Vec {
    return this.op('v128.bitselect', a, b, mask);
  }

  /** A polynomial by Horner's rule, coefficients from the highest power down. */
  polynomial(lane: FloatLane, x: Vec, coefficients: readonly number[]): Vec {
    const [first, second, ...rest] = coefficients;
    if (first === undefined || second === undefined) throw new RangeError('a polynomial has two coefficients or more');
    return rest.reduce(
      (sum, coefficient) => this.madd(lane, sum, x, coefficient),
      this.madd(lane, x, splat(lane, first), second),
    );
  }
}

function typed(lane: FloatLane, operand: Operand): Operand {
  return typeof operand === 'number' ? splat(lane, operand) : operand;
}

function laneOf(name: PlainOp): LaneType {
  const lane = name.slice(0, name.indexOf('.'));
  if (lane === 'f32x4' || lane === 'f64x2' || lane === 'i32x4' || lane === 'i64x2') return lane;
  throw new TypeError(`${name} does not say how to read a number; give it a splat`);
}
