import { grad } from '@dl/autograd';
import { cpu } from '@dl/backend-cpu';
import { setBackend, type Tensor } from '@dl/tensor';
import {
  type GoldenCategory,
  type GoldenOps,
  type Gradient,
  readGolden,
  referenceBackend,
  runGolden,
} from '@dl/testing';
import { describe, expect, test } from 'vitest';
import { activationOps, convolutionOps, lossOps, poolingOps } from './golden-ops';

const gradient: Gradient = (loss, wrt) => grad(loss, [...wrt], { unused: 'zero' }) as readonly Tensor[];

/** Category, its table, and how many of its cases the package offers. */
const tables: readonly (readonly [GoldenCategory, GoldenOps, number])[] = [
  ['activations', activationOps, 93],
  ['convs', convolutionOps, 39],
  ['pooling', poolingOps, 25],
  ['losses', lossOps, 59],
];

const backends = { reference: async () => referenceBackend(), cpu: () => cpu() };

describe.each(Object.entries(backends))(
  'values and gradients are those of PyTorch, eager and compiled, on %s',
  (_, backend) => {
    test.each(tables)('%s', async (category, ops, offered) => {
      setBackend(await backend());
      const { passed, failed } = await runGolden(readGolden(category), ops, { gradient });
      expect(failed).toEqual([]);
      expect(passed.length).toBe(offered);
    });
  },
);
