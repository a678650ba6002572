import { setBackend } from '@dl/tensor';
import { goldenTables, readGolden, referenceBackend, runGolden } from '@dl/testing';
import { expect, test } from 'vitest';
import { grad } from './index';

test.each(goldenTables)('$category: gradients are PyTorch’s, eager and compiled', async ({ category, ops, served }) => {
  setBackend(referenceBackend());
  const gradient = (loss: Parameters<typeof grad>[0], wrt: readonly Parameters<typeof grad>[0][]) =>
    grad(loss, wrt, { unused: 'zero' });
  const { passed, failed } = await runGolden(readGolden(category), ops, { gradient });
  expect(failed).toEqual([]);
  expect(passed.length).toBeGreaterThanOrEqual(served);
});
