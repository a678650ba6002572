/* What is written to the device: at once while nothing waits, else by way of memory that is used again. */
import { setBackend, tensor } from '@dl/tensor';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createWebGpu, type WebGpuBackend } from '../src/webgpu/backend';
import { Uploads } from '../src/webgpu/uploads';
import { hasAdapter } from './adapter';

describe('memory for uploads', () => {
  test('holds whole words, with zeros after the data, and is used again', () => {
    const uploads = new Uploads();
    const first = uploads.copy(new Uint8Array(300).fill(7));
    uploads.give(first);
    const second = uploads.copy(Uint8Array.from({ length: 290 }, (_, i) => i));
    expect(second.bytes).toBe(first.bytes);
    expect(second.byteLength).toBe(292);
    expect([...second.bytes.subarray(286, 293)]).toEqual([30, 31, 32, 33, 0, 0, 7]);
  });

  test('is not used again before it is given back', () => {
    const uploads = new Uploads();
    const first = uploads.copy(Uint8Array.of(1, 2, 3, 4));
    const second = uploads.copy(Uint8Array.of(5, 6, 7, 8));
    expect([...first.bytes.subarray(0, 4), ...second.bytes.subarray(0, 4)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test('is kept up to a limit', () => {
    const uploads = new Uploads();
    const large = uploads.copy(new Uint8Array(48 << 20));
    uploads.give(large);
    expect(uploads.copy(new Uint8Array(48 << 20)).bytes === large.bytes).toBe(false);
  });
});

describe.skipIf(!hasAdapter)('uploads on WebGPU', () => {
  let gpu: WebGpuBackend;
  beforeAll(async () => {
    gpu = await createWebGpu();
    setBackend(gpu);
  });
  afterAll(() => gpu.dispose());

  const readBytes = async (storage: ReturnType<WebGpuBackend['allocate']>) => [
    ...new Uint8Array(await gpu.read(storage, 0, storage.byteLength)),
  ];

  test('the device has what the data was when it was written, whatever waits', async () => {
    const storage = gpu.allocate(8);
    const data = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    gpu.write(storage, 0, data);
    data.fill(9);
    expect(await readBytes(storage)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);

    const waiting = tensor([1, 2]).exp().tanh().data(); // its shaders are being compiled
    data.set([8, 7, 6, 5, 4, 3, 2, 1]);
    gpu.write(storage, 0, data);
    data.fill(9);
    gpu.write(storage, 4, Uint8Array.of(0, 0, 0, 0));
    expect(await readBytes(storage)).toEqual([8, 7, 6, 5, 0, 0, 0, 0]);
    await waiting;
    gpu.free(storage);
  });

  test('what ends within a word, and what other threads can change, is copied first', async () => {
    const upload = vi.spyOn(gpu.device.queue, 'writeBuffer');
    const storage = gpu.allocate(6);
    gpu.write(storage, 0, Uint8Array.of(1, 2, 3, 4, 5, 6));
    expect(upload.mock.lastCall![4]).toBe(8);
    expect(await readBytes(storage)).toEqual([1, 2, 3, 4, 5, 6]);
    const shared = new Uint8Array(new SharedArrayBuffer(4)).fill(3);
    gpu.write(storage, 0, shared);
    expect(upload.mock.lastCall![2]).not.toBe(shared);
    expect(await readBytes(storage)).toEqual([3, 3, 3, 3, 5, 6]);
    gpu.free(storage);
  });
});
