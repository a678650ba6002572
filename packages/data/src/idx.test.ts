import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { FormatError, ValueError } from '@dl/tensor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseIdx, readIdx } from './idx';

/** An IDX file: magic number, sizes, then the elements' bytes. */
function idx(code: number, shape: readonly number[], elements: readonly number[]): Uint8Array {
  const sizes = shape.flatMap((size) => [size >>> 24, (size >>> 16) & 255, (size >>> 8) & 255, size & 255]);
  return Uint8Array.from([0, 0, code, shape.length, ...sizes, ...elements]);
}

describe('parseIdx', () => {
  it.each([
    ['u8', 8, [0, 1, 254, 255], [0, 1, 254, 255]],
    ['i8', 9, [0, 1, 254, 255], [0, 1, -2, -1]],
    ['i16', 11, [0, 1, 255, 254], [1, -2]],
    ['i32', 12, [0, 0, 1, 2, 255, 255, 255, 255], [258, -1]],
    ['f32', 13, [0x3f, 0xc0, 0, 0, 0xc0, 0, 0, 0], [1.5, -2]],
    ['f64', 14, [0x3f, 0xf8, 0, 0, 0, 0, 0, 0], [1.5]],
  ])('reads big-endian %s', (type, code, bytes, values) => {
    const array = parseIdx(idx(code, [values.length], bytes));
    expect(array.type).toBe(type);
    expect(array.shape).toEqual([values.length]);
    expect([...array.data]).toEqual(values);
  });

  it('reads several axes, an axis of size 0, and no axis', () => {
    expect(parseIdx(idx(8, [2, 1, 2], [1, 2, 3, 4])).shape).toEqual([2, 1, 2]);
    expect(parseIdx(idx(8, [0, 28, 28], [])).data).toHaveLength(0);
    expect(parseIdx(idx(8, [], [7])).data[0]).toBe(7);
  });

  it('reads a view that does not begin at its buffer, and copies', () => {
    const file = idx(8, [2], [5, 6]);
    const shifted = new Uint8Array(file.length + 3);
    shifted.set(file, 3);
    const { data } = parseIdx(shifted.subarray(3));
    shifted.fill(0);
    expect([...data]).toEqual([5, 6]);
  });

  it('names a file that is cut short, with expected and found bytes', () => {
    expect(() => parseIdx(idx(8, [2, 2], [1, 2, 3]), 'a.idx')).toThrow(FormatError);
    expect(() => parseIdx(idx(8, [2, 2], [1, 2, 3]), 'a.idx')).toThrow(
      'readIdx: a.idx is cut short: expected 16 bytes for u8 [2, 2] (12 of header, 4 × 1 of elements), found 15',
    );
    expect(() => parseIdx(idx(8, [2, 2], []).subarray(0, 9), 'a.idx')).toThrow(
      'readIdx: a.idx is cut short: expected a header of 12 bytes for 2 axes, found 9',
    );
    expect(() => parseIdx(new Uint8Array(0), 'empty')).toThrow(
      'empty is cut short: expected a header of at least 4 bytes',
    );
  });

  it('refuses bytes after the end', () => {
    expect(() => parseIdx(idx(8, [1], [1, 2]), 'a.idx')).toThrow(
      'readIdx: a.idx has bytes after its end: expected 9 bytes for u8 [1] (8 of header, 1 × 1 of elements), found 10',
    );
  });

  it('refuses a wrong magic number and an unknown element type', () => {
    expect(() => parseIdx(Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0]), 'a.png')).toThrow(
      'readIdx: a.png is no IDX file: expected a magic number of the form 0x0000TTNN, found 0x89504e47',
    );
    expect(() => parseIdx(idx(10, [1], [1]), 'a.idx')).toThrow(
      'readIdx: a.idx has an unknown element type: expected one of 0x08 u8, 0x09 i8, 0x0b i16, 0x0c i32, ' +
        '0x0d f32, 0x0e f64, found 0x0a',
    );
  });

  it('does not try to allocate what an absurd header promises', () => {
    expect(() => parseIdx(idx(14, [0xffffffff, 0xffffffff], []), 'a.idx')).toThrow('is cut short');
  });
});

describe('readIdx', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'dl-idx-'));
  });
  afterAll(() => rm(dir, { recursive: true }));

  it('reads a file, gzipped or not, whatever its name', async () => {
    const file = idx(8, [3], [1, 2, 3]);
    await writeFile(join(dir, 'plain'), file);
    await writeFile(join(dir, 'packed'), gzipSync(file));
    expect([...(await readIdx(join(dir, 'plain'))).data]).toEqual([1, 2, 3]);
    expect([...(await readIdx(join(dir, 'packed'))).data]).toEqual([1, 2, 3]);
    expect([...(await readIdx(new URL(`file://${dir}/packed`))).data]).toEqual([1, 2, 3]);
  });

  it('reads an ArrayBuffer, gzipped or not', async () => {
    const file = idx(8, [3], [1, 2, 3]);
    expect([...(await readIdx(file.buffer as ArrayBuffer)).data]).toEqual([1, 2, 3]);
    expect([...(await readIdx(gzipSync(file))).data]).toEqual([1, 2, 3]);
  });

  it('unpacks more than one chunk', async () => {
    const elements = Array.from({ length: 300_000 }, (_, i) => (i * 2654435761) & 255);
    expect([...(await readIdx(gzipSync(idx(8, [elements.length], elements)))).data]).toEqual(elements);
  });

  it('names a gzip file that is cut short, damaged, or followed by something', async () => {
    const packed = gzipSync(idx(8, [3], [1, 2, 3]));
    const damaged = Uint8Array.from(packed);
    damaged[packed.length - 6]! ^= 0xff;
    for (const bytes of [packed.subarray(0, packed.length - 5), damaged, Uint8Array.from([...packed, 1, 2, 3])]) {
      await expect(readIdx(bytes, { name: 'a.gz' })).rejects.toThrow(FormatError);
      await expect(readIdx(bytes, { name: 'a.gz' })).rejects.toThrow(
        `gunzip: a.gz: the gzip stream is damaged or cut short: expected a whole stream, found ${bytes.length} bytes`,
      );
    }
  });

  it('names what is inside the gzip file too', async () => {
    await expect(readIdx(gzipSync(idx(8, [3], [1])), { name: 'a.gz' })).rejects.toThrow('readIdx: a.gz is cut short');
  });

  it('names a file that is missing', async () => {
    await expect(readIdx(join(dir, 'nowhere'))).rejects.toThrow(ValueError);
    await expect(readIdx(join(dir, 'nowhere'))).rejects.toThrow(
      `${dir}/nowhere could not be read: there is no such file`,
    );
  });
});
