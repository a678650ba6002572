import { BackendError } from '@dl/tensor';
import { afterEach, expect, test } from 'vitest';
import { constantsBase, LinearMemory } from '../src/memory';
import { control } from '../src/pool/layout';
import { Pool, type PoolOptions, usualPool } from '../src/pool/pool';
import { depends, type Phase, ProgramRecords, phasesOf, type Region, type Work } from '../src/pool/program';
import type { CompiledModule } from '../src/pool/published';
import { type FunctionBuilder, ModuleBuilder } from '../src/wasm/assembler';
import { untilTaken } from './sharing';

const sharing = { threads: 2, leastStep: 100, leastChunk: 10, leastWake: 1 };

const region = (space: number, from: number, to: number, writes: boolean): Region => ({ space, from, to, writes });
const work = (size: number, regions: readonly Region[] = [], range = size, places: readonly number[] = [1]): Work => ({
  places,
  block: 0,
  range,
  grain: 1,
  longest: range,
  work: size,
  callCost: 0,
  regions,
});
const shape = (phases: readonly Phase[]) =>
  phases.map((p) => [p.alone ? 'alone' : 'shared', ...p.steps.map((s) => s.work.work)]);

test('steps depend on each other where one writes what the other touches', () => {
  const reads = work(1, [region(0, 0, 10, false)]);
  expect(depends(reads, work(1, [region(0, 5, 15, false)]))).toBe(false);
  expect(depends(reads, work(1, [region(0, 5, 15, true)]))).toBe(true);
  expect(depends(work(1, [region(0, 5, 15, true)]), reads)).toBe(true);
  expect(depends(reads, work(1, [region(0, 10, 15, true)]))).toBe(false);
  expect(depends(reads, work(1, [region(1, 0, 10, true)]))).toBe(false);
});

test('independent steps go together, small ones are run by the caller', () => {
  const a = (size: number, binding: number) => work(size, [region(binding, 0, 1, true)]);
  expect(shape(phasesOf([a(500, 0), a(600, 1), a(5, 2), a(500, 0), a(5, 0), a(6, 1), a(700, 1)], sharing))).toEqual([
    ['shared', 600, 500, 5],
    ['shared', 500],
    ['alone', 5, 6],
    ['shared', 700],
  ]);
});

test('one large step that cannot be cut is run alone, two of them side by side', () => {
  const whole = (binding: number) => work(500, [region(binding, 0, 1, true)], 1);
  expect(shape(phasesOf([whole(0)], sharing))).toEqual([['alone', 500]]);
  expect(shape(phasesOf([whole(0), whole(1)], sharing))).toEqual([['shared', 500, 500]]);
});

test('chunks begin at whole grains and cover the range', () => {
  for (const [range, grain, longest] of [
    [100, 1, 100],
    [100, 12, 24],
    [7, 4, 4],
    [1000, 192, 192],
  ] as const) {
    const [own] = phasesOf([{ ...work(5000, [], range), grain, longest }], sharing);
    const { chunk, chunks } = own!.steps[0]!;
    expect(chunk % grain).toBe(0);
    expect(chunk).toBeLessThanOrEqual(longest);
    expect(chunks).toBe(own!.alone ? 1 : Math.ceil(range / chunk));
  }
});

test('what every chunk repeats is repeated by each thread at most once', () => {
  const step = { ...work(100_000, [], 100), callCost: 20_000 };
  const chunksOf = (callCost: number) => phasesOf([{ ...step, callCost }], sharing)[0]!.steps[0]!.chunks;
  expect([0, 20_000, 60_000].map(chunksOf)).toEqual([8, 2, 1]);
});

const pools: Pool[] = [];
afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.dispose();
});

/** A pool of two threads, and a program of one step of 64 chunks with a function of the test's. */
function poolOf(emit: (f: FunctionBuilder) => void, options: Partial<PoolOptions> = {}, how = sharing) {
  const memory = new LinearMemory({ maxBytes: 2 ** 24, shared: true });
  const { initial, maximum } = memory.pages;
  const builder = new ModuleBuilder().importMemory({ minPages: initial, maxPages: maximum, shared: true });
  builder.function({ params: ['i32', 'i32', 'i32', 'i32'], export: 'k' }, (f) => emit(f));
  const bytes = builder.bytes().slice();
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory: memory.memory } });
  const broken: BackendError[] = [];
  const pool = new Pool(memory, { ...usualPool, threads: 2, ...options }, (error) => broken.push(error));
  pools.push(pool);
  const module: CompiledModule = { bytes, functions: Object.values(instance.exports) };
  pool.modules.use(module);
  const step = work(6400, [], 64, [pool.modules.placeOf(module)]);
  const phases = phasesOf([{ ...step, longest: 1 }], how);
  const records = new ProgramRecords(memory, phases, how);
  return { memory, pool, run: () => pool.run(records.first, 0), broken };
}

/** Runs `other` in workers, whose scratch memory begins after that of the caller. */
const inWorkers = (f: FunctionBuilder, other: () => void) => f.get(f.param(3)).if(other);

/** Some microseconds of work, so that both threads get chunks. */
function idle(f: FunctionBuilder): void {
  const counter = f.local('i32');
  f.for(counter, { to: 20_000 }, () => {});
}

const giveScratch = (memory: LinearMemory) => (memory.words[control.scratchStride / 4] = 64);

test('every chunk is run once', async () => {
  const { memory, pool, run } = poolOf((f) => {
    idle(f);
    f.get(f.param(0)).i32(4).op('i32.mul').i32(1).mem('i32.atomic.rmw.add', constantsBase).drop();
  });
  giveScratch(memory);
  let runs = 0;
  await untilTaken(pool, () => {
    run();
    runs++;
  });
  const counts = memory.words.subarray(constantsBase / 4, constantsBase / 4 + 65);
  expect([...new Set(counts)]).toEqual([runs, 0]);
});

test('small phases wake a thread where runs follow each other closely, and only there', async () => {
  const leastWake = Number.POSITIVE_INFINITY;
  const { memory, pool, run } = poolOf(idle, { spins: 100 }, { ...sharing, leastWake });
  giveScratch(memory);
  while (Atomics.load(memory.words, control.sleepers / 4) === 0) await new Promise((done) => setTimeout(done, 1));
  const before = pool.taken;
  run();
  expect(pool.taken).toEqual(before);
  await untilTaken(pool, () => {
    run();
    run();
  });
});

test('a kernel that fails in a thread ends the run with an error', async () => {
  const { memory, run, broken } = poolOf((f) => {
    inWorkers(f, () => f.unreachable());
    idle(f);
  });
  giveScratch(memory);
  const ends = async () => {
    for (;;) {
      run();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  await expect(ends()).rejects.toThrow(/^cpu: a kernel failed in thread 1\. .*start a new one/);
  expect(broken).toHaveLength(1);
});

test('a thread that does not answer ends the run with an error', async () => {
  const { memory, run } = poolOf(
    (f) => {
      inWorkers(f, () => f.loop((again) => f.br(again)));
      idle(f);
    },
    { patienceMs: 500 },
  );
  giveScratch(memory);
  const ends = async () => {
    for (;;) {
      run();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  await expect(ends()).rejects.toThrow('cpu: a thread has ended, or does not answer.');
  await expect(ends()).rejects.toThrow(BackendError);
});

test('places of modules that are not used any more go to later ones', () => {
  const { pool } = poolOf((f) => idle(f));
  const modules = Array.from({ length: 3 }, (): CompiledModule => {
    const builder = new ModuleBuilder();
    builder.function({ params: ['i32', 'i32', 'i32', 'i32'], export: 'k' }, (f) => idle(f));
    const bytes = builder.bytes().slice();
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    return { bytes, functions: Object.values(exports) };
  });
  const [a, b, c] = modules as [CompiledModule, CompiledModule, CompiledModule];
  pool.modules.use(a);
  pool.modules.use(a);
  pool.modules.use(b);
  const place = pool.modules.placeOf(a);
  pool.modules.release(a);
  expect(pool.modules.table.get(place)).toBe(a.functions[0]);
  pool.modules.release(a);
  pool.modules.use(c);
  expect(pool.modules.placeOf(c)).toBe(place);
  expect(pool.modules.table.get(place)).toBe(c.functions[0]);
});
