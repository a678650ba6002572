import { grad } from '@dl/autograd';
import { cpu } from '@dl/backend-cpu';
import { setBackend, type Tensor } from '@dl/tensor';
import { type Gradient, readGolden, referenceBackend, runGolden } from '@dl/testing';
import { describe, expect, test } from 'vitest';
import { attentionOps } from './golden-ops';

const gradient: Gradient = (loss, wrt) => grad(loss, [...wrt], { unused: 'zero' }) as readonly Tensor[];
const backends = { reference: async () => referenceBackend(), cpu: () => cpu() };

describe.each(Object.entries(backends))('on %s', (_, backend) => {
  test('values and gradients are those of PyTorch and of the written formulas, eager and compiled', async () => {
    setBackend(await backend());
    const cases = readGolden('attention');
    const { passed, failed, unserved } = await runGolden(cases, attentionOps, { gradient });
    expect(failed).toEqual([]);
    expect(unserved).toEqual([]);
    expect(passed.length).toBe(cases.length);
  });
});
