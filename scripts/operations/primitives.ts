/**
 * The primitives: which rows of the conformance suite reach each of them and in which dtypes, found by recording every row;
 * and what the finite differences of `@dl/autograd` show of their gradients.
 */

import { rules } from '../../packages/autograd/src/rules/index';
import { none } from '../../packages/autograd/src/rules/rule';
import { cases as ruleCases } from '../../packages/autograd/test/rule-cases';
import { type DType, isFloat, type Node, type Op, Tensor } from '../../packages/tensor/src/index';
import { toTensor } from '../../packages/testing/src/conformance/check';
import { families } from '../../packages/testing/src/conformance/families';
import { type Call, sample } from '../../packages/testing/src/conformance/row';
import { type Cell, code, dtypeList, plural, some, table } from './table';

interface Reached {
  readonly dtypes: Set<DType>;
  /** For each row that reaches it, how many calls do. */
  readonly rows: Map<string, number>;
}

/** The nodes that were recorded for some results. */
export function recorded(results: readonly Tensor[]): Node[] {
  const seen = new Set<Node>();
  const stack = results.map((x) => x.node);
  while (stack.length > 0) {
    const node = stack.pop()!;
    if (seen.has(node)) continue;
    seen.add(node);
    stack.push(...node.sources);
  }
  return [...seen];
}

/** What an operation works in: the dtype of its operands, or of its result where it has none. */
const workingDType = (node: Node): DType => (node.op === 'where' ? node.dtype : (node.sources[0]?.dtype ?? node.dtype));

function recordCall(call: Call, dtype: DType): Node[] {
  const results = call.apply(...call.inputs.map((input) => toTensor(sample(input, dtype, 0))));
  return recorded(results instanceof Tensor ? [results] : results);
}

/** For each primitive what the conformance suite reaches of it. */
function reach(): Map<Op, Reached> {
  const reached = new Map<Op, Reached>();
  for (const rows of Object.values(families)) {
    for (const row of rows) {
      for (const call of row.calls) {
        const ops = new Set<Op>();
        for (const dtype of row.dtypes) {
          for (const node of recordCall(call, dtype)) {
            const of: Reached = reached.get(node.op) ?? { dtypes: new Set<DType>(), rows: new Map<string, number>() };
            reached.set(node.op, of);
            of.dtypes.add(workingDType(node));
            ops.add(node.op);
          }
        }
        for (const op of ops) reached.get(op)!.rows.set(row.name, (reached.get(op)!.rows.get(row.name) ?? 0) + 1);
      }
    }
  }
  return reached;
}

const leaves = new Set<Op>(['data', 'constant', 'iota', 'random']);
const indices = new Set<Op>(['argmax', 'window_argmax', 'argsort', 'argtopk']);
const comparisons = new Set<Op>(['eq', 'lt']);

/** Why an operation has no gradient. */
function whyFlat(op: Op, dtypes: ReadonlySet<DType>): string {
  if (leaves.has(op)) return 'a leaf: nothing before it';
  if (indices.has(op)) return 'gives integers; values come back by `gather`';
  if (comparisons.has(op)) return 'gives bool';
  if (op === 'bitcast') return 'bits, not values';
  if (![...dtypes].some(isFloat)) return 'integers and bool only';
  return 'constant almost everywhere';
}

interface Differences {
  readonly name?: string;
  readonly order?: 1;
}

function gradientCells(op: Op, dtypes: ReadonlySet<DType>): [Cell, Cell] {
  const list = (ruleCases as Readonly<Record<Op, readonly Differences[]>>)[op];
  if ((rules as Readonly<Record<Op, unknown>>)[op] === none && (list.length === 0 || !list.some((c) => c.name))) {
    const why = { why: whyFlat(op, dtypes) };
    return [why, why];
  }
  if (list.length === 0) return [{ why: whyFlat(op, dtypes) }, { why: whyFlat(op, dtypes) }];
  const second = list.filter((c) => c.order !== 1);
  return [
    plural(list.length, 'case'),
    second.length > 0 ? plural(second.length, 'case') : { why: 'at a kink; by hand' },
  ];
}

/** Rows that are named for an operation come first, then those that use it most. */
function rowsOf({ rows }: Reached, op: Op): string {
  const names = [...rows.keys()].sort(
    (a, b) => Number(b.startsWith(op)) - Number(a.startsWith(op)) || rows.get(b)! - rows.get(a)! || (a < b ? -1 : 1),
  );
  const calls = [...rows.values()].reduce((a, b) => a + b, 0);
  return `${some(names.map(code), 2)} (${plural(calls, 'call')})`;
}

/** Why the conformance suite does not reach an operation. */
const unreached: Partial<Record<Op, string>> = {
  custom: 'its decomposition runs; `packages/autograd/src/rules.test.ts`',
  random: 'contract: random numbers are the same, eager and compiled',
};

/** The table of primitives. */
export function primitivesTable(): string {
  const reached = reach();
  const rows = (Object.keys(ruleCases) as Op[]).map((op): Cell[] => {
    const of = reached.get(op);
    const [first, second] = gradientCells(op, of?.dtypes ?? new Set());
    const where: Cell = of ? rowsOf(of, op) : { why: unreached[op] ?? 'random programs only' };
    return [code(op), of ? dtypeList(of.dtypes) : '', where, where, first, second];
  });
  return table(['primitive', 'dtypes', 'reference', 'cpu', 'gradient', 'second order'], rows);
}

/** The rows of the conformance suite. */
export function conformanceTable(): string {
  const rows = Object.entries(families).flatMap(([family, list]) =>
    list.map((row) => [row.name, family, dtypeList(row.dtypes), plural(row.calls.length, 'call')]),
  );
  return table(['row', 'family', 'dtypes', 'calls'], rows);
}

/** Primitives whose second order finite differences show. */
export const hasSecondOrder = (op: Op): boolean =>
  (ruleCases as Readonly<Record<Op, readonly Differences[]>>)[op].some((c) => c.order !== 1);
