/** What a backend owes beyond right numbers: storage, faults, order of runs, and results that do not share memory. */
import {
  type Backend,
  compile,
  type Executable,
  rand,
  schedule,
  setSeed,
  type Tensor,
  tensor,
  Variable,
} from '@dl/tensor';

/** One promise of the contract: throws if it is broken. */
export interface Promised {
  readonly name: string;
  readonly check: (backend: Backend) => Promise<void>;
}

function expectEqual(got: unknown, want: unknown, what: string): void {
  const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
  if (a !== b) throw new Error(`${what}: got ${a}, wanted ${b}`);
}

async function expectRejection(promise: Promise<unknown>, what: string): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`${what}: did not reject`);
}

function expectThrow(what: string, words: string, run: () => void): void {
  let message = 'nothing';
  try {
    run();
  } catch (error) {
    ({ message } = error as Error);
  }
  if (!message.includes(words)) throw new Error(`${what}: threw ${message}, wanted ${words}`);
}

/** The negatives of two numbers, from one storage into another. */
function negation(backend: Backend): Executable {
  const [shape, dtype, attrs, args] = [[2], 'f32', {}, []] as const;
  const nodes = [
    { op: 'data', sources: [], attrs, shape, dtype, args },
    { op: 'neg', sources: [0], attrs, shape, dtype, args },
  ] as const;
  return backend.prepare(schedule({ nodes, outputs: [{ node: 1, into: null }], scalars: 0 }, backend.capabilities));
}

const list = async (x: Tensor): Promise<number[]> => Array.from(await x.data());

const storagePromises: Promised[] = [
  {
    name: 'reads back what was written, at any offset',
    check: async (backend) => {
      const storage = backend.allocate(24);
      backend.write(storage, 0, new Uint8Array(24));
      backend.write(storage, 8, Float32Array.of(1, 2));
      expectEqual([...new Float32Array(await backend.read(storage, 4, 12))], [0, 1, 2], 'read');
      backend.free(storage);
    },
  },
  {
    name: 'a write takes a part of a larger array',
    check: async (backend) => {
      const storage = backend.allocate(8);
      backend.write(storage, 0, new Float32Array(Float32Array.of(9, 8, 7, 6).buffer, 4, 2));
      expectEqual([...new Float32Array(await backend.read(storage, 0, 8))], [8, 7], 'read');
      backend.free(storage);
    },
  },
  {
    name: 'what was read is a copy',
    check: async (backend) => {
      const storage = backend.allocate(4);
      backend.write(storage, 0, Float32Array.of(1));
      const before = await backend.read(storage, 0, 4);
      backend.write(storage, 0, Float32Array.of(2));
      expectEqual(new Float32Array(before)[0], 1, 'the earlier read');
      backend.free(storage);
    },
  },
  {
    name: 'freed memory is used no more',
    check: async (backend) => {
      const { inUse } = backend.memory();
      const storages = [100, 0, 70000].map((bytes) => backend.allocate(bytes));
      if (backend.memory().inUse < inUse + 70100) throw new Error('allocate does not count');
      for (const storage of storages) backend.free(storage);
      expectEqual(backend.memory().inUse, inUse, 'bytes in use');
    },
  },
  {
    name: 'synchronous reads are there if announced',
    check: async (backend) => {
      expectEqual(backend.readSync !== undefined, backend.capabilities.syncReads, 'readSync');
      if (!backend.capabilities.syncReads) return;
      expectEqual([...tensor([1, 2]).add(1).dataSync()], [2, 3], 'dataSync');
    },
  },
];

const faultPromises: Promised[] = [
  {
    name: 'an index out of range rejects the next read, once, and names the operation',
    check: async (backend) => {
      const bad = tensor([[1, 2, 3]]).gather(1, tensor([[3, 0]], null, { dtype: 'i32' }));
      const message = await expectRejection(bad.data(), 'gather of index 3 of 3');
      if (!message.includes('gather')) throw new Error(`the message does not name gather: ${message}`);
      await backend.synchronize();
      expectEqual(await list(tensor([1]).add(1)), [2], 'what runs afterwards');
    },
  },
  {
    name: 'picking one element a row of a computed value refuses an index out of range',
    check: async (backend) => {
      const index = tensor([[0], [3]], null, { dtype: 'i32' });
      const bad = tensor([
        [1, 2, 3],
        [4, 5, 6],
      ])
        .exp()
        .gather(1, index);
      await expectRejection(bad.sum().data(), 'index 3 of 3');
      await backend.synchronize();
    },
  },
  {
    name: 'scatter refuses indices out of range, also negative ones',
    check: async (backend) => {
      const bad = tensor([0, 0]).scatterAdd(0, tensor([-1], null, { dtype: 'i32' }), tensor([1]));
      await expectRejection(bad.data(), 'scatter of index −1');
      await backend.synchronize();
    },
  },
];

const runPromises: Promised[] = [
  {
    name: 'an executable binds other storages at each run',
    check: async (backend) => {
      const run = negation(backend);
      const [a, b, c] = [1, 2, 3].map((x) => {
        const storage = backend.allocate(8);
        backend.write(storage, 0, Float32Array.of(x, 10 * x));
        return storage;
      });
      const none = new Float64Array(0);
      backend.run(run, [a!, c!], none);
      backend.run(run, [b!, a!], none);
      backend.run(run, [c!, b!], none);
      const read = async (s: typeof a): Promise<number[]> => [...new Float32Array(await backend.read(s!, 0, 8))];
      expectEqual(
        await Promise.all([a, b, c].map(read)),
        [
          [-2, -20],
          [1, 10],
          [-1, -10],
        ],
        'storages',
      );
      run.dispose();
      for (const storage of [a, b, c]) backend.free(storage!);
    },
  },
  {
    name: 'a run refuses executables that it does not have, and what does not fit them',
    check: async (backend) => {
      const run = negation(backend);
      const [a, short, none] = [backend.allocate(8), backend.allocate(4), new Float64Array(0)];
      const foreign = { dispose: () => {} };
      expectThrow('a foreign executable', 'another backend', () => backend.run(foreign, [a, a], none));
      expectThrow('one storage', 'takes 2 storages', () => backend.run(run, [a], none));
      expectThrow('a short storage', 'needs 8', () => backend.run(run, [a, short], none));
      run.dispose();
      expectThrow('a disposed executable', 'disposed', () => backend.run(run, [a, a], none));
      backend.free(a);
      backend.free(short);
    },
  },
  {
    name: 'results of calls do not share memory, and may be fed back',
    check: async () => {
      const f = compile((x: Tensor) => x.mul(2));
      const [a, b] = [f(tensor([1, 2])), f(tensor([10, 20]))];
      const c = f(f(a));
      expectEqual(
        [await list(a), await list(b), await list(c)],
        [
          [2, 4],
          [20, 40],
          [8, 16],
        ],
        'results',
      );
    },
  },
  {
    name: 'variables are updated call by call',
    check: async () => {
      const v = new Variable(tensor([1, 2, 3]));
      const step = compile((x: Tensor) => {
        v.assign(v.mul(0.5).add(x));
        return v.sum();
      });
      const sums = [step(tensor(1)), step(tensor(1)), step(tensor(2))];
      expectEqual(await Promise.all(sums.map((s) => s.item())), [6, 6, 9], 'sums');
      expectEqual(await list(v), [2.875, 3, 3.125], 'the variable');
    },
  },
  {
    name: 'an update that reads other elements of its variable sees the old ones',
    check: async () => {
      const v = new Variable(tensor([1, 2, 3, 4]));
      const step = compile(() => {
        v.assign(v.flip(0).add(v.cumsum(0)));
        return [];
      });
      for (let i = 0; i < 2; i++) step();
      expectEqual(await list(v), [16, 19, 25, 35], 'the variable');
    },
  },
  {
    name: 'an update by what lies outside of its variable is made, where the variable would be read',
    check: async () => {
      const v = new Variable(tensor(0.75));
      // One element of three, the value at a start that is known when it runs.
      const step = compile((start: Tensor) => {
        v.assign(v.reshape([1]).place([start], [3]).slice([0], [1]).reshape([]));
        return [];
      });
      const values: unknown[] = [];
      for (const start of [0, 1]) {
        step(tensor(Int32Array.of(start), []));
        values.push(await v.item());
      }
      expectEqual(values, [0.75, 0], 'the variable');
    },
  },
  {
    name: 'random numbers are the same, eager and compiled',
    check: async () => {
      setSeed(7);
      const eager = [await list(rand([5])), await list(rand([5])), await list(rand([5]))];
      setSeed(7);
      const draw = compile(() => rand([5]));
      const compiled = [draw(), draw(), draw()];
      expectEqual(await Promise.all(compiled.map(list)), eager, 'numbers');
    },
  },
  {
    name: 'a hundred runs in flight keep their order',
    check: async () => {
      const v = new Variable(tensor([0]));
      const step = compile((x: Tensor) => {
        v.assign(v.mul(1.5).add(x));
        return v.add(0);
      });
      let want = 0;
      let last: Tensor | undefined;
      for (let i = 0; i < 100; i++) {
        want = Math.fround(Math.fround(want * 1.5) + (i % 7));
        if (i % 10 === 9) want = 0;
        last = step(tensor([i % 7]));
        if (i % 10 === 9) v.assign(0);
      }
      expectEqual(await list(v), [want], 'the variable');
      if (!last) throw new Error('nothing ran');
    },
  },
];

export const promises: readonly Promised[] = [...storagePromises, ...faultPromises, ...runPromises];
