/**
 * The categories of reference vectors that need `@dl/layers` and `@dl/autograd`. They are apart, so that the tests of
 * `@dl/tensor` do not load packages above it.
 */
import { activationOps } from './ops/activations';
import { convolutionOps, poolingOps } from './ops/convolutions';
import { lossOps } from './ops/losses';
import { normOps } from './ops/norm';
import { secondOrderOps } from './ops/second-order';
import { embeddingOps, linearOps } from './ops/weighted';
import type { GoldenTable } from './tables';

export const layerTables: readonly GoldenTable[] = [
  { category: 'activations', ops: activationOps, served: 93 },
  { category: 'convs', ops: convolutionOps, served: 47 },
  { category: 'pooling', ops: poolingOps, served: 83 },
  { category: 'norm', ops: normOps, served: 38 },
  { category: 'losses', ops: lossOps, served: 133 },
  { category: 'shape', ops: embeddingOps, served: 2 },
  { category: 'linalg', ops: linearOps, served: 4 },
  { category: 'second_order', ops: secondOrderOps, served: 33 },
];
