import { grad } from '@dl/autograd';
import { setBackend } from '@dl/tensor';
import { expect, test } from 'vitest';
import { referenceBackend } from '../reference/backend';
import { visionOps } from './ops/vision';
import { readGolden } from './read';
import { type Gradient, runGolden } from './run';

const gradient: Gradient = (loss, wrt) => grad(loss, wrt, { unused: 'zero' });

test('@dl/vision gives what torchvision gives, eager and compiled, with gradients', async () => {
  setBackend(referenceBackend());
  const cases = readGolden('vision');
  const { passed, failed, unserved } = await runGolden(cases, visionOps, { gradient });
  expect(failed).toEqual([]);
  expect(new Set(unserved.map(({ op }) => op))).toEqual(new Set(['nms'])); // tested in its package
  expect(passed.length).toBe(cases.length - unserved.length);
});
