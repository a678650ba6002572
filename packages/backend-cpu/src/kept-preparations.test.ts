import type { Access, Expr, Kernel, Schedule, Slot } from '@dl/tensor';
import { expect, test } from 'vitest';
import { createCpu } from './backend';

const [m, n, k] = [32, 40, 300];
const [aSize, bSize, cSize] = [m * k, k * n, m * n];
const sizes = [m, n, k];

const at = (binding: number, strides: readonly number[]): Access => ({
  binding,
  index: {
    kind: 'add',
    terms: strides.map(
      (factor, index): Expr => ({ kind: 'mul', term: { kind: 'var', index, size: sizes[index]! }, factor }),
    ),
  },
  bounds: [],
});

/** c = a · b, with b stored the other way round. */
const product: Kernel = {
  name: 'dot',
  bindings: [0, 1, 2].map((slot) => ({
    slot,
    mode: slot === 2 ? ('write' as const) : ('read' as const),
    dtype: 'f32',
  })),
  params: [],
  producer: {
    kind: 'contraction',
    dtype: 'f32',
    ...{ batch: [], m: [m], n: [n], k: [k] },
    lhs: at(0, [k, 0, 1]),
    rhs: at(1, [0, k, 1]),
    out: 2,
  },
  ...{ rows: [], reduced: [], body: [], range: m },
};

const bound = (index: number, size: number): Slot => ({ kind: 'bound', index, offset: 0, dtype: 'f32', size });

/** The product, and copies before or after it. */
const scheduleOf = (...steps: Schedule['steps']): Schedule => ({
  steps,
  slots: [bound(0, aSize), bound(1, bSize), bound(2, cSize), bound(3, bSize)],
  ...{ bound: 4, arenaBytes: 0, scalars: 0 },
});
const run = { kind: 'kernel', kernel: product } as const;
const overwrite = { kind: 'copy', from: 3, to: 1 } as const;

/** What the first element must be where all elements of a are 1 and all of b are `value`. */
const sum = (value: number) => k * value;

test.each([1, 2])(
  'finds what it has packed of a storage that does not change, and of no other; threads: %s',
  async (threads) => {
    const sharing = { leastStep: 1, leastChunk: 1, leastWake: 1 };
    const backend = await createCpu({ threads, oversubscribe: true, startAfter: 0, sharing });
    const before = backend.memory().inUse;
    const storages = [aSize, bSize, cSize, bSize].map((size) => backend.allocate(4 * size));
    const [a, b, c, d] = storages as [
      (typeof storages)[0],
      (typeof storages)[0],
      (typeof storages)[0],
      (typeof storages)[0],
    ];
    const fill = (storage: typeof a, size: number, value: number) =>
      backend.write(storage, 0, new Float32Array(size).fill(value));
    fill(a, aSize, 1);
    fill(b, bSize, 2);
    fill(d, bSize, 7);
    const plain = backend.prepare(scheduleOf(run));
    const [copyFirst, copyLast] = [
      backend.prepare(scheduleOf(overwrite, run)),
      backend.prepare(scheduleOf(run, overwrite)),
    ];
    const result = async (executable = plain, bindings = [a, b, c, d]) => {
      backend.write(c, 0, new Float32Array(cSize));
      backend.run(executable, bindings, new Float64Array(0));
      return [...new Set(new Float32Array(await backend.read(c, 0, 4 * cSize)))];
    };
    const small = backend.memory().inUse;
    for (let i = 0; i < 4; i++) expect(await result()).toEqual([sum(2)]);
    expect(backend.memory().inUse - small).toBeGreaterThanOrEqual(4 * bSize); // it is kept
    fill(b, bSize, 3);
    for (let i = 0; i < 3; i++) expect(await result()).toEqual([sum(3)]);
    // Written by the run itself, before and after the product, also where it is bound twice.
    expect(await result(copyFirst)).toEqual([sum(7)]);
    for (let i = 0; i < 3; i++) expect(await result()).toEqual([sum(7)]);
    fill(d, bSize, 5);
    expect(await result(copyLast)).toEqual([sum(7)]);
    for (let i = 0; i < 3; i++) expect(await result()).toEqual([sum(5)]);
    for (let i = 0; i < 3; i++) expect(await result(plain, [a, d, c, d])).toEqual([sum(5)]);
    for (const executable of [plain, copyFirst, copyLast]) executable.dispose();
    for (const storage of storages) backend.free(storage);
    if (threads === 1) expect(backend.memory().inUse - before).toBeLessThan(4 * (bSize + aSize) + 65536); // scratch and shared memory
    await backend.dispose();
  },
);
