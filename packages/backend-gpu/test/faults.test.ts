/* What goes wrong on a device, and how it is said. */
import { cpu } from '@dl/backend-cpu';
import { BackendError, DTypeError, profile, setBackend, tensor, ValueError, zeros } from '@dl/tensor';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createWebGpu, type WebGpuBackend } from '../src/webgpu/backend';
import { hasAdapter } from './adapter';

describe.skipIf(!hasAdapter)('faults of WebGPU', () => {
  let gpu: WebGpuBackend;
  beforeAll(async () => {
    gpu = await createWebGpu({ maxBytes: 64 << 20 });
  });
  afterAll(() => gpu.dispose());

  test('f64 is refused with what to use', async () => {
    setBackend(gpu);
    const x = tensor(Float64Array.of(1, 2));
    await expect(x.add(1).data()).rejects.toThrow(DTypeError);
    await expect(x.add(1).data()).rejects.toThrow(/has no f64.*f32.*Cast/);
  });

  test('tensors of two backends do not mix, and to(backend) moves them', async () => {
    const other = await cpu();
    setBackend(other);
    const x = tensor([1, 2]).add(1).realize();
    setBackend(gpu);
    await expect(x.mul(2).data()).rejects.toThrow(/to\(backend\)/);
    const moved = await x.to(gpu);
    expect([...(await moved.mul(2).data())]).toEqual([4, 6]);
    await other.dispose();
  });

  test('out of memory names what was asked for, what is in use, and the largest holders', async () => {
    setBackend(gpu);
    const large = zeros([10 << 20]).realize(); // 40 MiB
    const next = zeros([8 << 20]).add(1);
    const failure = next.data().catch((error: unknown) => error as Error);
    const { message } = (await failure) as Error;
    expect(message).toMatch(/needs 32\.00 MB.*40\.\d\d MB are in use/);
    expect(message).toMatch(/largest holders are: .*\[10485760\]/);
    large.dispose();
    expect((await next.sum().item()) / (8 << 20)).toBe(1);
  });

  test('one buffer beyond the device’s limit is refused at once', () => {
    expect(() => gpu.allocate(2 ** 40)).toThrow(/more than this device allows in one buffer/);
  });

  test('an index out of range is told by the next read, and only by that', async () => {
    setBackend(gpu);
    const bad = tensor([1, 2, 3]).gather(0, tensor([7], null, { dtype: 'i32' }));
    const failure = bad.data();
    await expect(failure).rejects.toThrow(ValueError);
    await expect(failure).rejects.toThrow(/gather.*index 7 is outside 0 to 2/);
    expect(await tensor([1]).add(1).item()).toBe(2);
  });

  test('writes begin and end at whole words', () => {
    const storage = gpu.allocate(8);
    expect(() => gpu.write(storage, 1, Uint8Array.of(1))).toThrow(/multiple of 4/);
    expect(() => gpu.write(storage, 4, new Uint8Array(8))).toThrow(/outside a storage of 8/);
    gpu.free(storage);
    expect(() => gpu.write(storage, 0, new Uint8Array(4))).toThrow('was freed');
  });

  test('profile gives a time for every kernel', async () => {
    setBackend(gpu);
    const { kernels } = await profile(() => tensor([1, 2, 3]).exp().sum().item());
    expect(kernels.map((k) => k.name)).toEqual(['exp+sum']);
    expect(kernels[0]!.ms).toBeGreaterThanOrEqual(0);
  });

  test('a lost device says why; what waited and what comes later fails at once, and another can be started', async () => {
    const doomed = await createWebGpu();
    setBackend(doomed);
    const waiting = tensor([1, 2]).exp().data();
    doomed.device.destroy();
    await expect(waiting).rejects.toThrow(BackendError);
    expect((await doomed.lost).message).toMatch(/the device was lost: .+checkpoint/);
    await expect(tensor([1]).add(1).data()).rejects.toThrow('the device was lost');
    const another = await createWebGpu();
    setBackend(another);
    expect(await tensor([1]).add(1).item()).toBe(2);
    await another.dispose();
  });
});
