import { conformance } from '@dl/testing/conformance';
import { describe, expect, test } from 'vitest';
import { gpujs } from '../src/index';

const known = { 'cast to f64': 'gpu.js has no f64' };

/** gpu.js compiles a kernel in about 10 ms, and the whole suite has thousands: all of it by DL_CONFORMANCE=full. */
const isFull = process.env.DL_CONFORMANCE === 'full';

describe.each([
  ['webasm', 6],
  ['cpu', 12],
] as const)('gpu.js, mode %s', (mode, every) => {
  const refused: string[] = [];
  const warn = (message: string): void => {
    if (message.includes('gpu.js refuses')) refused.push(message);
  };
  const size = isFull ? {} : { programs: 25, every };
  conformance(() => gpujs({ mode, warn }), { ...size, known });
  test('gpu.js takes every kernel that is meant for it', () => expect(refused).toEqual([]));
});
