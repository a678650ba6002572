import { describe, expect, it } from 'vitest';
import { BASELINE_FEATURES, detectFeatures } from '../../wasm/features';
import { chooseMicroKernel, PORTABLE_MICRO_KERNEL, versionOfV8 } from './micro-kernel';

describe('chooseMicroKernel', () => {
  it('takes the portable tile without measuring where nothing can be fused', () => {
    expect(chooseMicroKernel(BASELINE_FEATURES)).toBe(PORTABLE_MICRO_KERNEL);
  });

  it('goes by the version of V8 where the engine is one and says it', () => {
    expect(versionOfV8({ node: '24.11.0', v8: '13.6.233.10-node.28' })).toBe(13);
    expect(versionOfV8({ node: '20.19.0', v8: '11.3.244.8-node.25' })).toBe(11);
    expect(versionOfV8({ node: '22.6.0', v8: '12.4.254.14-node.12', bun: '1.3.0' })).toBeNull();
    expect(versionOfV8(undefined)).toBeNull();
  });

  it('decides once', async () => {
    const features = await detectFeatures();
    const choice = chooseMicroKernel(features);
    expect(choice.fused).toBe(features.relaxedSimd);
    expect(chooseMicroKernel(features)).toBe(choice);
  });
});
