/* Tuning: what is chosen for given times, where it is kept, and that a device can be timed. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setBackend, tensor } from '@dl/tensor';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createWebGpu, type WebGpuBackend } from '../src/webgpu/backend';
import { shortest } from '../src/webgpu/product-timer';
import { type TimeProduct, type TuningStore, tuningOf } from '../src/webgpu/tuning';
import { sharedTiles, type Tile } from '../src/wgsl/contraction/plan';
import { hasAdapter } from './adapter';

class Memory implements TuningStore {
  readonly kept = new Map<string, string>();
  load = async (adapter: string): Promise<string | null> => this.kept.get(adapter) ?? null;
  save = async (adapter: string, text: string): Promise<void> => void this.kept.set(adapter, text);
}

/** Small products are fastest by each thread, middle ones by tiles of 64 × 64, large ones by 128 × 128. */
const best: Readonly<Record<number, Tile | 'direct'>> = {
  128: 'direct',
  512: sharedTiles['64×64'],
  1024: sharedTiles['128×128'],
};
const timed: [number, Tile | 'direct'][] = [];
const time: TimeProduct = async (size, tile) => {
  timed.push([size, tile]);
  return tile === best[size] ? 1 : 2;
};
const wanted = [
  { from: 0, tile: 'direct' },
  { from: 256 * 256, tile: sharedTiles['64×64'] },
  { from: 1024 * 1024, tile: sharedTiles['128×128'] },
];

afterEach(() => {
  timed.length = 0;
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
  vi.resetModules();
});

describe('tuning', () => {
  test('takes the fastest way of each size, and is measured once an adapter', async () => {
    const store = new Memory();
    expect(await tuningOf('a gpu', store, time)).toEqual(wanted);
    expect(timed).toHaveLength(3 * (1 + Object.keys(sharedTiles).length));
    timed.length = 0;
    expect(await tuningOf('a gpu', store, time)).toEqual(wanted);
    expect(timed).toEqual([]);
    await tuningOf('another gpu', store, time);
    expect(timed).not.toEqual([]);
  });

  test.each([
    ['text that is cut off', '[{"from":0,"way":"dir'],
    [
      'of a way that is no more',
      '[{"from":0,"way":"8×8"},{"from":65536,"way":"direct"},{"from":1048576,"way":"direct"}]',
    ],
    ['of other sizes', '[{"from":0,"way":"direct"}]'],
  ])('what was kept is measured again where it is %s', async (_, text) => {
    const store = new Memory();
    store.kept.set('a gpu', text);
    expect(await tuningOf('a gpu', store, time)).toEqual(wanted);
    expect(JSON.parse(store.kept.get('a gpu')!)).toHaveLength(3);
  });

  test('a clock that stands still is an error, and nothing is kept', async () => {
    const store = new Memory();
    await expect(tuningOf('a gpu', store, async () => 0)).rejects.toThrow(/gives no times.*tune/);
    expect(store.kept.size).toBe(0);
  });

  test('the shortest of three passes counts, by its runs; a long first pass is enough', async () => {
    const passes = [90, 32, 16, 48];
    expect(await shortest(1024, async () => passes.shift()!)).toBe(2); // 8 runs
    const long = [800];
    expect(await shortest(1024, async () => long.shift()!)).toBe(100);
  });
});

describe('where a tuning is kept', () => {
  test('in Node a file in the folder of caches, whole at any time', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dl-tuning-'));
    try {
      vi.stubEnv('XDG_CACHE_HOME', folder);
      const { tuningStore } = await import('../src/webgpu/tuning-store');
      const store = await tuningStore();
      expect(await store.load('vendor Model 1')).toBe(null);
      await store.save('vendor Model 1', 'old');
      await store.save('vendor Model 1', 'new');
      expect(await store.load('vendor Model 1')).toBe('new');
      expect(readdirSync(join(folder, 'dl-backend-gpu'))).toEqual(['vendor-model-1.json']);
      expect(readFileSync(join(folder, 'dl-backend-gpu', 'vendor-model-1.json'), 'utf8')).toBe('new');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('in a browser an answer in its cache', async () => {
    const answers = new Map<string, { text(): Promise<string> }>();
    const cache = {
      match: async (url: string) => answers.get(url),
      put: async (url: string, answer: Response) => void answers.set(url, answer),
    };
    vi.stubGlobal('process', undefined);
    vi.stubGlobal('caches', { open: async () => cache });
    const { tuningStore } = await import('../src/webgpu/tuning-store');
    const store = await tuningStore();
    expect(await store.load('a gpu')).toBe(null);
    await store.save('a gpu', 'text');
    expect(await store.load('a gpu')).toBe('text');
    expect([...answers.keys()]).toEqual(['https://backend-gpu.invalid/tuning/a%20gpu']);
  });

  test('where there are neither files nor a cache, nowhere', async () => {
    vi.stubGlobal('process', undefined);
    vi.stubGlobal('caches', { open: () => Promise.reject(new Error('this page has no origin')) });
    const { tuningStore } = await import('../src/webgpu/tuning-store');
    const store = await tuningStore();
    await store.save('a gpu', 'text');
    expect(await store.load('a gpu')).toBe(null);
  });
});

describe.skipIf(!hasAdapter)('tuning on WebGPU', () => {
  /** A product of 20 × 20 on a backend, and whether it went through workgroup memory. */
  const productOn = async (gpu: WebGpuBackend): Promise<[number[], boolean]> => {
    setBackend(gpu);
    const shaders = vi.spyOn(gpu.device, 'createShaderModule');
    const waves = (wave: (x: number) => number) =>
      tensor(
        Array.from({ length: 400 }, (_, i) => wave(i)),
        [20, 20],
      );
    const result = [...(await waves(Math.sin).matmul(waves(Math.cos)).data())];
    return [result, shaders.mock.calls.some(([{ code }]) => code.includes('var<workgroup>'))];
  };

  test('a software adapter is left as it is, a product can be timed, and what is chosen changes no result', async () => {
    const plain = await createWebGpu({ tune: true });
    expect(await plain.timeProduct(16, 'direct')).toBeGreaterThan(0);
    const [result, isShared] = await productOn(plain);
    expect(isShared).toBe(false);
    const tuned = await createWebGpu();
    await tuned.tune(new Memory(), async (_, tile) => (tile === sharedTiles['32×32'] ? 1 : 2));
    expect(await productOn(tuned)).toEqual([result, true]);
    await Promise.all([plain.dispose(), tuned.dispose()]);
  });
});
