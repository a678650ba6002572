/** All rows of the suite, by family. */
import { elementwiseRows } from './elementwise-rows';
import { leafRows } from './leaf-rows';
import { movementRows } from './movement-rows';
import { producerRows } from './producer-rows';
import { reduceRows } from './reduce-rows';
import type { Row } from './row';
import { windowRows } from './window-rows';

export const families: Readonly<Record<string, readonly Row[]>> = {
  leaves: leafRows,
  elementwise: elementwiseRows,
  movement: movementRows,
  reductions: reduceRows,
  'matrix products and indexing': producerRows,
  'convolutions and windows': windowRows,
};
