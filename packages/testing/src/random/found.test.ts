/** Programs that random search found and a fix made right, so that each stays right. */
import {
  type DType,
  type Op,
  type OpAttributes,
  type ProgramNode,
  type ProgramOutput,
  type Shape,
  schedule,
} from '@dl/tensor';
import { test } from 'vitest';
import { referenceBackend } from '../reference/backend';
import type { ProgramCase } from './builder';
import { checkProgram } from './run';

type Row = readonly [op: Op, sources: readonly number[], attrs: OpAttributes[Op], shape: Shape, dtype?: DType];

const two = { operands: [null, null] };

/** A program without arguments; leaves hold 1, 2, 3, … */
function programOf(rows: readonly Row[], outputs: readonly ProgramOutput[]): ProgramCase {
  const nodes = rows.map(
    ([op, sources, attrs, shape, dtype = 'f32']) => ({ op, sources, attrs, shape, dtype, args: [] }) as ProgramNode,
  );
  const leaves = nodes
    .filter((node) => node.op === 'data')
    .map((node) => Array.from({ length: node.shape.reduce((a, b) => a * b, 1) }, (_, i) => i + 1));
  return { program: { nodes, outputs, scalars: 0 }, leaves, scalars: [] };
}

const check = (rows: readonly Row[], outputs: readonly ProgramOutput[]): Promise<void> =>
  checkProgram(referenceBackend(), schedule, programOf(rows, outputs));

test('a product whose storage another output of its kernel takes over is read before it is overwritten', async () => {
  const axes = { lhsBatch: [], rhsBatch: [], lhsContract: [1], rhsContract: [0] };
  const rows: Row[] = [
    ['data', [], {}, [3, 4]],
    ['data', [], {}, [4, 5]],
    ['dot', [0, 1], axes, [3, 5]],
    ['data', [], {}, [3, 5], 'i32'],
    ['cast', [3], { dtype: 'f32' }, [3, 5]],
    ['eq', [2, 4], two, [3, 5], 'bool'],
    ['cast', [5], { dtype: 'f32' }, [3, 5]],
    ['add', [4, 6], two, [3, 5]],
    ['cast', [7], { dtype: 'bool' }, [3, 5], 'bool'],
    ['and', [5, 8], two, [3, 5], 'bool'],
  ];
  await check(rows, [
    { node: 9, into: null },
    { node: 4, into: null },
  ]);
});

test('a leaf that is overwritten in place is read first, also by what was recorded after its new value', async () => {
  const rows: Row[] = [
    ['data', [], {}, [2]],
    ['neg', [0], {}, [2]],
    ['data', [], {}, [2]],
    ['mul', [1, 2], two, [2]],
  ];
  await check(rows, [
    { node: 3, into: null },
    { node: 1, into: 2 },
  ]);
});
