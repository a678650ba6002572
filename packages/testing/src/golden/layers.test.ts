import { grad } from '@dl/autograd';
import { setBackend } from '@dl/tensor';
import { expect, test } from 'vitest';
import { referenceBackend } from '../reference/backend';
import { layerTables } from './layer-tables';
import { readGolden } from './read';
import { type Gradient, runGolden } from './run';

const gradient: Gradient = (loss, wrt) => grad(loss, wrt, { unused: 'zero' });

test.each(layerTables)('$category: values and gradients are PyTorch’s', async ({ category, ops, served }) => {
  setBackend(referenceBackend());
  const { passed, failed } = await runGolden(readGolden(category), ops, { gradient });
  expect(failed).toEqual([]);
  expect(passed.length).toBeGreaterThanOrEqual(served);
});
