import type { Access, Backend, Expr, Instruction, Kernel, Schedule, Slot } from '@dl/tensor';
import { describe, expect, test } from 'vitest';
import { referenceBackend } from './backend';

const variable = (index: number, size: number): Expr => ({ kind: 'var', index, size });
const times = (term: Expr, factor: number): Expr => ({ kind: 'mul', term, factor });
const plus = (...terms: Expr[]): Expr => ({ kind: 'add', terms });
const number = (value: number): Expr => ({ kind: 'const', value });
const at = (binding: number, index: Expr): Access => ({ binding, index, bounds: [] });
const f32 = 'f32' as const;

const kernel = (parts: Partial<Kernel>): Kernel => ({
  name: 'test',
  bindings: [
    { slot: 0, mode: 'read', dtype: f32 },
    { slot: 1, mode: 'write', dtype: f32 },
  ],
  params: [],
  producer: null,
  rows: [],
  reduced: [],
  body: [],
  range: 1,
  ...parts,
});

const bound = (index: number, size: number, dtype: Slot['dtype'] = f32): Slot => ({
  kind: 'bound',
  index,
  offset: 0,
  dtype,
  size,
});

const scheduleOf = (slots: Slot[], ...kernels: Kernel[]): Schedule => ({
  steps: kernels.map((k) => ({ kind: 'kernel', kernel: k })),
  slots,
  bound: slots.filter((s) => s.kind === 'bound').length,
  arenaBytes: 1024,
  scalars: 0,
});

/** Runs a schedule on f32 inputs; storages without input are left unwritten. Gives the last storage. */
async function run(backend: Backend, schedule: Schedule, inputs: (number[] | null)[]): Promise<number[]> {
  const sizes = schedule.slots.filter((s) => s.kind === 'bound').map((s) => s.size);
  const storages = inputs.map((input, i) => {
    const storage = backend.allocate(sizes[i]! * 4);
    if (input) backend.write(storage, 0, Float32Array.from(input));
    return storage;
  });
  backend.run(backend.prepare(schedule), storages, new Float64Array(schedule.scalars));
  return [...new Float32Array(await backend.read(storages.at(-1)!, 0, sizes.at(-1)! * 4))];
}

const load = (access: Access): Instruction => ({ op: 'load', dtype: f32, access, fill: 0 });
const store = (access: Access, ref: number): Instruction => ({ op: 'store', dtype: f32, access, args: [ref] });

test('softmax: rows and elements in one kernel', async () => {
  const flat = plus(times(variable(0, 2), 3), variable(1, 3));
  const softmax = kernel({
    rows: [2],
    reduced: [3],
    range: 2,
    body: [
      load(at(0, flat)),
      { op: 'max_reduce', dtype: f32, args: [0] },
      { op: 'neg', dtype: f32, args: [1] },
      { op: 'add', dtype: f32, args: [0, 2] },
      { op: 'exp', dtype: f32, args: [3] },
      { op: 'sum', dtype: f32, args: [4] },
      { op: 'div', dtype: f32, args: [4, 5] },
      store(at(1, flat), 6),
    ],
  });
  const out = await run(referenceBackend(), scheduleOf([bound(0, 6), bound(1, 6)], softmax), [
    [0, 0, 0, 1, 2, 3],
    null,
  ]);
  expect(out[0]).toBe(Math.fround(1 / 3));
  expect(out[3]! + out[4]! + out[5]!).toBeCloseTo(1, 6);
  expect(out[5]).toBeCloseTo(0.66524, 5);
});

test('a contraction followed by its epilogue, in place', async () => {
  const fused = kernel({
    bindings: [
      { slot: 0, mode: 'read', dtype: f32 },
      { slot: 1, mode: 'read', dtype: f32 },
      { slot: 2, mode: 'readwrite', dtype: f32 },
    ],
    producer: {
      kind: 'contraction',
      dtype: f32,
      batch: [],
      m: [2],
      n: [2],
      k: [2],
      out: 2,
      lhs: at(0, plus(times(variable(0, 2), 2), variable(2, 2))),
      rhs: at(1, plus(times(variable(2, 2), 2), variable(1, 2))),
    },
    rows: [2, 2],
    range: 2,
    body: [
      load(at(2, plus(times(variable(0, 2), 2), variable(1, 2)))),
      { op: 'neg', dtype: f32, args: [0] },
      store(at(2, plus(times(variable(0, 2), 2), variable(1, 2))), 1),
    ],
  });
  const schedule = scheduleOf([bound(0, 4), bound(1, 4), bound(2, 4)], fused);
  expect(await run(referenceBackend(), schedule, [[1, 2, 3, 4], [5, 6, 7, 8], null])).toEqual([-19, -22, -43, -50]);
});

describe('faults of data', () => {
  const gather = kernel({
    name: 'embedding',
    rows: [2],
    range: 2,
    body: [
      load(at(0, variable(0, 2))),
      { op: 'cast', dtype: 'i32', args: [0] },
      { op: 'gather', dtype: f32, access: at(0, number(0)), stride: 1, limit: 2, args: [1], fill: 0 },
      store(at(1, variable(0, 2)), 2),
    ],
  });

  test('reject the next read once, naming the kernel', async () => {
    const backend = referenceBackend();
    const schedule = scheduleOf([bound(0, 2), bound(1, 2)], gather);
    await expect(run(backend, schedule, [[0, 5], null])).rejects.toThrow('embedding: index 5 is outside 0 to 1');
    await backend.synchronize();
  });

  test('leave good indices alone', async () => {
    const schedule = scheduleOf([bound(0, 2), bound(1, 2)], gather);
    expect(await run(referenceBackend(), schedule, [[1, 0], null])).toEqual([0, 1]);
  });
});

describe('faults of a schedule', () => {
  const copy = (from: Expr, to: Expr, size = 4): Kernel =>
    kernel({ rows: [size], range: size, body: [load(at(0, from)), store(at(1, to), 0)] });
  const i = variable(0, 4);
  const slots = [bound(0, 4), bound(1, 4)];
  const input = [[1, 2, 3, 4], null];

  test('an access out of bounds', async () => {
    await expect(run(referenceBackend(), scheduleOf(slots, copy(plus(i, number(1)), i)), input)).rejects.toThrow(
      'reads element 4',
    );
  });

  test('an element written twice', async () => {
    const twice = copy(i, { kind: 'div', term: i, divisor: 2 });
    await expect(run(referenceBackend(), scheduleOf(slots, twice), input)).rejects.toThrow('writes element 1 twice');
  });

  test('a read of what was never written', async () => {
    await expect(run(referenceBackend(), scheduleOf(slots, copy(i, i)), [null, null])).rejects.toThrow('never written');
    const fromArena: Slot[] = [{ kind: 'arena', index: 0, offset: 64, dtype: f32, size: 4 }, bound(0, 4)];
    await expect(run(referenceBackend(), scheduleOf(fromArena, copy(i, i)), [null])).rejects.toThrow('never written');
  });

  test('a read of what another slot has overwritten', async () => {
    const arena = (offset: number, size: number): Slot => ({ kind: 'arena', index: 0, offset, dtype: f32, size });
    const moved = [bound(0, 4), arena(0, 4), arena(0, 8), bound(1, 4)];
    const between = (from: number, to: number): Kernel => ({
      ...copy(i, i),
      bindings: [
        { slot: from, mode: 'read', dtype: f32 },
        { slot: to, mode: 'write', dtype: f32 },
      ],
    });
    const schedule = scheduleOf(moved, between(0, 1), between(0, 2), between(1, 3));
    await expect(run(referenceBackend(), schedule, input)).rejects.toThrow('overwritten through another slot');
  });

  test('a write through a binding to be read', async () => {
    const wrong = {
      ...copy(i, i),
      bindings: [{ slot: 0, mode: 'read', dtype: f32 } as const, { slot: 1, mode: 'read', dtype: f32 } as const],
    };
    await expect(run(referenceBackend(), scheduleOf(slots, wrong), input)).rejects.toThrow('mode is read');
  });

  test('one element reading what another writes', async () => {
    const flipped = kernel({
      bindings: [{ slot: 0, mode: 'readwrite', dtype: f32 }],
      rows: [4],
      range: 4,
      body: [load(at(0, plus(number(3), times(i, -1)))), store(at(0, i), 0)],
    });
    await expect(run(referenceBackend(), scheduleOf([bound(0, 4)], flipped), [[1, 2, 3, 4]])).rejects.toThrow(
      'another writes',
    );
  });

  test('reading an element after writing it', async () => {
    const late = kernel({
      bindings: [{ slot: 0, mode: 'readwrite', dtype: f32 }],
      rows: [4],
      range: 4,
      body: [{ op: 'constant', dtype: f32, value: 1 }, store(at(0, i), 0), load(at(0, i)), store(at(0, i), 2)],
    });
    const schedule = scheduleOf([bound(0, 4)], late);
    await expect(run(referenceBackend(), schedule, [[1, 2, 3, 4]])).rejects.toThrow('after it has written it');
  });

  test('a storage bound twice, once to be written', () => {
    const backend = referenceBackend();
    const storage = backend.allocate(16);
    backend.write(storage, 0, new Float32Array(4));
    const executable = backend.prepare(scheduleOf(slots, copy(i, i)));
    expect(() => backend.run(executable, [storage, storage], new Float64Array(0))).toThrow('share memory');
  });

  test('a variable that is no axis of the space', () => {
    expect(() => referenceBackend().prepare(scheduleOf(slots, copy(variable(0, 5), i)))).toThrow('claims size 5');
  });
});

test('counts memory, and refuses freed storage', () => {
  const backend = referenceBackend();
  const storage = backend.allocate(100);
  expect(backend.memory()).toEqual({ inUse: 100, peak: 100 });
  backend.free(storage);
  expect(backend.memory()).toEqual({ inUse: 0, peak: 100 });
  expect(() => backend.free(storage)).toThrow('freed before');
  expect(() => backend.write(storage, 0, new Uint8Array(1))).toThrow('freed');
});
