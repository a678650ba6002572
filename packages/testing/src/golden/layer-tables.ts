/**
 * The categories of reference vectors that need `@dl/layers` and `@dl/autograd`. They are apart, so that the tests of
 * `@dl/tensor` do not load packages above it.
 */
import { activationOps } from './ops/activations';
import { convolutionOps, poolingOps } from './ops/convolutions';
import { lossOps } from './ops/losses';
import { secondOrderOps } from './ops/second-order';
import type { GoldenTable } from './tables';

export const layerTables: readonly GoldenTable[] = [
  { category: 'activations', ops: activationOps, served: 93 },
  { category: 'convs', ops: convolutionOps, served: 39 },
  { category: 'pooling', ops: poolingOps, served: 39 },
  { category: 'losses', ops: lossOps, served: 59 },
  { category: 'second_order', ops: secondOrderOps, served: 33 },
];
