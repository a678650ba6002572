/** The categories of reference vectors that `@dl/tensor` serves by itself; `layer-tables.ts` has those that need more packages. */
import type { GoldenOps } from './ops/call';
import { elementwiseOps } from './ops/elementwise';
import { linalgOps } from './ops/linalg';
import { reductionOps } from './ops/reductions';
import { shapeOps } from './ops/shape';
import type { GoldenCategory } from './read';

export interface GoldenTable {
  readonly category: GoldenCategory;
  readonly ops: GoldenOps;
  /** How many cases are served; fewer is a loss. */
  readonly served: number;
}

export const goldenTables: readonly GoldenTable[] = [
  { category: 'elementwise', ops: elementwiseOps, served: 214 },
  { category: 'reductions', ops: reductionOps, served: 163 },
  { category: 'shape', ops: shapeOps, served: 100 },
  { category: 'linalg', ops: linalgOps, served: 44 },
];
