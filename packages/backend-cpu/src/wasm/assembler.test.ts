import { describe, expect, it } from 'vitest';
import { type FunctionBuilder, type FunctionSpec, ModuleBuilder } from './assembler';
import { probeFeatures } from './features';

type Exports = Record<string, (...args: (number | bigint)[]) => number | bigint>;

function instantiate(module: ModuleBuilder, imports: WebAssembly.Imports = {}): Exports {
  return new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), imports).exports as unknown as Exports;
}

function compile(spec: FunctionSpec, body: (f: FunctionBuilder) => void) {
  const module = new ModuleBuilder();
  module.function({ ...spec, export: 'f' }, body);
  return instantiate(module).f as Exports[string];
}

describe('ModuleBuilder', () => {
  it('encodes constants of every sign and size', () => {
    for (const value of [0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, -8193, 2 ** 31 - 1, -(2 ** 31), 0xffffffff]) {
      expect(compile({ results: ['i32'] }, (f) => f.i32(value))()).toBe(value | 0);
    }
    for (const value of [0n, -1n, 63n, 64n, -65n, 2n ** 63n - 1n, -(2n ** 63n), 1234567890123n]) {
      expect(compile({ results: ['i64'] }, (f) => f.i64(value))()).toBe(value);
    }
    for (const value of [0, -0, 1.5, Number.MAX_VALUE, 5e-324, Number.NaN, -Infinity]) {
      expect(compile({ results: ['f64'] }, (f) => f.f64(value))()).toBe(value);
      expect(compile({ results: ['f32'] }, (f) => f.f32(value))()).toBe(Math.fround(value));
    }
  });

  it('numbers imports first and lets a body define the functions it calls', () => {
    const module = new ModuleBuilder();
    const twice = module.importFunction('host', 'twice', { params: ['i32'], results: ['i32'] });
    expect(twice).toBe(0);
    module.function({ params: ['i32'], results: ['i32'], export: 'f' }, (f) => {
      const inner = module.function({ params: ['i32'], results: ['i32'] }, (g) => {
        g.get(g.param(0)).i32(1).op('i32.add').call(twice);
      });
      f.get(f.param(0)).call(inner);
    });
    const { f } = instantiate(module, { host: { twice: (x: number) => 2 * x } });
    expect(f?.(20)).toBe(42);
    expect(() => module.importFunction('host', 'late', {})).toThrow('before the first');
  });

  it('imports shared and unshared memories', () => {
    for (const shared of [false, true]) {
      const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared });
      const module = new ModuleBuilder().importMemory({ minPages: 1, maxPages: 2, shared });
      module.function({ params: ['i32'], export: 'f' }, (f) => {
        f.get(f.param(0)).i32(7).i32(3).memoryFill();
        f.i32(1000).get(f.param(0)).i32(3).memoryCopy();
        f.i32(0).i32(5).mem('i32.atomic.rmw.add', 2000).drop().atomicFence();
      });
      instantiate(module, { env: { memory } }).f?.(40000);
      expect(new Uint8Array(memory.buffer, 1000, 4)).toEqual(new Uint8Array([7, 7, 7, 0]));
      expect(new Int32Array(memory.buffer, 2000, 1)[0]).toBe(5);
    }
  });

  it('grows past its first allocation', () => {
    const f = compile({ results: ['i32'] }, (b) => {
      b.i32(0);
      for (let k = 1; k <= 20000; k++) b.i32(k).op('i32.add');
    });
    expect(f()).toBe((20000 * 20001) / 2);
  });
});

describe('FunctionBuilder', () => {
  it('runs a counted loop over constant and computed bounds', () => {
    const sum = (from: number | 'param', to: number | 'param', step?: number) =>
      compile({ params: ['i32'], results: ['i32'] }, (f) => {
        const [i, total] = [f.local('i32'), f.local('i32')];
        const operand = (bound: number | 'param') => (bound === 'param' ? f.param(0) : bound);
        f.for(i, { from: operand(from), to: operand(to), step }, () => f.increment(total, i));
        f.get(total);
      });
    expect(sum(0, 10)(0)).toBe(45);
    expect(sum(0, 'param')(10)).toBe(45);
    expect(sum(0, 'param')(0)).toBe(0);
    expect(sum(0, 'param')(-3)).toBe(0);
    expect(sum('param', 10)(8)).toBe(17);
    expect(sum(0, 10, 4)(0)).toBe(12);
    expect(sum(5, 5)(0)).toBe(0);
  });

  it('branches out of nested blocks to the label it was given', () => {
    const f = compile({ params: ['i32'], results: ['i32'] }, (b) => {
      b.block((outer) => {
        b.block((inner) => {
          b.get(b.param(0)).if(
            () => b.br(inner),
            () => b.br(outer),
          );
        });
        b.i32(1).return();
      });
      b.i32(2);
    });
    expect([f(1), f(0)]).toEqual([1, 2]);
  });

  it('reuses released locals of the same type only', () => {
    compile({}, (f) => {
      const a = f.borrow('v128');
      f.release(a);
      expect(f.borrow('i32').index).not.toBe(a.index);
      expect(f.borrow('v128').index).toBe(a.index);
    });
  });

  it('shuffles words of two vectors', () => {
    const f = compile({ results: ['i32'] }, (b) => {
      b.i32(10).op('i32x4.splat').i32(20).op('i32x4.splat').shuffle32(0, 4, 1, 5).lane('i32x4.extract_lane', 1);
    });
    expect(f()).toBe(20);
  });
});

describe('probeFeatures', () => {
  it('finds vectors on every engine we support', () => {
    expect(probeFeatures().simd).toBe(true);
  });
});
