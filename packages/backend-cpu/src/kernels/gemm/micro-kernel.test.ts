import { describe, expect, it } from 'vitest';
import { BASELINE_FEATURES, detectFeatures } from '../../wasm/features';
import { chooseMicroKernel, PORTABLE_MICRO_KERNEL } from './micro-kernel';

describe('chooseMicroKernel', () => {
  it('takes the portable tile without measuring where nothing can be fused', () => {
    expect(chooseMicroKernel(BASELINE_FEATURES)).toBe(PORTABLE_MICRO_KERNEL);
  });

  it('measures once and keeps the choice', async () => {
    const features = await detectFeatures();
    const choice = chooseMicroKernel(features);
    expect(choice.fused).toBe(features.relaxedSimd);
    expect(chooseMicroKernel(features)).toBe(choice);
  });
});
