import { noGrad } from '@dl/autograd';
import { type Backend, compile, rand, setBackend, setSeed, type Tensor, tensor } from '@dl/tensor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CpuBackend, createCpu } from '../src/backend';
import { type Blas, chooseBlas } from '../src/blas/library';
import { availableCores } from '../src/pool/threads';
import { detectFeatures } from '../src/wasm/features';

const { blas, reason } = await chooseBlas('auto', 1);
if (reason !== null) console.warn(`Products by OpenBLAS are not tested: ${reason}.`);

type Case = readonly [shapes: readonly (readonly number[])[], fn: (...x: Tensor[]) => Tensor];

/** Products that the library takes. */
const cases: Readonly<Record<string, Case>> = {
  plain: [
    [
      [192, 160],
      [160, 200],
    ],
    (a, b) => a.matmul(b),
  ],
  'left transposed': [
    [
      [160, 192],
      [160, 200],
    ],
    (a, b) => a.transpose().matmul(b),
  ],
  'right transposed': [
    [
      [192, 160],
      [200, 160],
    ],
    (a, b) => a.matmul(b.transpose()),
  ],
  'part of a larger operand': [
    [
      [192, 400],
      [160, 200],
    ],
    (a, b) => a.narrow(1, 40, 160).matmul(b),
  ],
  'a batch': [
    [
      [4, 128, 96],
      [4, 96, 128],
    ],
    (a, b) => a.matmul(b),
  ],
  'one right operand for a batch': [
    [
      [4, 64, 160],
      [160, 200],
    ],
    (a, b) => a.matmul(b),
  ],
  'bias and relu after it': [[[192, 160], [200, 160], [200]], (a, w, bias) => a.matmul(w.transpose()).add(bias).relu()],
  'softmax of rows after it': [
    [
      [192, 160],
      [200, 160],
    ],
    (a, b) => a.matmul(b.transpose()).softmax(-1),
  ],
  'another product after it': [
    [
      [192, 160],
      [160, 200],
      [200, 180],
    ],
    (a, b, c) => a.matmul(b).tanh().matmul(c),
  ],
};

describe.skipIf(reason !== null)('products by OpenBLAS', () => {
  const backends: Backend[] = [];
  let calls = 0;
  beforeAll(async () => {
    const sgemm: Blas['sgemm'] = (...args) => {
      calls++;
      blas!.sgemm(...args);
    };
    const counting = new CpuBackend(await detectFeatures(), 1, {}, { blas: { ...blas!, sgemm }, reason: null });
    backends.push(await createCpu({ threads: 1 }), counting);
    if (availableCores() > 1) backends.push(await createCpu({ threads: 2, blas: true, startAfter: 0 }));
  });
  afterAll(() => Promise.all(backends.map((backend) => backend.dispose())));

  it.each(Object.entries(cases))('%s: as in WebAssembly', async (_, [shapes, fn]) => {
    const results: Float32Array[] = [];
    calls = 0;
    for (const backend of backends) {
      setBackend(backend);
      setSeed(3);
      const inputs = shapes.map((shape) => rand(shape).sub(0.5));
      const step = compile(fn);
      for (let i = 0; i < 3; i++) results.push((await noGrad(() => step(...inputs)).data()) as Float32Array);
    }
    expect(calls).toBeGreaterThanOrEqual(3);
    const [exact, ...others] = results;
    // Sums of 200 products at most, in other orders.
    for (const other of others)
      expect(exact!.reduce((worst, value, i) => Math.max(worst, Math.abs(other[i]! - value)), 0)).toBeLessThan(2e-5);
  });

  it('describe names it', () => {
    expect(backends[0]!.describe()).not.toContain('OpenBLAS');
    expect(backends[1]!.describe()).toMatch(/; large products by OpenBLAS \d.* through koffi \d/);
  });

  it('computes what it is given at each call, in other storages', async () => {
    setBackend(backends[1]!);
    const step = compile((a: Tensor, b: Tensor) => a.matmul(b));
    const b = rand([160, 200]);
    const ones = await step(tensor(new Float32Array(192 * 160).fill(1), [192, 160]), b).data();
    const twos = await step(tensor(new Float32Array(192 * 160).fill(2), [192, 160]), b).data();
    expect(ones[0]).toBeGreaterThan(40);
    expect(ones.every((value, i) => Math.abs(twos[i]! - 2 * value) < 1e-3)).toBe(true);
  });
});

describe('cpu({ blas })', () => {
  it('is off by default', async () => {
    expect((await createCpu({ threads: 1 })).describe()).not.toContain('OpenBLAS');
    expect(await chooseBlas(undefined, 1)).toEqual({ blas: null, reason: null });
  });

  it('refuses what it does not know', async () => {
    await expect(createCpu({ blas: 'yes' as 'auto' })).rejects.toThrow(
      'cpu: blas is "yes", but is true, false or \'auto\'.',
    );
  });

  it.runIf(reason !== null)('says why there is none, and with true how to get it', async () => {
    expect((await createCpu({ threads: 1, blas: 'auto' })).describe()).toContain(`no OpenBLAS, for ${reason}`);
    await expect(createCpu({ blas: true })).rejects.toThrow('npm install koffi');
  });
});
