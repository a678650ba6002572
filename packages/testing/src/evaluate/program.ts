/**
 * The meaning of a program: each primitive by itself, in order, with no scheduling. It is what schedules are compared with.
 * Every value is rounded into its dtype once a primitive.
 */
import {
  isFloat,
  type Node,
  type Op,
  type Program,
  type ProgramNode,
  Node as RecordedNode,
  ValueError,
} from '@dl/tensor';
import { rounded } from '../scalar/arithmetic';
import { elementwiseRows, leafRows } from './elementwise';
import { indexingRows } from './indexing';
import { movementRows } from './movement';
import { reduceRows } from './reduce';
import type { Call, Row } from './row';
import { toValue, type Value } from './value';

/** A custom operation is what it decomposes into. */
const custom: Row<'custom'> = ({ attrs: { definition, index }, sources }) => {
  const leaves = sources.map((x) => new RecordedNode('data', [], {}, x.shape, x.dtype, false) as Node);
  return evaluateNode(definition.decompose(leaves, index), new Map(leaves.map((leaf, i) => [leaf, sources[i]!]))).data;
};

const rows: { readonly [O in Op]: Row<O> } = {
  ...leafRows,
  ...elementwiseRows,
  ...movementRows,
  ...reduceRows,
  ...indexingRows,
  custom,
} satisfies Record<Op, unknown>;

/** Operations whose last bits differ between backends: by the order of a sum, or by an approximation. */
const inexact: ReadonlySet<Op> = new Set<Op>([
  'sqrt',
  'reciprocal',
  'exp',
  'log',
  'log1p',
  'expm1',
  'sin',
  'cos',
  'tanh',
  'erf',
  'div',
  'mod',
  'pow',
  'sum',
  'prod',
  'dot',
  'convolution',
  'window_sum',
  'scatter',
  'scan',
]);

export interface EvaluateOptions {
  /**
   * Relative size of noise put on float operands of operations whose last bits differ between backends. What noise of that size
   * moves is too ill-conditioned to compare. It is meant for f32, and less by the ratio of the precisions for f64. Default 0.
   */
  readonly noise?: number;
  /** Which noise. Default 0. */
  readonly seed?: number;
}

/**
 * The value with each element moved by up to `noise` of its size; `seed` chooses how. An even seed moves all elements alike, as
 * the rounding of a long sum does.
 */
function shaken(x: Value, noise: number, seed: number): Value {
  if (!isFloat(x.dtype)) return x;
  const scale = x.dtype === 'f64' ? noise * 2 ** -29 : noise;
  const data = x.data.map((v, i) => {
    const bits = Math.imul((seed % 2 === 0 ? 1 : i + 1) * 0x9e3779b1, seed * 2 + 1) >>> 8;
    return rounded(x.dtype, v * (1 + scale * (bits / 2 ** 23 - 1)));
  });
  return { ...x, data };
}

type Evaluated = Pick<ProgramNode, 'op' | 'attrs' | 'shape' | 'dtype'>;

function evaluateOp(node: Evaluated, sources: readonly Value[], argument: Call<Op>['argument']): Value {
  const row = rows[node.op] as Row<Op>;
  const { shape, dtype, attrs } = node;
  return { shape, dtype, data: row({ attrs, shape, dtype, sources, argument }) };
}

/**
 * The value of a recorded node, given those of the leaves that it needs.
 *
 * @throws ValueError for a leaf without value, and for an index out of range
 */
export function evaluateNode(root: Node, values: ReadonlyMap<Node, Value> = new Map()): Value {
  const done = new Map(values);
  const pending = [root];
  while (pending.length > 0) {
    const node = pending.at(-1)!;
    const missing = done.has(node) ? [] : node.sources.filter((source) => !done.has(source));
    if (missing.length > 0) {
      pending.push(...missing);
      continue;
    }
    pending.pop();
    if (done.has(node)) continue;
    const sources = node.sources.map((source) => done.get(source)!);
    done.set(
      node,
      evaluateOp(node, sources, (_, recorded) => recorded),
    );
  }
  return done.get(root)!;
}

/**
 * The values of a program's outputs.
 *
 * @param leaves - elements of the `data` nodes, in their order
 * @param scalars - the run's numbers, `program.scalars` of them
 * @returns one value an output, in their order
 * @throws ValueError for an index out of range
 */
export function evaluateProgram(
  program: Program,
  leaves: readonly ArrayLike<number>[],
  scalars: ArrayLike<number> = [],
  { noise = 0, seed = 0 }: EvaluateOptions = {},
): Value[] {
  const values: Value[] = [];
  let leaf = 0;
  for (const node of program.nodes) {
    if (node.op === 'data') {
      const numbers = leaves[leaf++];
      if (!numbers) throw new ValueError(`data: the program has more leaves than the ${leaves.length} given.`);
      values.push(toValue(node.shape, node.dtype, numbers));
      continue;
    }
    const argument = (place: number, recorded: number): number => {
      const index = node.args[place] ?? -1;
      return index < 0 ? recorded : scalars[index]!;
    };
    const exact = node.sources.map((source) => values[source]!);
    const sources =
      noise !== 0 && inexact.has(node.op)
        ? exact.map((x, i) => shaken(x, noise, (values.length + i) * 64 + seed))
        : exact;
    values.push(evaluateOp(node, sources, argument));
  }
  return program.outputs.map((output) => values[output.node]!);
}
