import { mergeConfig } from 'vitest/config';
import shared from '../../vitest.shared';

/** A browser on a busy machine takes its time. */
export default mergeConfig(shared, {
  test: { testTimeout: 120_000, hookTimeout: 120_000, expect: { poll: { timeout: 30_000 } } },
});
