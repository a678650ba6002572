/*
 * Writes the body of one WebAssembly function.
 *
 * Instructions are appended in stack order, every method returns the builder, and nothing is checked here beyond
 * labels and lanes: types are the engine's to validate, and opcodes.test.ts asks it about every row of the tables.
 * Control flow takes a callback for its body, so that a block is always closed and a label cannot outlive it.
 */

import { ByteWriter } from './bytes';
import { ATOMIC, MEMORY, MEMORY_LANE, type MemoryRow } from './opcodes/memory';
import { NUMERIC, type PlainRow } from './opcodes/numeric';
import { LANE, RELAXED, VECTOR } from './opcodes/vector';

/** A WebAssembly value type. */
export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';

/** The byte of each value type in the binary format. */
export const VALUE_TYPE_BYTE = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const satisfies Record<
  ValueType,
  number
>;

/** A local variable or a parameter of the function that made it. */
export interface Local {
  readonly index: number;
  readonly type: ValueType;
}

/** The target of a branch, valid inside the callback that received it. */
export interface Label {
  /** How many blocks enclose the target, which is what a branch counts from. */
  readonly depth: number;
}

/** Instructions without immediates. */
export type PlainOp = keyof typeof NUMERIC | keyof typeof VECTOR | keyof typeof RELAXED;
/** Instructions with a lane number. */
export type LaneOp = keyof typeof LANE;
/** Plain and atomic accesses to memory. */
export type MemoryOp = keyof typeof MEMORY | keyof typeof ATOMIC;
/** Accesses of one lane of a vector. */
export type MemoryLaneOp = keyof typeof MEMORY_LANE;

/** Every instruction without immediates, by name. */
export const PLAIN_OPS: Readonly<Record<PlainOp, PlainRow>> = { ...NUMERIC, ...VECTOR, ...RELAXED };
/** Every instruction with a memory immediate and no lane, by name. */
export const MEMORY_OPS: Readonly<Record<MemoryOp, MemoryRow>> = { ...MEMORY, ...ATOMIC };

/** A number known when the code is emitted, or a local of type i32 that holds it. */
export type I32Operand = number | Local;

/** Bounds of a counted loop: `counter` takes `from`, `from + step`, … while below `to` (signed). */
export interface LoopRange {
  /** First value; 0 where absent. */
  readonly from?: I32Operand;
  /** The bound, exclusive. A local is read anew before every round. */
  readonly to: I32Operand;
  /** A positive constant; 1 where absent. */
  readonly step?: number;
}

/** Emits the body of one function. Made by `ModuleBuilder.function`. */
export class FunctionBuilder {
  /** The parameters, in order. */
  readonly params: readonly Local[];
  readonly #code: ByteWriter;
  readonly #paramCount: number;
  readonly #localTypes: ValueType[] = [];
  readonly #free: Record<ValueType, Local[]> = { i32: [], i64: [], f32: [], f64: [], v128: [] };
  #depth = 0;

  constructor(paramTypes: readonly ValueType[], code: ByteWriter) {
    this.params = paramTypes.map((type, index) => ({ index, type }));
    this.#paramCount = paramTypes.length;
    this.#code = code;
  }

  /** The parameter at `position`. */
  param(position: number): Local {
    const local = this.params[position];
    if (local === undefined) throw new RangeError(`the function has no parameter ${position}`);
    return local;
  }

  /** Declares a local, zero at the start. */
  local(type: ValueType): Local {
    this.#localTypes.push(type);
    return { index: this.#paramCount + this.#localTypes.length - 1, type };
  }

  /** Declares several locals of one type. */
  locals(type: ValueType, count: number): Local[] {
    return Array.from({ length: count }, () => this.local(type));
  }

  /** A local to be given back with `release`; it holds whatever its last user left. */
  borrow(type: ValueType): Local {
    return this.#free[type].pop() ?? this.local(type);
  }

  /** Borrows several locals of one type. */
  borrowAll(type: ValueType, count: number): Local[] {
    return Array.from({ length: count }, () => this.borrow(type));
  }

  /** Gives borrowed locals back for reuse. */
  release(...locals: readonly Local[]): this {
    for (const local of locals) this.#free[local.type].push(local);
    return this;
  }

  /** Borrows a local for the length of `body`. */
  scratch(type: ValueType, body: (local: Local) => void): this {
    const local = this.borrow(type);
    body(local);
    return this.release(local);
  }

  get(local: Local): this {
    return this.#immediate(0x20, local.index);
  }

  set(local: Local): this {
    return this.#immediate(0x21, local.index);
  }

  tee(local: Local): this {
    return this.#immediate(0x22, local.index);
  }

  i32(value: number): this {
    this.#code.u8(0x41);
    this.#code.i32(value);
    return this;
  }

  i64(value: bigint | number): this {
    this.#code.u8(0x42);
    this.#code.i64(BigInt(value));
    return this;
  }

  f32(value: number): this {
    this.#code.u8(0x43);
    this.#code.f32(value);
    return this;
  }

  f64(value: number): this {
    this.#code.u8(0x44);
    this.#code.f64(value);
    return this;
  }

  /** A vector of 16 given bytes. In loops a load from memory is faster: see constants.ts. */
  v128(bytes: ArrayLike<number>): this {
    if (bytes.length !== 16) throw new RangeError(`v128.const takes 16 bytes, not ${bytes.length}`);
    this.#opcode(0xfd000c);
    this.#code.bytes(bytes);
    return this;
  }

  /** Pushes a constant or the value of a local. */
  push(operand: I32Operand): this {
    return typeof operand === 'number' ? this.i32(operand) : this.get(operand);
  }

  /** An instruction without immediates. */
  op(name: PlainOp): this {
    this.#opcode(PLAIN_OPS[name][0]);
    return this;
  }

  /** Extracts or replaces a lane. */
  lane(name: LaneOp, lane: number): this {
    this.#opcode(LANE[name][0]);
    this.#code.u8(lane);
    return this;
  }

  /** Picks 16 bytes out of the 32 of two vectors. */
  shuffle(lanes: ArrayLike<number>): this {
    if (lanes.length !== 16) throw new RangeError(`i8x16.shuffle takes 16 lanes, not ${lanes.length}`);
    this.#opcode(0xfd000d);
    this.#code.bytes(lanes);
    return this;
  }

  /** Picks 4 of the 8 words of two vectors: `shuffle32(0, 4, 1, 5)` interleaves their low halves. */
  shuffle32(a: number, b: number, c: number, d: number): this {
    this.#opcode(0xfd000d);
    for (const word of [a, b, c, d]) for (let k = 0; k < 4; k++) this.#code.u8(word * 4 + k);
    return this;
  }

  /**
   * An access to memory.
   *
   * @param offset - constant byte offset, folded into the instruction
   * @param align - log2 of the alignment promised; natural where absent
   */
  mem(name: MemoryOp, offset = 0, align?: number): this {
    const row = MEMORY_OPS[name];
    return this.#access(row, offset, align);
  }

  /** Loads into or stores from one lane of a vector. */
  memLane(name: MemoryLaneOp, lane: number, offset = 0): this {
    this.#access(MEMORY_LANE[name], offset);
    this.#code.u8(lane);
    return this;
  }

  memoryCopy(): this {
    this.#opcode(0xfc000a);
    this.#code.u8(0);
    this.#code.u8(0);
    return this;
  }

  memoryFill(): this {
    this.#opcode(0xfc000b);
    this.#code.u8(0);
    return this;
  }

  /** The size of memory in pages of 64 KiB. */
  memorySize(): this {
    return this.#immediate(0x3f, 0);
  }

  atomicFence(): this {
    this.#opcode(0xfe0003);
    this.#code.u8(0);
    return this;
  }

  drop(): this {
    this.#code.u8(0x1a);
    return this;
  }

  /** Keeps the first of two values if the i32 on top is not zero, else the second. Vectors need their type. */
  select(type?: ValueType): this {
    if (type === undefined) {
      this.#code.u8(0x1b);
      return this;
    }
    this.#code.u8(0x1c);
    this.#code.u8(1);
    this.#code.u8(VALUE_TYPE_BYTE[type]);
    return this;
  }

  call(functionIndex: number): this {
    return this.#immediate(0x10, functionIndex);
  }

  /** Calls the function at the place of the module's table that the i32 on top says. */
  callIndirect(typeIndex: number): this {
    this.#immediate(0x11, typeIndex);
    this.#code.u8(0);
    return this;
  }

  return(): this {
    this.#code.u8(0x0f);
    return this;
  }

  unreachable(): this {
    this.#code.u8(0x00);
    return this;
  }

  /** A block; its label is behind its end. */
  block(body: (end: Label) => void, result?: ValueType): this {
    return this.#structured(0x02, body, result);
  }

  /** A loop; its label is its beginning, and it ends unless branched to. */
  loop(body: (again: Label) => void, result?: ValueType): this {
    return this.#structured(0x03, body, result);
  }

  /** Consumes an i32 and runs `then` if it is not zero, else `otherwise`. */
  if(then: (end: Label) => void, otherwise?: (end: Label) => void, result?: ValueType): this {
    return this.#structured(
      0x04,
      (end) => {
        then(end);
        if (otherwise === undefined) return;
        this.#code.u8(0x05);
        otherwise(end);
      },
      result,
    );
  }

  br(label: Label): this {
    return this.#immediate(0x0c, this.#depth - label.depth);
  }

  brIf(label: Label): this {
    return this.#immediate(0x0d, this.#depth - label.depth);
  }

  /** Adds `amount` to an i32 local. */
  increment(local: Local, amount: I32Operand): this {
    return this.get(local).push(amount).op('i32.add').set(local);
  }

  /**
   * A counted loop with its test at the end. Where both bounds are constants the entry test is left out; a range
   * known to be empty emits nothing.
   *
   * After the loop `counter` holds the first value not below `to`.
   */
  for(counter: Local, range: LoopRange, body: () => void): this {
    const { from = 0, to, step = 1 } = range;
    if (!(step > 0)) throw new RangeError(`a loop needs a positive step, not ${step}`);
    const known = typeof from === 'number' && typeof to === 'number';
    this.push(from).set(counter);
    if (known && from >= to) return this;
    const rounds = () =>
      this.loop((again) => {
        body();
        this.get(counter).i32(step).op('i32.add').tee(counter).push(to).op('i32.lt_s').brIf(again);
      });
    if (known) return rounds();
    return this.block((end) => {
      this.get(counter).push(to).op('i32.ge_s').brIf(end);
      rounds();
    });
  }

  /** Writes the local declarations, the code and the end of the function into `out`, with their length in front. */
  finish(out: ByteWriter): void {
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.#localTypes) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    const head = new ByteWriter(16 + runs.length * 6);
    head.u32(runs.length);
    for (const run of runs) {
      head.u32(run.count);
      head.u8(VALUE_TYPE_BYTE[run.type]);
    }
    out.u32(head.length + this.#code.length + 1);
    out.bytes(head.view());
    out.bytes(this.#code.view());
    out.u8(0x0b);
  }

  #structured(opcode: number, body: (label: Label) => void, result: ValueType | undefined): this {
    this.#code.u8(opcode);
    this.#code.u8(result === undefined ? 0x40 : VALUE_TYPE_BYTE[result]);
    this.#depth++;
    body({ depth: this.#depth });
    this.#depth--;
    this.#code.u8(0x0b);
    return this;
  }

  #access(row: MemoryRow, offset: number, align = row[2]): this {
    if (!(offset >= 0 && offset < 2 ** 32)) throw new RangeError(`a memory offset must fit 32 bits, not ${offset}`);
    this.#opcode(row[0]);
    this.#code.u32(align);
    this.#code.u32(offset);
    return this;
  }

  #immediate(opcode: number, value: number): this {
    this.#code.u8(opcode);
    this.#code.u32(value);
    return this;
  }

  #opcode(code: number): void {
    if (code < 0x10000) {
      this.#code.u8(code);
    } else {
      this.#code.u8(code >>> 16);
      this.#code.u32(code & 0xffff);
    }
  }
}
