/** Random programs as a fast-check arbitrary: a list of moves, each with the numbers that it draws. */
import type { ProgramOutput } from '@dl/tensor';
import fc from 'fast-check';
import { Builder, Draws, type ProgramCase } from './builder';
import { compositeMoves } from './composite-moves';
import { movementMoves } from './movement-moves';
import { elementwiseMoves, type Move, randomShape } from './moves';
import { producerMoves } from './producer-moves';

const allMoves: readonly Move[] = [...elementwiseMoves, ...movementMoves, ...producerMoves, ...compositeMoves];

export interface ProgramOptions {
  /** Most moves in one program. Default 24. */
  readonly maxMoves?: number;
}

/** Numbers of one move; the first says which. Shrinking makes them smaller and the list of moves shorter. */
const step = fc.array(fc.nat(0xffff), { minLength: 1, maxLength: 24, size: 'max' });

/** Outputs: the last node, others now and then, and some of them into a leaf of their shape and dtype. */
function chooseOutputs(builder: Builder, draws: Draws): ProgramOutput[] {
  const count = 1 + draws.below(3);
  const taken = new Set(builder.assigned.keys());
  const assigned = [...builder.assigned].map(([into, node]) => ({ node, into }));
  const others = Array.from({ length: count }, (_, i) => {
    const node = i === 0 ? builder.nodes.length - 1 : builder.nodes.length - 1 - draws.below(builder.nodes.length);
    const { shape, dtype } = builder.node(node);
    const targets = builder.candidates(
      (n, index) => n.op === 'data' && n.dtype === dtype && String(n.shape) === String(shape) && !taken.has(index),
    );
    const into = targets.length > 0 && draws.oneIn(2) ? draws.pick(targets) : null;
    // A leaf written onto itself would be no assignment.
    if (into === null || into === node) return { node, into: null };
    taken.add(into);
    return { node, into };
  });
  return [...assigned, ...others];
}

function buildCase(
  start: readonly number[],
  steps: readonly (readonly number[])[],
  end: readonly number[],
): ProgramCase {
  const builder = new Builder();
  const first = new Draws(start);
  builder.smallLeaf(randomShape(first), first.pick(['f32', 'f32', 'i32', 'f64', 'f16'] as const), first.below(50));
  for (const numbers of steps) {
    const draws = new Draws(numbers);
    draws.pick(allMoves)(builder, draws);
  }
  return builder.finish(chooseOutputs(builder, new Draws(end)));
}

/**
 * Random valid programs over all primitives but `custom`: any rank to 5, sizes 0 and 1 included, dtypes f32, f64, f16, i32,
 * u32, u8 and bool, with outputs that overwrite leaves.
 */
export function programArbitrary({ maxMoves = 24 }: ProgramOptions = {}): fc.Arbitrary<ProgramCase> {
  return fc
    .tuple(step, fc.array(step, { minLength: 1, maxLength: maxMoves, size: 'max' }), step)
    .map(([start, steps, end]) => buildCase(start, steps, end));
}
