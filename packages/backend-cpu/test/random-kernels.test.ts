import type { Bound, DType, Expr, Instruction } from '@dl/tensor';
import fc from 'fast-check';
import { beforeAll, test } from 'vitest';
import {
  access,
  type Backends,
  type Content,
  compareKernel,
  constant,
  div,
  type KernelCase,
  mod,
  plus,
  rowMajor,
  startBackends,
  times,
  variable,
} from './both';

// The same kernels each time; FC_SEED and FC_RUNS look at others.
const parameters = { seed: Number(process.env['FC_SEED'] ?? 1), numRuns: Number(process.env['FC_RUNS'] ?? 300) };

let backends: Backends;
beforeAll(async () => {
  backends = await startBackends();
});

/** Whole numbers drawn from a list, as fast-check shrinks them. */
class Draws {
  #at = 0;
  constructor(readonly list: readonly number[]) {}
  below(n: number): number {
    return n <= 1 ? 0 : (this.list[this.#at++ % this.list.length] ?? 0) % n;
  }
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }
}

const sizes = [1, 2, 3, 4, 5, 7, 8, 13, 17, 35] as const;
const dtypes = ['f32', 'f32', 'f32', 'i32', 'f64', 'u8', 'bool', 'u32'] as const satisfies readonly DType[];

const rangeOf = (e: Expr): [number, number] => {
  switch (e.kind) {
    case 'const':
      return [e.value, e.value];
    case 'var':
      return [0, e.size - 1];
    case 'add':
      return e.terms.map(rangeOf).reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]);
    case 'mul': {
      const [a, b] = rangeOf(e.term);
      return e.factor < 0 ? [b * e.factor, a * e.factor] : [a * e.factor, b * e.factor];
    }
    case 'div': {
      const [a, b] = rangeOf(e.term);
      return [Math.floor(a / e.divisor), Math.floor(b / e.divisor)];
    }
    case 'mod':
      return [0, e.divisor - 1];
    default:
      throw new Error('no range');
  }
};

/** An index function that stays within [0, its range). */
function randomIndex(draws: Draws, axes: readonly number[]): Expr {
  const kind = draws.below(8);
  if (kind <= 2) return rowMajor(axes);
  const terms: Expr[] = axes.map((size, i) => times(variable(i, size), draws.pick([0, 1, 1, 2, 3, -1, 4, 17])));
  let sum: Expr = plus(...terms);
  if (kind === 6) sum = plus(div(plus(sum, constant(draws.below(5))), 2 + draws.below(4)), variableOf(draws, axes));
  if (kind === 7) sum = plus(mod(sum, 2 + draws.below(9)), times(variableOf(draws, axes), 3));
  return plus(sum, constant(-rangeOf(sum)[0]));
}

function variableOf(draws: Draws, axes: readonly number[]): Expr {
  if (axes.length === 0) return constant(0);
  const i = draws.below(axes.length);
  return variable(i, axes[i]!);
}

function randomBounds(draws: Draws, axes: readonly number[]): Bound[] {
  return Array.from({ length: draws.pick([0, 0, 1, 2]) }, () => {
    const base = variableOf(draws, axes);
    const term = draws.pick([
      base,
      plus(base, times(variableOf(draws, axes), -2)),
      mod(base, 3),
      plus(base, constant(-2)),
    ]);
    const [low, high] = rangeOf(term);
    const min = low + draws.below(4);
    return { term, min, end: Math.max(min, high + 1 - draws.below(4)) };
  });
}

/** Values that keep sums and products exact in f32. */
const dataOf = (draws: Draws, dtype: DType, n: number): number[] => {
  const shift = draws.below(50);
  return Array.from({ length: n }, (_, i) => {
    const x = (((i + shift) * 23) % 9) - 4;
    if (dtype === 'bool') return x > 0 ? 1 : 0;
    return dtype === 'u8' || dtype === 'u32' ? Math.abs(x) : dtype === 'i32' ? x : x / 2;
  });
};

function randomKernel(numbers: readonly number[]): KernelCase {
  const draws = new Draws(numbers);
  const rows = Array.from({ length: draws.below(4) }, () => draws.pick(sizes));
  const reduced = Array.from({ length: draws.pick([0, 0, 1, 1, 2]) }, () => draws.pick(sizes));
  const axes = [...rows, ...reduced];
  const contents: Content[] = [];
  const body: Instruction[] = [];
  const element: boolean[] = [];
  const push = (i: Instruction, isElement: boolean): number => {
    element.push(isElement);
    return body.push(i) - 1;
  };
  const ofDtype = (dtype: DType) => body.flatMap((i, ref) => (i.dtype === dtype && i.op !== 'store' ? [ref] : []));
  const mentions = (e: Expr): boolean => {
    if (e.kind === 'var') return e.index >= rows.length && e.size > 0;
    if (e.kind === 'add') return e.terms.some(mentions);
    return e.kind === 'mul' || e.kind === 'div' || e.kind === 'mod' ? mentions(e.term) : false;
  };
  const load = (dtype: DType): number => {
    const index = randomIndex(draws, axes);
    const bounds = randomBounds(draws, axes);
    contents.push({ dtype, mode: 'read', data: dataOf(draws, dtype, rangeOf(index)[1] + 1) });
    const fill = draws.below(2);
    const isElement = mentions(index) || bounds.some((b) => mentions(b.term));
    return push({ op: 'load', dtype, access: access(contents.length - 1, index, bounds), fill }, isElement);
  };
  load(draws.pick(dtypes));
  const steps = 1 + draws.below(8);
  for (let i = 0; i < steps; i++) {
    const x = draws.below(body.length);
    const { dtype } = body[x]!;
    const same = ofDtype(dtype);
    const y = draws.pick(same);
    const both = element[x]! || element[y]!;
    switch (draws.below(9)) {
      case 0:
        load(draws.pick(dtypes));
        break;
      case 1:
      case 2:
        push({ op: draws.pick(['add', 'mul', 'max', 'min'] as const), dtype, args: [x, y] }, both);
        break;
      case 3:
        push({ op: draws.pick(['eq', 'lt'] as const), dtype: 'bool', args: [x, y] }, both);
        break;
      case 4: {
        const to = draws.pick(dtypes);
        push({ op: 'cast', dtype: to, args: [x] }, element[x]!);
        break;
      }
      case 5: {
        const bounds = randomBounds(draws, axes);
        push({ op: 'guard', dtype, args: [x], bounds, fill: 1 }, element[x]! || bounds.some((b) => mentions(b.term)));
        break;
      }
      case 6: {
        const conditions = ofDtype('bool');
        if (conditions.length === 0) break;
        const c = draws.pick(conditions);
        push({ op: 'where', dtype, args: [c, x, y] }, both || element[c]!);
        break;
      }
      default: {
        if (reduced.length === 0) break;
        const op = draws.pick(['sum', 'max_reduce', 'min_reduce', 'argmax'] as const);
        if (dtype === 'bool' && op === 'sum') break;
        push({ op, dtype: op === 'argmax' ? 'i32' : dtype, args: [x] }, false);
      }
    }
  }
  const values = body.map((_, ref) => ref);
  for (const ref of new Set([values.at(-1)!, draws.pick(values), draws.pick(values)])) {
    const shape = element[ref] ? axes : rows;
    const { dtype } = body[ref]!;
    const index = draws.below(2) === 0 ? rowMajor(shape) : turned(shape);
    contents.push({ dtype, mode: 'write', data: new Float64Array(shape.reduce((a: number, b: number) => a * b, 1)) });
    const bounds: Bound[] =
      shape.length > 0 && draws.below(3) === 0
        ? [{ term: variable(0, shape[0]!), min: draws.below(2), end: shape[0]! - draws.below(2) }]
        : [];
    push({ op: 'store', dtype, access: access(contents.length - 1, index, bounds), args: [ref] } as Instruction, false);
  }
  return { contents, rows, reduced, body };
}

/** The place of the axes in reverse order. */
const turned = (shape: readonly number[]): Expr =>
  plus(
    ...shape.map((size, i) =>
      times(
        variable(i, size),
        shape.slice(0, i).reduce((a, b) => a * b, 1),
      ),
    ),
    constant(0),
  );

test('random kernels give what the interpreter gives', async () => {
  const numbers = fc.array(fc.nat(0xffff), { minLength: 4, maxLength: 60, size: 'max' });
  const check = fc.asyncProperty(numbers, async (list) => {
    const c = randomKernel(list);
    try {
      await compareKernel(backends, c, { rtol: 1e-5, atol: 1e-5 });
    } catch (error) {
      throw new Error(
        `${(error as Error).message}\n${JSON.stringify({ ...c, contents: c.contents.map((x) => [x.dtype, x.mode, x.data.length]) })}`,
      );
    }
  });
  await fc.assert(check, parameters);
});
