/* gpu.js through WebGPU, whose answers are promises: writes, runs and reads keep their order. */
import { cpu } from '@dl/backend-cpu';
import { compile, setBackend, type Tensor, tensor, Variable } from '@dl/tensor';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { create, globals } from 'webgpu';
import { type GpuJsBackend, gpujs } from '../src/index';
import { hasAdapter } from './adapter';
import { leNet, lossesOn } from './models';

describe.skipIf(!hasAdapter)('gpu.js, mode webgpu', () => {
  let backend: GpuJsBackend;
  beforeAll(async () => {
    for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value);
    vi.stubGlobal('navigator', { gpu: create([]) });
    backend = await gpujs({ mode: 'webgpu', warn: () => {} });
  });
  afterAll(async () => {
    await backend.dispose();
    vi.unstubAllGlobals();
  });

  test('reads are asynchronous only, and see what was run before them', async () => {
    setBackend(backend);
    expect(backend.capabilities.syncReads).toBe(false);
    const v = new Variable(tensor([1, 2]));
    const step = compile((x: Tensor) => {
      v.assign(v.mul(2).add(x));
      return v.add(0);
    });
    const results = [1, 2, 3].map((x) => step(tensor(x)));
    expect(await Promise.all(results.map((r) => r.array()))).toEqual([
      [3, 5],
      [8, 12],
      [19, 27],
    ]);
  });

  test('LeNet follows the loss curve of the CPU', async () => {
    const training = leNet({ batch: 8, image: 12, channels: [4, 8] });
    const reference = await cpu();
    const wanted = await lossesOn(reference, training, 6);
    const got = await lossesOn(backend, training, 6);
    await reference.dispose();
    for (const [i, loss] of wanted.entries()) expect(Math.abs(got[i]! - loss) / loss, `step ${i}`).toBeLessThan(2e-5);
  });
});
