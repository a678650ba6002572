/* gpu.js: training as on the CPU, what runs on the host, and what is said when it cannot start. */
import { cpu } from '@dl/backend-cpu';
import { type Backend, BackendError, compile, rand, setBackend, type Tensor, tensor, Variable } from '@dl/tensor';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GpuJsBackend, gpujs } from '../src/index';
import { gpt, leNet, lossesOn, lstm, type Training } from './models';

const text = { batch: 2, time: 6, vocabulary: 11, width: 16 };
const trainings: Readonly<Record<string, Training>> = {
  LeNet: leNet({ batch: 8, image: 12, channels: [4, 8] }),
  'an LSTM': lstm(text),
  'a GPT': gpt(text),
};

/** Rounding differs in the order of sums and the last bits of exp; over a few steps of Adam it does not grow beyond this. */
const tolerance = 2e-5;

describe.each(['webasm', 'cpu'] as const)('gpu.js, mode %s', (mode) => {
  let backend: GpuJsBackend;
  let reference: Backend;
  const warnings: string[] = [];
  beforeAll(async () => {
    backend = await gpujs({ mode, warn: (message) => warnings.push(message) });
    reference = await cpu();
  });
  afterAll(async () => {
    await backend.dispose();
    await reference.dispose();
  });

  test.each(Object.entries(trainings))('%s follows the loss curve of the CPU', async (_, training) => {
    const wanted = await lossesOn(reference, training, 12);
    const got = await lossesOn(backend, training, 12);
    for (const [i, loss] of wanted.entries()) {
      expect(Math.abs(got[i]! - loss) / loss, `step ${i}: ${got[i]} for ${loss}`).toBeLessThan(tolerance);
    }
    expect(got.at(-1)).toBeLessThan(got[0]!);
  });

  test('what runs on the host is said once', async () => {
    setBackend(backend);
    for (let i = 0; i < 3; i++) await tensor([3, 1, 2]).mul(i).argsort(0).data();
    expect(warnings.filter((w) => w.includes('sort runs on the host'))).toHaveLength(1);
    expect(backend.hosted.get('sort')).toMatch(/threads cannot read each other/);
    expect(backend.describe()).toMatch(/on the processor; on the host: .*sort/);
  });

  test('a scatter into one place runs in gpu.js', async () => {
    setBackend(backend);
    const into = tensor([1]).scatterAdd(0, tensor(Int32Array.of(0, 0, 0)), tensor([1, 2, 3]));
    expect([...(await into.data())]).toEqual([7]);
    expect(warnings.filter((w) => w.includes('gpu.js refuses'))).toEqual([]);
  });

  test('integers beyond 2^24 are exact', async () => {
    setBackend(backend);
    const large = tensor([16777217, -2147483648, 2147483647], null, { dtype: 'i32' });
    const other = tensor([16777216, -2147483648, 2147483646], null, { dtype: 'i32' });
    expect([...(await large.add(1).data())]).toEqual([16777218, -2147483647, -2147483648]);
    expect([...(await large.eq(other).data())]).toEqual([0, 1, 0]);
    expect([...(await large.flip(0).data())]).toEqual([2147483647, -2147483648, 16777217]);
  });

  test('updates that read each other see the values of before', async () => {
    setBackend(backend);
    const [a, b] = [new Variable(tensor([1, 2])), new Variable(tensor([10, 20]))];
    const swap = compile(() => {
      const [x, y] = [a.mul(2), b.add(a)];
      a.assign(y);
      b.assign(x);
      return [];
    });
    swap();
    swap();
    expect([[...(await a.data())], [...(await b.data())]]).toEqual([
      [13, 26],
      [22, 44],
    ]);
  });

  test('memory is flat over many steps', async () => {
    setBackend(backend);
    const v = new Variable(rand([64]));
    const step = compile((x: Tensor) => {
      v.assign(v.mul(0.9).add(x));
      return v.sum();
    });
    const x = tensor(0.1);
    const run = async (): Promise<number> => {
      for (let i = 0; i < 20; i++) {
        const sum = step(x);
        await sum.item();
        sum.dispose();
      }
      return backend.memory().inUse;
    };
    const before = await run();
    expect(await run()).toBe(before);
  });
});

describe('gpujs', () => {
  test('takes WebAssembly where there is no GPU, and says so', async () => {
    const said: string[] = [];
    const backend = await gpujs({ warn: (message) => said.push(message) });
    expect(backend.mode).toBe('webasm');
    expect(backend.isFallback).toBe(true);
    expect(said).toEqual([expect.stringMatching(/no GPU here.*@dl\/backend-cpu is faster/)]);
    await backend.dispose();
  });

  test.each([
    ['webgl2', /needs a browser/],
    ['headless-gl', /native module "gl"/],
    ['webgpu', /navigator\.gpu/],
    ['metal', /Modes are gpu, webgl2/],
  ])('mode %s, which is not here, is an error that says what to do', async (mode, remedy) => {
    const starting = gpujs({ mode: mode as 'webgl2' });
    await expect(starting).rejects.toThrow(BackendError);
    await expect(starting).rejects.toThrow(remedy);
  });

  test('a library that is not gpu.js is refused', async () => {
    await expect(gpujs({ library: { GPU: {} } })).rejects.toThrow(/not gpu\.js/);
  });

  test('storage of another backend is refused', async () => {
    const [a, b] = [await gpujs({ mode: 'cpu' }), await gpujs({ mode: 'cpu' })];
    await expect(a.read(b.allocate(4), 0, 4)).rejects.toThrow(/another backend/);
    await Promise.all([a.dispose(), b.dispose()]);
  });
});
