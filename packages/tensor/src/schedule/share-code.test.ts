import { describe, expect, it } from 'vitest';
import type { Expr } from '../index/expression';
import { add, constant, evaluate, linear, variable } from '../index/simplify';
import type { Instruction, Kernel, Param, Step } from '../kernel';
import { shareCode } from './share-code';

const i = variable(0, 8);

/** One kernel: out[to + i] = max(x[a + i], x[b + i]). */
function step(a: Expr, b: Expr, to: Expr, params: readonly Param[] = []): Step {
  const load = (index: Expr): Instruction => ({
    op: 'load',
    dtype: 'f32',
    access: { binding: 0, index, bounds: [] },
    fill: 0,
  });
  const kernel: Kernel = {
    name: 'max',
    bindings: [
      { slot: 0, mode: 'read', dtype: 'f32' },
      { slot: 1, mode: 'write', dtype: 'f32' },
    ],
    params,
    producer: null,
    rows: [8],
    reduced: [],
    body: [
      load(a),
      load(b),
      { op: 'max', dtype: 'f32', args: [0, 1] },
      { op: 'store', dtype: 'f32', access: { binding: 1, index: to, bounds: [] }, args: [2] },
    ],
    range: 8,
  };
  return { kind: 'kernel', kernel };
}

const at = (offset: number): Expr => add(i, constant(offset));
const kernelsOf = (steps: readonly Step[]): Kernel[] => steps.flatMap((s) => (s.kind === 'kernel' ? [s.kernel] : []));

const placesOf = ({ body, params }: Kernel, v: number): number[] => {
  const values = params.map((p) => (p.kind === 'constant' ? p.value : Number.NaN));
  return body.flatMap((b) => ('access' in b ? [evaluate(b.access.index, [v], values)] : []));
};

describe('kernels at several places', () => {
  it('become one, each with the places it had', () => {
    const steps = [0, 1, 5].map((t) => step(at(8 * t), at(8 * t + 3), at(100 - 8 * t)));
    const shared = kernelsOf(shareCode(steps));
    expect(new Set(shared.map((k) => k.body)).size).toBe(1);
    expect(shared.map((k) => placesOf(k, 2))).toEqual(kernelsOf(steps).map((k) => placesOf(k, 2)));
  });

  it('take one parameter for all terms that differ alike, and none for those that do not differ', () => {
    const [first] = kernelsOf(shareCode([0, 1, 5].map((t) => step(at(8 * t), at(8 * t + 3), at(7)))));
    expect(first!.params).toEqual([{ kind: 'constant', value: 0 }]);
    expect((first!.body[3] as Instruction & { op: 'store' }).access.index).toEqual(at(7));
  });

  it('say within what range a parameter lies', () => {
    const [first] = kernelsOf(shareCode([3, 1, 5].map((t) => step(at(8 * t), at(0), at(0)))));
    expect((first!.body[0] as Instruction & { op: 'load' }).access.index).toEqual(
      add(i, { kind: 'param', index: 0, min: 8, max: 40 }),
    );
  });

  it('number their parameters after those that there are', () => {
    const scalars = [4, 9].map((index): Param => ({ kind: 'scalar', index }));
    const shared = kernelsOf(shareCode(scalars.map((p, t) => step(at(t), at(0), at(0), [p]))));
    expect(shared.map((k) => k.params)).toEqual([
      [scalars[0], { kind: 'constant', value: 0 }],
      [scalars[1], { kind: 'constant', value: 1 }],
    ]);
  });

  it('keep their constants when alone or of another form', () => {
    const steps = [step(at(8), at(3), at(0)), step(linear([i], [2], 16), at(3), at(0))];
    expect(shareCode(steps)).toEqual(steps);
  });
});
