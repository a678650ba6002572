/*
 * Values in registers. A group is four lanes: one register of f32, i32 or u32; u8 as i32 from 0 to 255; f16 as its bits; bool as masks of
 * 32 bits; two registers of f64. A value has the registers of all groups that go together, or one set for all of them
 * where it does not differ between lanes.
 */
import { type DType, encodeHalf } from '@dl/tensor';
import type { FunctionBuilder, Local } from '../wasm/assembler';
import { bits32, type Operand, type Splat, splat, type Vec, VectorEmitter } from '../wasm/vector';
import type { Target } from './target';

export interface Value {
  readonly dtype: DType;
  /** Whether all lanes hold the same. */
  readonly uniform: boolean;
  /** One register if uniform; else one a group, or two for f64. */
  readonly regs: Vec;
  /** Where it is a constant: which. */
  readonly number?: number;
}

export const partsOf = (dtype: DType): number => (dtype === 'f64' ? 2 : 1);

/** Emitters of every width over one function. */
export class Vectors {
  readonly #emitters: VectorEmitter[] = [];

  constructor(
    readonly f: FunctionBuilder,
    readonly target: Target,
  ) {}

  /** Operations on `width` registers. */
  width(width: number): VectorEmitter {
    return (this.#emitters[width] ??= new VectorEmitter(this.f, { ...this.target, width }));
  }

  /** The registers of a value as `count` registers. */
  spread(value: Value, count: number): Vec {
    return value.uniform ? new Array<Local>(count).fill(value.regs[0]!) : value.regs;
  }

  /** One register with a number in each lane. */
  constant(dtype: DType, value: number): Value {
    const local = this.f.borrow('v128');
    const { lane, value: bits } = splatOf(dtype, value);
    this.target.constants.splat(this.f, lane, bits);
    this.f.set(local);
    return { dtype, uniform: true, regs: [local], number: value };
  }

  /** A copy in locals of its own. */
  copy(value: Value, dtype = value.dtype): Value {
    return {
      uniform: value.uniform,
      dtype,
      regs: this.width(value.regs.length).fill((at) => this.f.get(value.regs[at]!)),
    };
  }

  release(value: Value): void {
    this.f.release(...value.regs);
  }
}

/** A number in each lane of a register of `dtype`, rounded as a cast rounds. */
export function splatOf(dtype: DType, value: number): Splat {
  switch (dtype) {
    case 'f32':
      return splat('f32x4', value);
    case 'f16':
      return bits32(encodeHalf(value));
    case 'f64':
      return splat('f64x2', value);
    case 'bool':
      return bits32(value !== 0 ? -1 : 0);
    case 'u8':
      return bits32(value & 255);
    case 'i32':
    case 'u32':
      return bits32(value | 0);
  }
}

/** Masks of groups as masks of the two registers that f64 takes; a uniform mask stays as it is. */
export function widenMask(vectors: Vectors, mask: Value): Vec {
  if (mask.uniform) return vectors.width(1).fill(() => vectors.f.get(mask.regs[0]!));
  return vectors
    .width(mask.regs.length * 2)
    .fill((at) =>
      vectors.f.get(mask.regs[at >> 1]!).op(at % 2 === 0 ? 'i64x2.extend_low_i32x4_s' : 'i64x2.extend_high_i32x4_s'),
    );
}

/** Masks of pairs of f64 registers as masks of groups. */
export function narrowMask(vectors: Vectors, mask: Vec, uniform: boolean): Vec {
  const { f } = vectors;
  if (uniform) return vectors.width(1).fill(() => f.get(mask[0]!));
  return vectors.width(mask.length / 2).fill((at) => {
    f.get(mask[2 * at]!)
      .get(mask[2 * at + 1]!)
      .shuffle32(0, 2, 4, 6);
  });
}

export type { Operand };
