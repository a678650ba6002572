import { conformance } from '@dl/testing/conformance';
import { describe } from 'vitest';
import { webgpu } from '../src/index';
import { hasAdapter } from './adapter';

describe.skipIf(!hasAdapter)('WebGPU', () =>
  conformance(() => webgpu(), { programs: 40, known: { 'cast to f64': 'WebGPU has no f64' } }),
);
