/**
 * Runs a function once on placeholders, and writes down what it recorded: the program, where each of its leaves comes from at
 * a call, what is assigned and returned, and what the recording depends on.
 */
import { byteWidth } from '../dtype';
import { ValueError } from '../errors';
import type { Counter, Node } from '../graph/node';
import { leaf } from '../ops/record';
import { type Cell, cellOf } from '../run/cell';
import { collect, resolve, type Update, type Written, writeProgram } from '../run/program';
import { type Result, realize } from '../run/realize';
import { Trace, traced, type Versioned } from '../run/trace';
import { Value } from '../run/value';
import { sizeOf } from '../shape';
import { Tensor } from '../tensor';
import { mapTree } from '../tree';
import type { Call } from './call';

/** What a call binds, in the order of the program's leaves. */
export type Source =
  | { readonly kind: 'argument'; readonly index: number }
  | { readonly kind: 'cell'; readonly cell: Cell }
  | { readonly kind: 'captured'; readonly value: Value; readonly host: unknown };

export interface Recording {
  /** Valid until the next program is written. */
  readonly written: Written;
  readonly sources: readonly Source[];
  readonly assigned: readonly Cell[];
  readonly outputs: readonly Result[];
  readonly versions: ReadonlyMap<Versioned, number>;
  readonly draws: ReadonlyMap<Counter, { readonly first: number; readonly count: number }>;
  /** Rebuilds the result from the output tensors. */
  readonly result: (tensors: readonly Tensor[]) => unknown;
}

/** Runs the function once on placeholders, and writes what it recorded. */
export function record(name: string, fn: (...args: unknown[]) => unknown, call: Call): Recording {
  const trace = new Trace(name);
  const places = new Map<Value, number>();
  const placeholders = new Map(call.tensors.map((t, i) => [t, placeholder(t, i, places)]));
  const before = leaf([], 'f32', false).id;
  const outputs: Node[] = [];
  let shape: unknown;
  const draws = new Map<Counter, { first: number; count: number }>();
  try {
    shape = traced(trace, () => {
      const returned = fn(...call.replaced(placeholders));
      checkResult(name, returned);
      return mapTree(returned, (x) => (x instanceof Tensor ? outputs.push(resolve(x.node)) - 1 : new Plain(x)));
    });
    for (const [generator, first] of trace.draws) draws.set(generator, { first, count: generator.counter - first });
    checkGrads(name, trace);
    const assigned = [...trace.assignments];
    const written = writeTrace(trace, outputs, before);
    const sources = written.leaves.map((node) => sourceOf(node, places));
    return {
      written,
      sources,
      assigned: assigned.map(([cell]) => cell),
      outputs: outputs.map(({ op, shape, dtype }) => ({ op, shape, dtype })),
      versions: trace.versions,
      draws,
      result: rebuilding(shape),
    };
  } finally {
    for (const p of placeholders.values()) {
      (p.node.stored as Value).stale =
        `A tensor recorded inside the compiled function ${name} is used outside of it. Return it from the function instead.`;
    }
  }
}

/** A value of the result that is no tensor. */
class Plain {
  constructor(readonly value: unknown) {}
}

/** In a function of its own, so that it holds nothing of the recording. */
const rebuilding =
  (shape: unknown) =>
  (tensors: readonly Tensor[]): unknown =>
    rebuilt(shape, tensors);

function rebuilt(shape: unknown, tensors: readonly Tensor[]): unknown {
  if (typeof shape === 'number') return tensors[shape];
  if (shape instanceof Plain) return shape.value;
  if (Array.isArray(shape)) return shape.map((s) => rebuilt(s, tensors));
  return Object.fromEntries(Object.entries(shape as object).map(([key, value]) => [key, rebuilt(value, tensors)]));
}

function placeholder(t: Tensor, index: number, places: Map<Value, number>): Tensor {
  const node = leaf(t.shape, t.dtype, t.requiresGrad);
  const value = new Value(t.dtype, sizeOf(t.shape) * byteWidth(t.dtype));
  node.stored = value;
  places.set(value, index);
  return new Tensor(node);
}

function checkResult(name: string, returned: unknown): void {
  if (returned instanceof Promise) {
    returned.catch(() => {});
    throw new ValueError(`${name}: a compiled function cannot be async, for it only records. Await outside of it.`);
  }
}

function checkGrads(name: string, trace: Trace): void {
  const left = [...trace.grads].filter((holder) => holder.grad !== null);
  for (const holder of left) holder.grad = null;
  if (left.length > 0) {
    throw new ValueError(
      `${name}: ${left.length} gradients are still set when the compiled function ends. Use optimizer.minimize(loss), or call zeroGrad() inside before the end.`,
    );
  }
}

/** The program of what a trace assigned and returned. */
function writeTrace(trace: Trace, outputs: readonly Node[], before: number): Written {
  const updates = (): Update[] =>
    [...trace.assignments].map(([cell, node]) => ({ node: resolve(node), into: trace.before.get(cell)! }));
  const walk = (): Node[] => collect([...updates().flatMap(({ node, into }) => [node, into!]), ...outputs]);
  let order = walk();
  const earlier = recordedEarlier([...updates().map(({ node }) => node), ...outputs], order, before);
  if (earlier.length > 0) {
    realize(earlier);
    order = walk();
  }
  return writeProgram(order, updates(), outputs);
}

/** What was recorded before the trace and not run yet: it is run first, and captured as a value. */
function recordedEarlier(wanted: readonly Node[], order: readonly Node[], before: number): Node[] {
  const earlier: Node[] = [];
  const take = (node: Node): void => {
    if (node.id <= before && node.stored === null) earlier.push(node);
  };
  for (const node of order) {
    if (node.stored !== null || node.id <= before) continue;
    for (const s of node.sources) take(resolve(s));
  }
  for (const node of wanted) take(node);
  return earlier;
}

function sourceOf(node: Node, places: ReadonlyMap<Value, number>): Source {
  const value = node.stored as Value;
  const index = places.get(value);
  if (index !== undefined) return { kind: 'argument', index };
  const cell = cellOf(node);
  if (cell !== undefined) return { kind: 'cell', cell };
  value.checkFresh();
  return { kind: 'captured', value, host: value.host };
}
