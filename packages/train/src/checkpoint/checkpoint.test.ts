import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Linear } from '@dl/layers';
import { FormatError, Generator, setBackend, type Tensor, tensor, ValueError, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeCheckpoint, encodeCheckpoint, loadCheckpoint, readCheckpoint, saveCheckpoint } from '../index';
import { crc32 } from './crc32';

let folder: string;
beforeEach(async () => {
  setBackend(referenceBackend());
  folder = await mkdtemp(join(tmpdir(), 'dl-checkpoint-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('CRC-32 has the value that the standard gives for 123456789', () => {
  const bytes = new TextEncoder().encode('123456789');
  expect(crc32(bytes).toString(16)).toBe('cbf43926');
  expect(crc32(bytes.subarray(4), crc32(bytes.subarray(0, 4)))).toBe(crc32(bytes));
});

describe('bytes', () => {
  test('give back plain data, numbers that JSON lacks, and tensors of every dtype and shape', async () => {
    const state = {
      plain: [1, 'two', true, null, { deep: [] }],
      odd: [Number.NaN, Number.POSITIVE_INFINITY, -0],
      f64: tensor([1.1, 2.2], null, { dtype: 'f64' }),
      list: [tensor(3), tensor([[true, false]]), tensor([7], null, { dtype: 'u8' }), zeros([0, 2], 'i32')],
    };
    const back = decodeCheckpoint(await encodeCheckpoint(state)) as unknown as typeof state;
    expect(back.plain).toEqual(state.plain);
    expect(back.odd).toEqual(state.odd);
    expect(await back.f64.data('f64')).toEqual(Float64Array.of(1.1, 2.2));
    const list = back.list as unknown as Tensor[];
    expect(list.map((t) => [t.dtype, t.shape])).toEqual([
      ['f32', []],
      ['bool', [1, 2]],
      ['u8', [1]],
      ['i32', [0, 2]],
    ]);
    expect(await list[1]!.array()).toEqual([[true, false]]);
  });

  test('are a safetensors file: length, JSON header, data', async () => {
    const bytes = await encodeCheckpoint({ model: { weight: tensor([1, 2]) } });
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    expect(header['model.weight']).toEqual({ dtype: 'F32', shape: [2], data_offsets: [0, 8] });
    expect(Object.values(header['__metadata__']).every((value) => typeof value === 'string')).toBe(true);
    expect((8 + length) % 8).toBe(0);
    expect(bytes.length).toBe(8 + length + 8);
  });

  test('any byte that is changed, and any end that is cut off, is noticed', async () => {
    const bytes = await encodeCheckpoint({ model: { weight: tensor([1, 2, 3]) }, step: 17 });
    for (let i = 0; i < bytes.length; i++) {
      const changed = bytes.slice();
      changed[i]! ^= 0x10;
      expect(() => decodeCheckpoint(changed), `byte ${i}`).toThrow(FormatError);
      expect(() => decodeCheckpoint(bytes.slice(0, i)), `cut at ${i}`).toThrow(FormatError);
    }
    expect(() => decodeCheckpoint(Uint8Array.of(...bytes, 0))).toThrow('cut short or changed');
  });

  test('refuses what is no plain data, and says where it is', async () => {
    await expect(encodeCheckpoint({ a: { b: new Map() } })).rejects.toThrow('checkpoint: a.b is Map.');
    await expect(encodeCheckpoint({ a: () => 1 })).rejects.toThrow('checkpoint: a is a function.');
  });
});

describe('files', () => {
  test('restore what they were made of, and leave no other file', async () => {
    const file = join(folder, 'deep', 'run.ckpt');
    const [model, random] = [new Linear(2, 2), new Generator(5)];
    random.draw(7);
    const before = await model.weight.array();
    await saveCheckpoint(file, { model, random });
    model.weight.assign(0);
    random.draw(7);
    await loadCheckpoint(file, { model, random });
    expect(await model.weight.array()).toEqual(before);
    expect(random.counter).toBe(7);
    expect(await readdir(join(folder, 'deep'))).toEqual(['run.ckpt']);
  });

  test('an interrupted write leaves the file before it', async () => {
    const file = join(folder, 'run.ckpt');
    await saveCheckpoint(file, { random: new Generator(1) });
    await writeFile(`${file}.tmp`, 'half of a che');
    expect(Object.keys(await readCheckpoint(file))).toEqual(['random']);
    await saveCheckpoint(file, { random: new Generator(2) });
    expect(((await readCheckpoint(file))['random'] as { key: number[] }).key[0]).toBe(2);
  });

  test('messages name the file', async () => {
    const file = join(folder, 'run.ckpt');
    await expect(readCheckpoint(file)).rejects.toThrow(ValueError);
    await expect(readCheckpoint(file)).rejects.toThrow(`there is no file ${file}`);
    await saveCheckpoint(file, { random: new Generator(1) });
    await expect(loadCheckpoint(file, { model: new Linear(1, 1) })).rejects.toThrow(
      `${file} has no state for model; it has random.`,
    );
    await writeFile(file, (await readFile(file)).subarray(0, 40));
    await expect(readCheckpoint(file)).rejects.toThrow(`${file}: the header says`);
    await writeFile(file, 'PK\x03\x04 this is a zip file, not a checkpoint');
    await expect(readCheckpoint(file)).rejects.toThrow(`${file}: the file is no checkpoint of @dl`);
  });
});
