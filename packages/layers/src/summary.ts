/**
 * Summaries: what a forward pass would do, read off its recording. The pass runs on tensors that are formulas, under
 * `noGrad` and in evaluation mode, and nothing of it is ever computed; multiply-adds are counted from the contractions
 * that each module recorded.
 */
import { isOp, type Node, type Shape, Tensor, withGrad, zeros } from '@dl/tensor';
import type { Module } from './module';

/** One module of a {@link Summary}. */
export interface SummaryRow {
  /** Where it is: `features.0`, or '' for the model itself. */
  readonly key: string;
  /** Its class. */
  readonly layer: string;
  /** Of its last call; null where the output holds no tensor. */
  readonly outputShape: Shape | null;
  /** Elements of its own parameters; one that was counted above counts 0. */
  readonly parameters: number;
  /** Multiplications with an addition in dot products and convolutions, over all its calls. */
  readonly multiplyAdds: number;
}

export interface Summary {
  readonly rows: readonly SummaryRow[];
  /** All parameters of the model, also of modules that were not called. */
  readonly parameters: number;
  readonly trainableParameters: number;
  readonly multiplyAdds: number;
  /** The table. */
  toString(): string;
}

interface Entry {
  readonly key: string;
  readonly module: Module;
  outputShape: Shape | null;
  multiplyAdds: number;
}

export function summarise(model: Module, inputs: readonly (Shape | Tensor)[]): Summary {
  const entries = new Map<Module, Entry>();
  for (const [key, module] of model.namedModules()) {
    entries.set(module, { key, module, outputShape: null, multiplyAdds: 0 });
  }
  recordPass(model, inputs, entries);
  const rows = rowsOf([...entries.values()]);
  const parameters = model.parameters();
  const count = (some: typeof parameters): number => some.reduce((n, p) => n + p.size, 0);
  const totals = {
    parameters: count(parameters),
    trainableParameters: count(parameters.filter((p) => p.requiresGrad)),
    multiplyAdds: rows.reduce((n, row) => n + row.multiplyAdds, 0),
  };
  const shown = (): string => table(rows, totals);
  const summary = { rows, ...totals };
  for (const name of ['toString', Symbol.for('nodejs.util.inspect.custom')]) {
    Object.defineProperty(summary, name, { value: shown });
  }
  return summary;
}

function recordPass(model: Module, inputs: readonly (Shape | Tensor)[], entries: ReadonlyMap<Module, Entry>): void {
  const seen = new Set<Node>();
  const hooks = [...entries].map(([module, entry]) =>
    module.onForward((_, __, output) => {
      const tensors = tensorsOf(output);
      entry.outputShape = tensors[0]?.shape ?? null;
      for (const t of tensors) entry.multiplyAdds += countNew(t.node, seen);
    }),
  );
  const tensors = inputs.map((input) => (input instanceof Tensor ? input : zeros(input)));
  try {
    model.inMode(false, () => withGrad(false, () => (model.forward as (...x: Tensor[]) => unknown)(...tensors)));
  } finally {
    for (const remove of hooks) remove();
  }
}

function tensorsOf(tree: unknown): Tensor[] {
  if (tree instanceof Tensor) return [tree];
  if (tree === null || typeof tree !== 'object') return [];
  return Object.values(tree).flatMap(tensorsOf);
}

/** Multiply-adds of what was recorded since the last count. */
function countNew(root: Node, seen: Set<Node>): number {
  let total = 0;
  const stack = [root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    total += multiplyAddsOf(node);
    stack.push(...node.sources);
  }
  return total;
}

const product = (sizes: Shape): number => sizes.reduce((n, size) => n * size, 1);

function multiplyAddsOf(node: Node): number {
  if (isOp(node, 'dot')) {
    const lhs = node.sources[0]!.shape;
    return product(node.shape) * product(node.attrs.lhsContract.map((axis) => lhs[axis]!));
  }
  if (isOp(node, 'convolution')) return product(node.shape) * product(node.sources[1]!.shape.slice(1));
  return 0;
}

/** Modules without children, and those with parameters or contractions of their own. */
function rowsOf(entries: readonly Entry[]): SummaryRow[] {
  const counted = new Set<object>();
  const rows: SummaryRow[] = [];
  for (const { key, module, outputShape, multiplyAdds } of entries) {
    let parameters = 0;
    const own = module.namedParameters().filter(([name]) => isOwn(module, name));
    for (const [, parameter] of own)
      if (!counted.has(parameter) && counted.add(parameter)) parameters += parameter.size;
    if (module.children().length > 0 && own.length === 0 && multiplyAdds === 0) continue;
    rows.push({ key, layer: module.constructor.name, outputShape, parameters, multiplyAdds });
  }
  return rows;
}

const isOwn = (module: Module, name: string): boolean => module.registered().some(([key]) => key === name);

const number = (n: number): string => n.toLocaleString('en-US');

type Totals = Pick<Summary, 'parameters' | 'trainableParameters' | 'multiplyAdds'>;

function table(rows: readonly SummaryRow[], totals: Totals): string {
  const head = ['layer', 'output shape', 'parameters', 'multiply-adds'];
  const body = rows.map((row) => [
    row.key === '' ? row.layer : `${row.key} ${row.layer}`,
    row.outputShape === null ? '' : `[${row.outputShape.join(', ')}]`,
    number(row.parameters),
    number(row.multiplyAdds),
  ]);
  const frozen = totals.parameters - totals.trainableParameters;
  const label = frozen === 0 ? 'total' : `total (${number(frozen)} frozen)`;
  const foot = [label, '', number(totals.parameters), number(totals.multiplyAdds)];
  const lines = [head, ...body, foot];
  const widths = head.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  const show = (line: readonly string[]): string =>
    line
      .map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd();
  const rule = '─'.repeat(widths.reduce((a, b) => a + b) + 2 * (head.length - 1));
  return [show(head), rule, ...body.map(show), rule, show(foot)].join('\n');
}
