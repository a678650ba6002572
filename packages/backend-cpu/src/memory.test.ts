import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LinearMemory, type Piece } from './memory';

const make = (maxBytes = 2 ** 28) => new LinearMemory({ maxBytes, shared: false });

test('storages begin at multiples of 64 and do not overlap, whatever was freed before', () => {
  const step = fc.record({ size: fc.oneof(fc.nat(300), fc.nat(200_000)), free: fc.option(fc.nat()) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const memory = make();
      const live: Piece[] = [];
      for (const { size, free } of steps) {
        if (free !== null && live.length > 0) memory.free(live.splice(free % live.length, 1)[0]!);
        const piece = memory.allocate(size);
        expect(piece.address % 64).toBe(0);
        expect(piece.address).toBeGreaterThanOrEqual(piece.start);
        expect(piece.address + size).toBeLessThanOrEqual(piece.start + piece.size);
        for (const other of live) {
          expect(piece.start >= other.start + other.size || other.start >= piece.start + piece.size).toBe(true);
        }
        live.push(piece);
      }
      for (const piece of live) memory.free(piece);
      expect(memory.inUse).toBe(0);
    }),
    { numRuns: 50 },
  );
});

test('freed neighbours join: what was taken in pieces can be had as one', () => {
  const memory = make(2 ** 22);
  const pieces = Array.from({ length: 30 }, () => memory.allocate(100_000));
  expect(() => memory.allocate(3_000_000)).toThrow('no room');
  for (const i of [1, 0, 2, 29, ...Array.from({ length: 26 }, (_, k) => k + 3)]) memory.free(pieces[i]!);
  expect(memory.allocate(3_000_000).byteLength).toBe(3_000_000);
});

test('large storages lie at different places of a 4096-byte period', () => {
  const memory = make();
  const places = new Set(Array.from({ length: 16 }, () => memory.allocate(2 ** 20).address % 4096));
  expect(places.size).toBe(16);
});

test('says what was asked for, what is in use and what to do when there is no room', () => {
  const memory = make(2 ** 22);
  memory.allocate(2_000_000);
  expect(() => memory.allocate(50_000_000)).toThrow(
    /allocate: there is no room for 48 MB: 1\.91 MB are in use.*4\.00 MB.*maxBytes/,
  );
});

test('views follow the memory as it grows', () => {
  const memory = make();
  const { address } = memory.allocate(64);
  memory.bytes[address] = 7;
  memory.allocate(10_000_000);
  expect(memory.bytes[address]).toBe(7);
  expect(memory.words.buffer).toBe(memory.memory.buffer);
});
