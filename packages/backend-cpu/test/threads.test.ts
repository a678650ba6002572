import { createHash } from 'node:crypto';
import { grad } from '@dl/autograd';
import { type Backend, compile, setBackend, type Tensor, tensor, Variable } from '@dl/tensor';
import { afterEach, expect, test } from 'vitest';
import { cpu } from '../src/index';
import { availableCores } from '../src/pool/threads';
import { slide } from './convolutions';
import { sharing, untilTaken } from './sharing';

const started: Backend[] = [];
const start = async (...args: Parameters<typeof sharing>) => {
  const backend = await sharing(...args);
  started.push(backend);
  setBackend(backend);
  return backend;
};
afterEach(async () => {
  for (const backend of started.splice(0)) await backend.dispose();
});

/** Numbers between −1 and 1 that differ in size. */
const wave = (shape: readonly number[], step: number): Tensor => {
  const size = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Float32Array.from({ length: size }, (_, i) => Math.sin(i * step) * (1 + (i % 7))),
    shape,
  );
};

/** Programs whose sums come out differently in another order. */
const programs: Record<string, () => Tensor> = {
  'a product': () => wave([130, 70], 0.37).matmul(wave([70, 90], 0.11)),
  'a product and a softmax': () =>
    wave([33, 50], 0.37)
      .matmul(wave([50, 40], 0.11))
      .softmax(-1),
  'a batched product': () => wave([5, 20, 30], 0.3).matmul(wave([5, 30, 25], 0.2)),
  'a convolution by tiles': () => wave([3, 18, 15, 17], 0.3).convolution(wave([40, 18, 3, 3], 0.2), slide(1)),
  'a convolution by tiles of one image': () =>
    wave([1, 40, 24, 17], 0.3).convolution(wave([70, 40, 3, 3], 0.2), slide(1)),
  'a sum of rows': () => wave([300, 1000], 0.7).sum(1),
  'a sum of columns': () => wave([1000, 300], 0.7).sum(0),
  'a sum of all': () => wave([100_003], 0.7).sum(),
  'a running sum': () => wave([40, 500], 0.9).cumsum(1),
  'a sort': () => wave([40, 500], 0.9).sort(1).values,
  'rows by index': () => wave([100, 64], 0.4).take(0, tensor(Int32Array.from({ length: 90 }, (_, i) => (i * 7) % 100))),
  'a chain of elementwise steps': () =>
    wave([100_000], 0.3)
      .tanh()
      .mul(3)
      .add(wave([100_000], 0.1).exp())
      .sqrt(),
};

/** Several kernels a step, some of which depend on each other: a network of two layers, and its gradients. */
function trainingStep(): () => Tensor {
  const parameters = [wave([40, 64], 0.21), wave([64], 0.5), wave([64, 10], 0.33), wave([10], 0.7)].map(
    (value) => new Variable(value.mul(0.1), { requiresGrad: true }),
  );
  const x = wave([96, 40], 0.17);
  const target = wave([96, 10], 0.05);
  return compile(() => {
    const [a, b, c, d] = parameters as [Variable, Variable, Variable, Variable];
    const loss = x.matmul(a).add(b).tanh().matmul(c).add(d).sub(target).square().mean();
    const gradients = grad(loss, parameters);
    parameters.forEach((p, i) => p.assign(p.sub(gradients[i]!.mul(0.05))));
    return loss;
  });
}

async function bitsOf(threads: number): Promise<Record<string, string>> {
  const backend = await start(threads);
  const bits: Record<string, string> = {};
  const note = async (name: string, value: Tensor): Promise<void> => {
    const data = await value.data();
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    bits[name] = createHash('sha256').update(bytes).digest('hex');
  };
  if (threads > 1) {
    const warm = compile((v: Tensor) => v.tanh());
    const v = wave([200_000], 0.1);
    await untilTaken(
      {
        get taken() {
          return backend.pool?.taken ?? [0];
        },
      },
      () => warm(v).data(),
    );
  }
  for (const [name, program] of Object.entries(programs)) await note(name, program());
  const step = trainingStep();
  for (let i = 0; i < 20; i++) await note(`loss ${i}`, step());
  return bits;
}

test.each([2, 3, 4])('%i threads give the bits of one', async (threads) => {
  expect(await bitsOf(threads)).toEqual(await bitsOf(1));
});

test('every thread takes part, and more threads than cores do not stop each other', async () => {
  const backend = await start(4);
  const rounds = compile((v: Tensor) => {
    let sum = v;
    // Each step needs all rows of the one before.
    for (let i = 0; i < 10; i++) sum = sum.sub(sum.mean(0)).mul(0.9);
    return sum;
  });
  const v = wave([64, 100], 0.3);
  const first = await rounds(v).data();
  await untilTaken(backend.pool!, () => rounds(v).data());
  for (let i = 0; i < 1000; i++) {
    const out = rounds(v);
    if (i % 100 === 0) expect(await out.data()).toEqual(first);
    out.dispose();
  }
  expect(await rounds(v).data()).toEqual(first);
});

test('memory grows while threads run', async () => {
  const backend = await start(3);
  const scale = compile((v: Tensor) => v.mul(2).add(1));
  const held: Tensor[] = [];
  await scale(wave([1000], 1)).data();
  for (let i = 1; i <= 12; i++) {
    const size = 200_000 * i;
    const out = scale(tensor(new Float32Array(size).fill(i)));
    held.push(out);
    const data = await out.data();
    expect([data[0], data[size >> 1], data[size - 1]]).toEqual([2 * i + 1, 2 * i + 1, 2 * i + 1]);
  }
  await untilTaken(backend.pool!, () => scale(held[3]!).data());
  expect((await held[0]!.data())[17]).toBe(3);
});

test('copies are shared', async () => {
  const backend = await start(3);
  const state = new Variable(wave([300_001], 0.3));
  const step = compile(() => state.assign(state.mul(1.5)));
  const before = await state.data();
  for (let i = 0; i < 5; i++) step();
  const after = await state.data();
  for (const i of [0, 1000, 299_999, 300_000]) expect(after[i]).toBeCloseTo(before[i]! * 1.5 ** 5, 3);
  expect(backend.pool).not.toBeNull();
});

test('an index outside its range, in whatever thread, is an error of the next read alone', async () => {
  const backend = await start(4);
  const table = wave([100, 16], 0.1);
  const pick = compile((indices: Tensor) => table.take(0, indices).mul(2));
  const good = tensor(Int32Array.from({ length: 5000 }, (_, i) => i % 100));
  await untilTaken(
    {
      get taken() {
        return backend.pool?.taken ?? [0];
      },
    },
    () => pick(good).data(),
  );
  const wrong = new Int32Array(5000);
  wrong[4321] = 100;
  wrong[17] = 100;
  await expect(pick(tensor(wrong)).data()).rejects.toThrow('index 100 is outside 0 to 99');
  expect((await pick(good).data())[0]).toBe((await table.data())[0]! * 2);
});

test('a worker that ends between runs is replaced', async () => {
  const backend = await start(3);
  const scale = compile((v: Tensor) => v.mul(2));
  const v = wave([100_000], 0.3);
  const wanted = await scale(v).data();
  await untilTaken(backend.pool!, () => scale(v).data());
  await backend.pool!.kill(1);
  await backend.pool!.kill(2);
  expect(await scale(v).data()).toEqual(wanted);
  await untilTaken(backend.pool!, () => scale(v).data());
  expect(await scale(v).data()).toEqual(wanted);
});

test('workers that end again and again are an error, not a hang', async () => {
  const backend = await start(2);
  const scale = compile((v: Tensor) => v.mul(2));
  const v = wave([100_000], 0.3);
  await scale(v).data();
  for (let i = 0; i < 7; i++) {
    await untilTaken(backend.pool!, () => scale(v).data());
    await backend.pool!.kill(1);
  }
  expect(() => scale(v)).toThrow(/thread 1 ended again and again.*start a new one/);
  expect((await backend.lost).message).toContain('ended again and again');
});

test.each([1, 3])(
  'without room for intermediates a run changes nothing and names the holders; threads: %i',
  async (threads) => {
    const backend = await start(threads, { maxBytes: 24 * 2 ** 20 });
    const v = new Variable(wave([1000], 0.3), { name: 'table' });
    const step = compile((x: Tensor) => {
      v.assign(v.add(1));
      const large = x.reshape([-1, 1]).mul(v.reshape([1, -1]));
      return large.sub(large.mean(0)).square().mean(1);
    });
    const small = wave([100], 0.1);
    const wanted = await step(small).data();
    const before = await v.data();
    const held = wave([20_000], 0.1);
    await held.data();
    const { inUse } = backend.memory();
    expect(() => step(held)).toThrow(
      /^allocate: there is no room for 78 MB.* The largest holders are: .*\[20000\].*\[1000\]/,
    );
    expect(await v.data()).toEqual(before);
    expect(backend.memory().inUse).toBeLessThanOrEqual(inUse + 4096);
    expect(await step(small).data()).not.toEqual(wanted);
  },
);

test('nothing is started for work that is not worth it', async () => {
  const backend = await start(2, { startAfter: 4_000_000, sharing: {} });
  for (let i = 0; i < 100; i++) await wave([100], 0.1).mul(2).data();
  expect(backend.pool).toBeNull();
});

test('refuses threads that are not a whole number from 1 on, or more than the machine has', async () => {
  for (const threads of [0, -1, 1.5, Number.NaN]) {
    await expect(cpu({ threads })).rejects.toThrow(`threads must be a whole number from 1 on, but is ${threads}`);
  }
  const cores = availableCores();
  await expect(cpu({ threads: cores + 1 })).rejects.toThrow(
    `cpu: ${cores + 1} threads are asked for, but this machine runs ${cores} at once`,
  );
  expect((await cpu({ threads: 1 })).describe()).toMatch(/, 1 thread$/);
  if (cores > 1) expect((await cpu()).describe()).toMatch(new RegExp(`, ${cores} threads$`));
});
