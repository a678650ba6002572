import { conformance } from '@dl/testing/conformance';
import { describe } from 'vitest';
import { webgpu } from '../src/index';
import { hasAdapter } from './adapter';

// A software adapter takes minutes for all of it: DL_CONFORMANCE=1 runs one call in one, the usual is one in seven.
const every = Number(process.env['DL_CONFORMANCE'] ?? 7);

describe.skipIf(!hasAdapter)('WebGPU', () => {
  conformance(() => webgpu(), {
    every,
    programs: Math.ceil(40 / every),
    known: { 'cast to f64': 'WebGPU has no f64' },
  });
});
