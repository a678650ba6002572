import { conformance } from '@dl/testing/conformance';
import { describe, expect, test } from 'vitest';
import { gpujs } from '../src/index';

const known = { 'cast to f64': 'gpu.js has no f64' };

// gpu.js compiles a kernel in about 10 ms, and the suite has thousands: DL_CONFORMANCE=1 runs all of it.
const chosen = process.env['DL_CONFORMANCE'];

describe.each([
  ['webasm', Number(chosen ?? 6)],
  ['cpu', Number(chosen ?? 12)],
] as const)('gpu.js, mode %s', (mode, every) => {
  const refused: string[] = [];
  const warn = (message: string): void => {
    if (message.includes('gpu.js refuses')) refused.push(message);
  };
  conformance(() => gpujs({ mode, warn }), { every, programs: Math.ceil(150 / every), known });
  test('gpu.js takes every kernel that is meant for it', () => expect(refused).toEqual([]));
});
