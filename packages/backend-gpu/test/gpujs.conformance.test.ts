import { conformance } from '@dl/testing/conformance';
import { describe } from 'vitest';
import { gpujs } from '../src/index';

const known = { 'cast to f64': 'gpu.js has no f64' };

describe.each(['webasm', 'cpu'] as const)('gpu.js, mode %s', (mode) => {
  conformance(() => gpujs({ mode }), { programs: 40, known });
});
