import { setBackend } from '@dl/tensor';
import { expect, test } from 'vitest';
import { referenceBackend } from '../reference/backend';
import { readGolden } from './read';
import { runGolden } from './run';
import { goldenTables } from './tables';

test.each(goldenTables)('$category: the public API gives what PyTorch gives', async ({ category, ops, served }) => {
  setBackend(referenceBackend());
  const { passed, failed } = await runGolden(readGolden(category), ops);
  expect(failed).toEqual([]);
  expect(passed.length).toBeGreaterThanOrEqual(served);
});
