import type { Expr, Instruction, Kernel } from '@dl/tensor';
import { expect, test } from 'vitest';
import { cellsOf, planKernel } from './stages';

const row: Expr = { kind: 'var', index: 0, size: 3 };
const column: Expr = { kind: 'var', index: 1, size: 5 };
const place: Expr = { kind: 'add', terms: [{ kind: 'mul', term: row, factor: 5 }, column] };

const kernel = (body: readonly Instruction[], dtypes: readonly ('f32' | 'i32' | 'bool')[]): Kernel => ({
  name: 'test',
  bindings: dtypes.map((dtype, slot) => ({ slot, dtype, mode: 'readwrite' })),
  params: [],
  producer: null,
  rows: [3],
  reduced: [5],
  body,
  range: 3,
});

test('a reduction is a stage of its own, which the elements of its row load', () => {
  const access = { binding: 0, index: place, bounds: [] };
  const plan = planKernel(
    kernel(
      [
        { op: 'load', dtype: 'f32', access, fill: 0 },
        { op: 'sum', dtype: 'f32', args: [0] },
        { op: 'div', dtype: 'f32', args: [0, 1] },
        { op: 'store', dtype: 'f32', access, args: [2] },
      ],
      ['f32'],
    ),
  );
  expect(plan.stages.map((stage) => [stage.name, stage.level, cellsOf(stage), stage.hosted])).toEqual([
    ['sum of f32', 'row', 3, null],
    ['div of f32', 'element', 15, null],
  ]);
  // Binding 1 is the result of stage 0.
  expect(plan.stages[1]!.body.map((i) => ('access' in i ? i.access.binding : i.op))).toEqual([0, 1, 'div']);
  expect(plan.placements).toEqual([{ stage: 1, access, level: 'element' }]);
});

test('integers that may pass 2^24 are added on the host; comparing one with a position is not', () => {
  const load: Instruction = { op: 'load', dtype: 'i32', access: { binding: 0, index: place, bounds: [] }, fill: 0 };
  const index: Instruction = { op: 'index', dtype: 'i32', expr: column };
  const store = (dtype: 'i32' | 'bool'): Instruction => ({
    op: 'store',
    dtype,
    access: { binding: 1, index: place, bounds: [] },
    args: [2],
  });
  const added = planKernel(
    kernel([load, index, { op: 'add', dtype: 'i32', args: [0, 1] }, store('i32')], ['i32', 'i32']),
  );
  expect(added.stages.map((s) => s.hosted)).toEqual([expect.stringContaining('2^24')]);
  const compared = planKernel(
    kernel([load, index, { op: 'eq', dtype: 'bool', args: [0, 1] }, store('bool')], ['i32', 'bool']),
  );
  expect(compared.stages.map((s) => s.hosted)).toEqual([null]);
});

test('a check looks only at the axes that its index depends on', () => {
  const index: Instruction = { op: 'load', dtype: 'i32', access: { binding: 0, index: row, bounds: [] }, fill: 0 };
  const access = { binding: 1, index: column, bounds: [] };
  const gather: Instruction = { op: 'gather', dtype: 'f32', access, stride: 5, limit: 4, args: [0], fill: 0 };
  const stored = { binding: 2, index: place, bounds: [] };
  const { checks } = planKernel(
    kernel([index, gather, { op: 'store', dtype: 'f32', access: stored, args: [1] }], ['i32', 'f32', 'f32']),
  );
  expect(checks.map(({ rows, reduced }) => [rows, reduced])).toEqual([[[3], [1]]]);
});
