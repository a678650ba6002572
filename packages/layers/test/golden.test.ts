import { grad } from '@dl/autograd';
import { cpu } from '@dl/backend-cpu';
import { setBackend, type Tensor } from '@dl/tensor';
import { type Gradient, readGolden, referenceBackend, runGolden } from '@dl/testing';
import { layerTables } from '@dl/testing/layer-tables';
import { describe, expect, test } from 'vitest';

const gradient: Gradient = (loss, wrt) => grad(loss, [...wrt], { unused: 'zero' }) as readonly Tensor[];

/** Second derivatives are the business of `@dl/autograd`. */
const tables = layerTables.filter(({ category }) => category !== 'second_order');

const backends = { reference: async () => referenceBackend(), cpu: () => cpu() };

describe.each(Object.entries(backends))(
  'values and gradients are those of PyTorch, eager and compiled, on %s',
  (_, backend) => {
    test.each(tables)(
      '$category',
      async ({ category, ops, served }) => {
        setBackend(await backend());
        const { passed, failed } = await runGolden(readGolden(category), ops, { gradient });
        expect(failed).toEqual([]);
        expect(passed.length).toBe(served);
      },
      300_000,
    );
  },
);
