/**
 * The meaning of a program: each primitive by itself, in order, with no scheduling. It is what schedules are compared with.
 * Every value is rounded into its dtype once a primitive.
 */
import { type Node, type Op, type Program, type ProgramNode, Node as RecordedNode, ValueError } from '@dl/tensor';
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
    const sources = node.sources.map((source) => values[source]!);
    values.push(evaluateOp(node, sources, argument));
  }
  return program.outputs.map((output) => values[output.node]!);
}
