import { sizeOf } from '@dl/tensor';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evaluateProgram } from '../evaluate/program';
import { rounded } from '../scalar/arithmetic';
import { programArbitrary } from './arbitrary';

test('every random program can be evaluated, to values of the shape and dtype that it claims', () => {
  const check = fc.property(programArbitrary(), ({ program, leaves, scalars }) => {
    const nodes = program.nodes.map((_, node) => ({ node, into: null }));
    evaluateProgram({ ...program, outputs: nodes }, leaves, scalars).forEach((value, i) => {
      expect(value.shape).toEqual(program.nodes[i]!.shape);
      expect(value.data.length).toBe(sizeOf(value.shape));
      for (const x of value.data) expect(rounded(value.dtype, x)).toBe(x);
    });
  });
  fc.assert(check, { numRuns: 300 });
});

test('all primitives but custom come up, and f16 as it is recorded: moved, and cast for arithmetic', () => {
  const nodes = fc.sample(programArbitrary({ maxMoves: 30 }), 1000).flatMap(({ program }) => program.nodes);
  expect(new Set(nodes.map((n) => n.op)).size).toBe(60);
  const half = new Set(nodes.filter((n) => n.dtype === 'f16').map((n) => n.op));
  const moved = ['barrier', 'cast', 'concat', 'data', 'expand', 'gather', 'pad', 'permute', 'reshape', 'slice'];
  expect([...half].sort()).toEqual(moved);
});
