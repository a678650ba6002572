/** The categories of reference vectors with the tables that serve them. */
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
  { category: 'elementwise', ops: elementwiseOps, served: 199 },
  { category: 'reductions', ops: reductionOps, served: 153 },
  { category: 'shape', ops: shapeOps, served: 82 },
  { category: 'linalg', ops: linalgOps, served: 30 },
];
