import { beforeAll, describe, expect, it } from 'vitest';
import { ModuleBuilder } from './assembler';
import { detectFeatures } from './features';
import {
  type FunctionBuilder,
  MEMORY_OPS,
  type MemoryOp,
  PLAIN_OPS,
  type PlainOp,
  type ValueType,
} from './function-builder';
import { MEMORY_LANE } from './opcodes/memory';
import { LANE } from './opcodes/vector';

const TYPES: Record<string, ValueType> = { i: 'i32', l: 'i64', f: 'f32', d: 'f64', v: 'v128' };
const types = (letters: string) => [...letters].map((letter) => TYPES[letter] as ValueType);

/** Whether the engine accepts an instruction with exactly this signature. */
function validates(signature: string, emit: (f: FunctionBuilder) => void): boolean {
  const [params, results] = signature.split(':') as [string, string];
  const module = new ModuleBuilder().importMemory({ minPages: 1, maxPages: 1, shared: true });
  module.function({ params: types(params), results: types(results) }, (f) => {
    for (const param of f.params) f.get(param);
    emit(f);
  });
  return WebAssembly.validate(module.bytes());
}

describe('opcode tables', () => {
  let relaxed = false;
  beforeAll(async () => {
    relaxed = (await detectFeatures()).relaxedSimd;
  });

  it('has the signature the engine expects for every plain instruction', () => {
    const refused = Object.entries(PLAIN_OPS).filter(([name, [, signature]]) => {
      if (name.includes('relaxed') && !relaxed) return false;
      return !validates(signature, (f) => f.op(name as PlainOp));
    });
    expect(refused).toEqual([]);
  });

  it('has the signature the engine expects for every lane instruction, and its highest lane', () => {
    for (const [name, [, signature]] of Object.entries(LANE)) {
      const lanes = Number(/x(\d+)/.exec(name)?.[1]);
      expect(
        validates(signature, (f) => f.lane(name as keyof typeof LANE, lanes - 1)),
        name,
      ).toBe(true);
      expect(
        validates(signature, (f) => f.lane(name as keyof typeof LANE, lanes)),
        name,
      ).toBe(false);
    }
  });

  it('states the natural alignment of every access: one more is refused', () => {
    for (const [name, [, signature, align]] of Object.entries(MEMORY_OPS)) {
      expect(
        validates(signature, (f) => f.mem(name as MemoryOp, 8)),
        name,
      ).toBe(true);
      expect(
        validates(signature, (f) => f.mem(name as MemoryOp, 8, align + 1)),
        name,
      ).toBe(false);
    }
    for (const [name, [, signature, align]] of Object.entries(MEMORY_LANE)) {
      const lane = 16 / 2 ** align - 1;
      expect(
        validates(signature, (f) => f.memLane(name as keyof typeof MEMORY_LANE, lane, 8)),
        name,
      ).toBe(true);
    }
  });

  it('gives no two instructions the same code', () => {
    const codes = [PLAIN_OPS, MEMORY_OPS, LANE, MEMORY_LANE].flatMap((table) =>
      Object.values(table).map((row) => row[0]),
    );
    expect(new Set(codes).size).toBe(codes.length);
  });
});
