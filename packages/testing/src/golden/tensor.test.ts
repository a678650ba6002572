import { setBackend } from '@dl/tensor';
import { describe, expect, test } from 'vitest';
import { referenceBackend } from '../reference/backend';
import type { GoldenOps } from './ops/call';
import { elementwiseOps } from './ops/elementwise';
import { linalgOps } from './ops/linalg';
import { reductionOps } from './ops/reductions';
import { shapeOps } from './ops/shape';
import { type GoldenCategory, readGolden } from './read';
import { runGolden } from './run';

/** Category, its table, and how many of its cases the API offers. */
const tables: readonly (readonly [GoldenCategory, GoldenOps, number])[] = [
  ['elementwise', elementwiseOps, 199],
  ['reductions', reductionOps, 153],
  ['shape', shapeOps, 82],
  ['linalg', linalgOps, 30],
];

describe('the methods of Tensor give what PyTorch gives, eager and compiled', () => {
  test.each(tables)('%s', async (category, ops, offered) => {
    setBackend(referenceBackend());
    const { passed, failed } = await runGolden(readGolden(category), ops);
    expect(failed).toEqual([]);
    expect(passed.length).toBeGreaterThanOrEqual(offered);
  });
});
