import { conformance } from '@dl/testing/conformance';
import { describe, vi } from 'vitest';
import { webgpu } from '../src/index';
import { hasAdapter } from './adapter';

// A software adapter compiles a shader in milliseconds, and there are thousands: one call in 17 runs, unless DL_CONFORMANCE says
// otherwise (1: all).
const every = Number(process.env['DL_CONFORMANCE'] ?? 17);
vi.setConfig({ testTimeout: 600_000 });

describe.skipIf(!hasAdapter)('WebGPU', () => {
  conformance(() => webgpu(), {
    every,
    programs: Math.ceil(40 / every),
    known: { 'cast to f64': 'WebGPU has no f64' },
  });
});
