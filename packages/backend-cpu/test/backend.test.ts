import type { Instruction, Schedule } from '@dl/tensor';
import { expect, test } from 'vitest';
import { createCpu } from '../src/backend';
import { cpu } from '../src/index';
import { access, variable } from './both';
import { sharing } from './sharing';

const n = 1000;

/** out = scale · x, then y = out + x, by way of the arena; then a copy. */
function twoSteps(name = 'double'): Schedule {
  const load = (binding: number): Instruction => ({
    op: 'load',
    dtype: 'f32',
    access: access(binding, variable(0, n)),
    fill: 0,
  });
  const store = (binding: number, value: number): Instruction => ({
    op: 'store',
    dtype: 'f32',
    access: access(binding, variable(0, n)),
    args: [value],
  });
  const read = (slot: number) => ({ slot, mode: 'read', dtype: 'f32' }) as const;
  const write = (slot: number) => ({ slot, mode: 'write', dtype: 'f32' }) as const;
  const common = { producer: null, rows: [n], reduced: [], range: n };
  return {
    steps: [
      {
        kind: 'kernel',
        kernel: {
          ...common,
          name,
          bindings: [read(0), write(1)],
          params: [{ kind: 'scalar', index: 0 }],
          body: [
            load(0),
            { op: 'scalar', dtype: 'f32', param: 0 },
            { op: 'mul', dtype: 'f32', args: [0, 1] },
            store(1, 2),
          ],
        },
      },
      {
        kind: 'kernel',
        kernel: {
          ...common,
          name: 'add',
          bindings: [read(1), read(0), write(2)],
          params: [],
          body: [load(0), load(1), { op: 'add', dtype: 'f32', args: [0, 1] }, store(2, 2)],
        },
      },
      { kind: 'copy', from: 2, to: 3 },
    ],
    slots: [
      { kind: 'bound', index: 0, offset: 0, dtype: 'f32', size: n },
      { kind: 'arena', index: 0, offset: 128, dtype: 'f32', size: n },
      { kind: 'bound', index: 1, offset: 0, dtype: 'f32', size: n },
      { kind: 'bound', index: 2, offset: 0, dtype: 'f32', size: n },
    ],
    bound: 3,
    arenaBytes: 128 + 4 * n,
    scalars: 1,
  };
}

const ramp = Float32Array.from({ length: n }, (_, i) => i);

test.each([1, 2])('runs steps in order and again with other storages and numbers; threads: %s', async (threads) => {
  const backend = await sharing(threads, { callWork: 1 });
  const executable = backend.prepare(twoSteps());
  for (const [factor, extra] of [
    [2, 0],
    [5, 3e6],
    [-1, 0],
  ] as const) {
    // Growth moves the views of the memory, and the arena is elsewhere than before.
    const ballast = backend.allocate(extra);
    const [x, y, z] = [backend.allocate(4 * n), backend.allocate(4 * n), backend.allocate(4 * n)];
    backend.write(x, 0, ramp);
    backend.run(executable, [x, y, z], Float64Array.of(factor));
    const got = new Float32Array(await backend.read(z, 0, 4 * n));
    expect([got[0], got[1], got[999]]).toEqual([0, factor + 1, 999 * (factor + 1)]);
    for (const storage of [x, y, z, ballast]) backend.free(storage);
  }
  await backend.dispose();
});

test('an arena that grows for another schedule keeps earlier ones right', async () => {
  const backend = await cpu();
  const small = backend.prepare(twoSteps());
  const large = backend.prepare({ ...twoSteps('large'), arenaBytes: 4_000_000 });
  const [x, y, z] = [backend.allocate(4 * n), backend.allocate(4 * n), backend.allocate(4 * n)];
  backend.write(x, 0, ramp);
  for (const executable of [small, large, small]) {
    backend.write(z, 0, new Float32Array(n));
    backend.run(executable, [x, y, z], Float64Array.of(3));
    expect(new Float32Array(await backend.read(z, 0, 4 * n))[7]).toBe(28);
  }
});

test('kernels of one structure are compiled once', async () => {
  const backend = await cpu();
  const { Module } = WebAssembly;
  let compiled = 0;
  WebAssembly.Module = class extends Module {
    constructor(bytes: Uint8Array<ArrayBuffer>) {
      super(bytes);
      compiled++;
    }
  };
  try {
    backend.prepare(twoSteps('first'));
    expect(compiled).toBeGreaterThan(0);
    compiled = 0;
    for (let i = 0; i < 20; i++) backend.prepare(twoSteps(`other ${i}`)).dispose();
    expect(compiled).toBe(0);
  } finally {
    WebAssembly.Module = Module;
  }
});

test('times each step when asked', async () => {
  const backend = await cpu();
  const executable = backend.prepare(twoSteps());
  const storages = [0, 1, 2].map(() => backend.allocate(4 * n));
  let names: string[] = [];
  backend.run(executable, storages, Float64Array.of(1), (steps) => {
    names = steps.map((s) => s.name);
    for (const { ms } of steps) expect(ms).toBeGreaterThanOrEqual(0);
  });
  expect(names).toEqual(['double', 'add', 'copy']);
});

test('counts what is in use and at most was', async () => {
  const backend = await cpu();
  const before = backend.memory().inUse;
  const storage = backend.allocate(1_000_000);
  expect(backend.memory().inUse).toBeGreaterThanOrEqual(before + 1_000_000);
  backend.free(storage);
  expect(backend.memory().inUse).toBe(before);
  expect(backend.memory().peak).toBeGreaterThanOrEqual(1_000_000);
});

test('a disposed executable gives its memory back and does not run', async () => {
  const backend = await cpu();
  const before = backend.memory().inUse;
  const executable = backend.prepare(twoSteps());
  executable.dispose();
  executable.dispose();
  expect(backend.memory().inUse).toBe(before);
  expect(() => backend.run(executable, [], new Float64Array(1))).toThrow('disposed');
});

test('refuses storages of others, freed ones, short ones and bytes beyond the end', async () => {
  const [one, other] = [await cpu(), await cpu()];
  const storage = one.allocate(16);
  expect(() => other.write(storage, 0, new Uint8Array(4))).toThrow('another backend');
  expect(() => one.write(storage, 13, new Uint8Array(4))).toThrow('bytes 13 to 17');
  await expect(one.read(storage, 8, 16)).rejects.toThrow('bytes 8 to 24');
  const executable = one.prepare(twoSteps());
  expect(() => one.run(executable, [storage, storage, storage], new Float64Array(1))).toThrow('needs 4000');
  one.free(storage);
  expect(() => one.free(storage)).toThrow('freed');
  expect(() => one.write(storage, 0, new Uint8Array(4))).toThrow('freed');
});

test('what is read is a copy', async () => {
  const backend = await cpu();
  const storage = backend.allocate(4);
  backend.write(storage, 0, Uint8Array.of(1, 2, 3, 4));
  const read = await backend.read(storage, 1, 2);
  backend.write(storage, 0, Uint8Array.of(9, 9, 9, 9));
  expect([...new Uint8Array(read)]).toEqual([2, 3]);
});

test('says what it runs on', async () => {
  expect((await cpu()).describe()).toMatch(/^WebAssembly SIMD128.*\d threads?$/);
});

test('refuses an engine without SIMD', async () => {
  const features = { simd: false, relaxedSimd: false, threads: false };
  await expect(createCpu({ features })).rejects.toThrow('no WebAssembly SIMD');
});

test('works without fused multiply-add', async () => {
  const backend = await createCpu({ features: { simd: true, relaxedSimd: false, threads: false } });
  const executable = backend.prepare(twoSteps());
  const [x, y, z] = [backend.allocate(4 * n), backend.allocate(4 * n), backend.allocate(4 * n)];
  backend.write(x, 0, ramp);
  backend.run(executable, [x, y, z], Float64Array.of(0.5));
  expect(new Float32Array(await backend.read(z, 0, 4 * n))[10]).toBe(15);
});
