import { mergeConfig } from 'vitest/config';
import shared from '../vitest.shared';

/** BENCH_MS=0: workloads run once, and nothing is timed. */
export default mergeConfig(shared, { test: { include: ['test/*.test.mjs'], env: { BENCH_MS: '0' } } });
