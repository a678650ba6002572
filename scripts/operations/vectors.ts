/**
 * The operations of the reference vectors: how many cases each has, how the public API is called for it, and through which
 * primitives it goes, which is found by recording its first case.
 */
import { attentionOps } from '../../packages/attention/test/golden-ops';
import { rnnOps } from '../../packages/rnn/test/golden-ops';
import { type Op, Tensor, tensor } from '../../packages/tensor/src/index';
import { layerTables } from '../../packages/testing/src/golden/layer-tables';
import { audioOps } from '../../packages/testing/src/golden/ops/audio';
import { GoldenCall, type GoldenOps } from '../../packages/testing/src/golden/ops/call';
import { visionOps } from '../../packages/testing/src/golden/ops/vision';
import { type GoldenCase, type GoldenCategory, readGolden } from '../../packages/testing/src/golden/read';
import { goldenTables } from '../../packages/testing/src/golden/tables';
import { hasSecondOrder, recorded } from './primitives';
import { type Cell, code, dtypeList, plural, some, table } from './table';

interface Category {
  readonly category: GoldenCategory;
  readonly ops: GoldenOps | null;
  /** Test files: values and gradients, and the same on cpu. */
  readonly reference: string;
  readonly cpu: string | null;
}

const testing = 'packages/testing/src/golden';
const conformance = 'packages/backend-cpu/test/conformance.test.ts';

const joined = new Map<GoldenCategory, GoldenOps>();
for (const { category, ops } of [...goldenTables, ...layerTables]) {
  joined.set(category, { ...joined.get(category), ...ops });
}

const tensorFiles = `${testing}/tensor.test.ts, packages/autograd/src/golden.test.ts`;
const layerFiles = 'packages/layers/test/golden.test.ts';
const tensorCategories: readonly string[] = goldenTables.map(({ category }) => category);

const categories: readonly Category[] = [
  ...[...joined].map(([category, ops]) => ({
    category,
    ops,
    reference: tensorCategories.includes(category) ? tensorFiles : layerFiles,
    cpu: conformance,
  })),
  {
    category: 'rnn',
    ops: rnnOps,
    reference: 'packages/rnn/test/golden.test.ts',
    cpu: 'packages/rnn/test/golden.test.ts',
  },
  {
    category: 'attention',
    ops: attentionOps,
    reference: 'packages/attention/test/golden.test.ts',
    cpu: 'packages/attention/test/golden.test.ts',
  },
  {
    category: 'vision',
    ops: visionOps,
    reference: `${testing}/vision.test.ts, packages/vision/src/nms.test.ts`,
    cpu: null,
  },
  { category: 'audio', ops: audioOps, reference: `${testing}/audio.test.ts`, cpu: null },
  {
    category: 'optim',
    ops: null,
    reference: 'packages/optim/src/golden.test.ts, packages/optim/src/schedule.test.ts',
    cpu: null,
  },
  {
    category: 'init',
    ops: null,
    reference: 'packages/layers/src/init.test.ts, packages/layers/src/init-orthogonal.test.ts',
    cpu: null,
  },
];

const camel = (name: string): string => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

/** The nodes of the first case that records. */
function primitivesOf(cases: readonly GoldenCase[], op: GoldenOps[string] | undefined): Op[] | null {
  if (op === undefined || 'unserved' in op) return null;
  for (const golden of cases) {
    try {
      const inputs = Object.entries(golden.inputs).map(([name, x]) => [
        name,
        tensor(x.data, x.shape, { dtype: x.dtype }),
      ]);
      const result = op(new GoldenCall(Object.fromEntries(inputs), golden.attrs));
      const nodes = recorded(result instanceof Tensor ? [result] : Object.values(result));
      return [...new Set(nodes.map((node) => node.op))];
    } catch {
      // Cases with views do not record without them; another one will.
    }
  }
  return null;
}

const secondOrder = readGolden('second_order');

function secondCell(name: string, hasGradient: boolean, primitives: readonly Op[] | null): Cell {
  if (!hasGradient) return { why: 'no gradient' };
  const named = secondOrder.filter((c) => c.attrs['function'] === name || c.op.includes(name));
  const own = named.length > 0 ? [plural(named.length, 'vector')] : [];
  const through = (primitives ?? []).filter(hasSecondOrder).sort();
  if (through.length > 0) own.push(`by ${some(through.map(code), 5)}`);
  return own.length > 0 ? own.join('; ') : { why: 'its primitives are not listed' };
}

function gradientCell(cases: readonly GoldenCase[]): Cell {
  const count = cases.filter((c) => Object.keys(c.grads).length > 0).length;
  if (count > 0) return plural(count, 'case');
  const inputs = cases.flatMap((c) => Object.values(c.inputs));
  const outputs = cases.flatMap((c) => Object.values(c.outputs));
  if (inputs.length > 0 && inputs.every((x) => x.dtype !== 'f32')) return { why: 'integers and bool only' };
  if (outputs.every((x) => x.dtype !== 'f32')) return { why: 'gives integers or bool' };
  return { why: inputs.length > 0 ? 'constant almost everywhere, or not asked of PyTorch' : 'no tensor goes in' };
}

function row(name: string, cases: readonly GoldenCase[], { ops, cpu }: Category): Cell[] {
  const op = ops?.[name];
  const served = ops === null || (op !== undefined && !('unserved' in op));
  const grad: Cell = ops === null ? { why: 'updates and initial values take none' } : gradientCell(cases);
  const values = plural(cases.length, 'case');
  const why = op !== undefined && 'unserved' in op ? op.unserved : 'no row in the table';
  return [
    code(name),
    dtypeList(cases.flatMap((c) => Object.values(c.inputs).map((x) => x.dtype))),
    served ? values : { why },
    !served ? { why } : cpu === null ? { why: 'by its primitives' } : values,
    grad,
    ops === null
      ? { why: 'steps and numbers, not functions' }
      : secondCell(name, typeof grad === 'string', primitivesOf(cases, op)),
  ];
}

/** A table for each category. */
export function vectorTables(): string {
  return categories
    .map((category) => {
      const cases = readGolden(category.category);
      const names = [...new Set(cases.map((c) => c.op))].sort();
      const rows = names.map((name) =>
        row(
          name,
          cases.filter((c) => c.op === name),
          category,
        ),
      );
      const files = category.reference.split(', ').map(code).join(', ');
      const where = `${plural(cases.length, 'case')}. Reference: ${files}; cpu: ${category.cpu === null ? 'not run whole, for all its primitives are' : code(category.cpu)}.`;
      const heads = ['operation', 'dtypes', 'reference', 'cpu', 'gradient', 'second order'];
      return `### ${category.category}\n\n${where}\n\n${table(heads, rows)}`;
    })
    .join('\n\n');
}

/** Names by which a vector is known in the public API, as far as they agree. */
export const vectorNames = (): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const { category } of categories) {
    for (const { op } of readGolden(category)) counts.set(camel(op), (counts.get(camel(op)) ?? 0) + 1);
  }
  return counts;
};
