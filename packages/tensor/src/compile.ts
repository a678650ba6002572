/**
 * `compile`: a function of tensors, recorded once for each signature and replayed as a fixed list of kernels. A replay
 * binds inputs and runs; it records, schedules and allocates nothing but its outputs. Variables assigned inside are
 * updated in place; random numbers draw on from their generators; everything else that the function saw (numbers,
 * captured tensors) is part of the program, so the second call records again and says what was not the same.
 */
import type { Backend } from './backend';
import { byteWidth } from './dtype';
import { BackendError, ValueError } from './errors';
import { gradEnabled } from './graph/mode';
import type { Node } from './graph/node';
import { leaf } from './ops/record';
import { type Cell, cellOf } from './run/cell';
import { type Prepared, prepare } from './run/executables';
import { currentObserver } from './run/observe';
import {
  collect,
  hasKey,
  ownKey,
  type RandomNode,
  resolve,
  rootsOf,
  type WantedOutput,
  type Written,
  writeProgram,
} from './run/program';
import { allocateAll, realize } from './run/realize';
import { getBackend } from './run/registry';
import { type Counter, currentTrace, Trace, traced, type Versioned } from './run/trace';
import { Value } from './run/value';
import type { Program } from './schedule/program';
import { sameShape, sizeOf } from './shape';
import { Tensor } from './tensor';
import { mapTree, type Tree } from './tree';
import { Variable } from './variable';

export interface CompileOptions {
  /** For messages. Default: the function's own name. */
  readonly name?: string;
}

/** What a call binds, in the order of the program's leaves. */
type Source =
  | { readonly kind: 'argument'; readonly index: number }
  | { readonly kind: 'cell'; readonly cell: Cell }
  | { readonly kind: 'captured'; readonly value: Value; readonly host: unknown };

interface Recording {
  /** Valid until the next program is written. */
  readonly written: Written;
  readonly sources: readonly Source[];
  readonly assigned: readonly Cell[];
  readonly outputs: readonly Node[];
  readonly versions: ReadonlyMap<Versioned, number>;
  readonly draws: ReadonlyMap<Counter, { readonly first: number; readonly count: number }>;
  /** Rebuilds the result from the output tensors. */
  readonly result: (tensors: readonly Tensor[]) => unknown;
}

interface Compiled extends Omit<Recording, 'written'> {
  readonly key: Float64Array;
  readonly program: Program;
  readonly leaves: readonly Node[];
  readonly scalars: Float64Array;
  readonly randoms: readonly RandomNode[];
  readonly prepared: Prepared;
  readonly backend: Backend;
  checked: boolean;
}

/** How many signatures a function may have before its cause is reported. */
const manySignatures = 8;

/** How many arguments are compared one with another. */
const mostInPattern = 8;

type NotAsync<R> = R extends Promise<unknown> ? never : R;

/**
 * Compiles a function of trees of tensors. Numbers, strings and booleans among the arguments are part of the signature.
 *
 * @param fn - synchronous; may read and assign variables, and take gradients
 * @throws ValueError if the function reads a value, is async, leaves a gradient set, or records something else when it
 * is called a second time
 * @example
 * const step = compile((x: Tensor, y: Tensor) => {
 *   const loss = crossEntropy(model.forward(x), y);
 *   optimizer.minimize(loss);
 *   return loss;
 * });
 */
export function compile<A extends readonly Tree[], R>(
  fn: (...args: A) => NotAsync<R>,
  { name = fn.name || 'anonymous' }: CompileOptions = {},
): (...args: A) => R {
  const compiled = new Map<string, Compiled>();
  let last: { readonly pattern: Pattern; readonly compiled: Compiled } | null = null;
  return (...args: A): R => {
    if (currentTrace()) return fn(...args);
    const backend = getBackend();
    if (last?.pattern.fits(args) && last.compiled.backend === backend && sameVersions(last.compiled.versions)) {
      realize(args.map((t) => (t as Tensor).node));
      return replay(last.compiled, args as unknown as readonly Tensor[]) as R;
    }
    const call = new Call(args);
    realize(call.tensors.map((t) => t.node));
    const known = compiled.get(call.signature);
    const usable = known !== undefined && known.backend === backend && sameVersions(known.versions);
    if (usable && known.checked) {
      const pattern = Pattern.of(args);
      if (pattern !== null) last = { pattern, compiled: known };
      return replay(known, call.tensors) as R;
    }
    const recorded = record(name, fn as unknown as (...a: unknown[]) => unknown, call);
    if (usable) {
      checkSame(name, known, recorded);
      known.checked = true;
      return replay(known, call.tensors) as R;
    }
    for (const [generator, { first }] of recorded.draws) rewind(generator, first);
    const fresh = compiledFrom(recorded, backend);
    known?.prepared.executable.dispose();
    last = null;
    compiled.set(call.signature, fresh);
    reportMany(name, compiled);
    return replay(fresh, call.tensors) as R;
  };
}

function compiledFrom({ written, ...recorded }: Recording, backend: Backend): Compiled {
  const { leaves, scalars, randoms } = written;
  const program = written.program();
  const key = ownKey(written);
  return {
    ...recorded,
    key,
    program,
    leaves,
    scalars,
    randoms,
    prepared: prepare(backend, program),
    backend,
    checked: false,
  };
}

const sameVersions = (versions: ReadonlyMap<Versioned, number>): boolean => {
  for (const [owner, version] of versions) if (owner.version !== version) return false;
  return true;
};

/** The arguments of one call: tensors in order, and everything else as a signature. */
class Call {
  readonly tensors: Tensor[] = [];
  readonly signature: string;

  constructor(readonly args: readonly unknown[]) {
    const seen = new Map<Tensor, number>();
    const parts: string[] = [gradEnabled() ? 'g' : 'n'];
    mapTree(args, (x, path) => {
      parts.push(path, this.#describe(x, seen));
      return x;
    });
    this.signature = parts.join('|');
  }

  #describe(x: unknown, seen: Map<Tensor, number>): string {
    if (x instanceof Variable) return `v${identity(x)}`;
    if (!(x instanceof Tensor))
      return typeof x === 'function' || typeof x === 'symbol' ? reject(x) : `${typeof x}:${String(x)}`;
    const again = seen.get(x);
    if (again !== undefined) return `=${again}`;
    seen.set(x, this.tensors.length);
    this.tensors.push(x);
    return `${x.dtype}${x.shape.join(',')}${x.requiresGrad ? 'r' : ''}`;
  }

  /** The arguments with each tensor replaced. */
  replaced(by: ReadonlyMap<Tensor, Tensor>): unknown[] {
    return mapTree(this.args, (x) => (x instanceof Tensor && !(x instanceof Variable) ? by.get(x)! : x)) as unknown[];
  }
}

/** A list of different tensors as the arguments: it tells a call like the one before without writing a signature. */
class Pattern {
  private constructor(
    private readonly tensors: readonly Pick<Node, 'shape' | 'dtype' | 'requiresGrad'>[],
    private readonly grad: boolean,
  ) {}

  static of(args: readonly unknown[]): Pattern | null {
    const plain = args.every((x) => x instanceof Tensor && !(x instanceof Variable));
    if (!plain || args.length > mostInPattern || new Set(args).size < args.length) return null;
    const tensors = args.map((x) => {
      const { shape, dtype, requiresGrad } = x as Tensor;
      return { shape, dtype, requiresGrad };
    });
    return new Pattern(tensors, gradEnabled());
  }

  fits(args: readonly unknown[]): boolean {
    if (args.length !== this.tensors.length || gradEnabled() !== this.grad) return false;
    for (let i = 0; i < args.length; i++) {
      const x = args[i];
      if (!(x instanceof Tensor) || x instanceof Variable || args.indexOf(x) < i) return false;
      const { shape, dtype, requiresGrad } = this.tensors[i]!;
      if (x.dtype !== dtype || x.requiresGrad !== requiresGrad || !sameShape(x.shape, shape)) return false;
    }
    return true;
  }
}

function reject(x: unknown): never {
  throw new ValueError(`compile: a ${typeof x} is passed as an argument. Close over it instead.`);
}

let identities = 0;
const identityOf = new WeakMap<object, number>();
function identity(x: object): number {
  let id = identityOf.get(x);
  if (id === undefined) identityOf.set(x, (id = ++identities));
  return id;
}

/** Runs the function once on placeholders, and writes what it recorded. */
function record(name: string, fn: (...args: unknown[]) => unknown, call: Call): Recording {
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
    const result = (tensors: readonly Tensor[]): unknown => mapTree2(shape, tensors);
    return {
      written,
      sources,
      assigned: assigned.map(([cell]) => cell),
      outputs,
      versions: trace.versions,
      draws,
      result,
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

function mapTree2(shape: unknown, tensors: readonly Tensor[]): unknown {
  if (typeof shape === 'number') return tensors[shape];
  if (shape instanceof Plain) return shape.value;
  if (Array.isArray(shape)) return shape.map((s) => mapTree2(s, tensors));
  return Object.fromEntries(Object.entries(shape as object).map(([key, value]) => [key, mapTree2(value, tensors)]));
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
  const wantedNow = (): WantedOutput[] => [
    ...[...trace.assignments].map(([cell, node]) => ({ node: resolve(node), into: trace.before.get(cell)! })),
    ...outputs.map((node) => ({ node, into: null })),
  ];
  let wanted = wantedNow();
  let order = collect(rootsOf(wanted));
  const earlier = recordedEarlier(wanted, order, before);
  if (earlier.length > 0) {
    realize(earlier);
    wanted = wantedNow();
    order = collect(rootsOf(wanted));
  }
  return writeProgram(wanted, order);
}

/** What was recorded before the trace and not run yet: it is run first, and captured as a value. */
function recordedEarlier(wanted: readonly WantedOutput[], order: readonly Node[], before: number): Node[] {
  const earlier: Node[] = [];
  const take = (node: Node): void => {
    if (node.id <= before && node.stored === null) earlier.push(node);
  };
  for (const node of order) {
    if (node.stored !== null || node.id <= before) continue;
    for (const s of node.sources) take(resolve(s));
  }
  for (const { node } of wanted) take(node);
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

function replay(compiled: Compiled, tensors: readonly Tensor[]): unknown {
  const { backend, scalars, prepared } = compiled;
  const leaves = compiled.sources.map((s) => {
    if (s.kind === 'captured') return s.value.on(backend);
    if (s.kind === 'cell') return s.cell.present(backend)!.on(backend);
    return argumentStorage(compiled, tensors[s.index]!, backend);
  });
  const fresh = allocateAll(backend, compiled.outputs);
  drawNumbers(compiled);
  const observer = currentObserver();
  observer?.ran(prepared.schedule);
  backend.run(
    prepared.executable,
    [...leaves, ...fresh],
    scalars,
    observer ? (steps) => observer.timed(steps) : undefined,
  );
  for (const cell of compiled.assigned) cell.advance(backend);
  return compiled.result(compiled.outputs.map((node, i) => storedTensor(node, backend, fresh[i]!)));
}

function storedTensor(like: Node, backend: Backend, storage: ReturnType<Backend['allocate']>): Tensor {
  const node = leaf(like.shape, like.dtype, false);
  node.stored = new Value(like.dtype, sizeOf(like.shape) * byteWidth(like.dtype)).hold(backend, storage);
  return new Tensor(node);
}

/** An argument's storage; a version of a variable that the step overwrites is refused. */
function argumentStorage(compiled: Compiled, t: Tensor, backend: Backend): ReturnType<Backend['allocate']> {
  const node = resolve(t.node);
  const cell = compiled.assigned.length > 0 ? cellOf(node) : undefined;
  if (cell !== undefined && compiled.assigned.includes(cell)) {
    throw new BackendError(
      `compile: an argument is a view of ${cell.name}, which the compiled function overwrites. Pass ${cell.name}.snapshot().`,
    );
  }
  return (node.stored as Value).on(backend);
}

/** Random numbers of this call: each generator's present key and counter, moved on by what a call draws. */
function drawNumbers({ scalars, randoms, draws }: Compiled): void {
  for (const { node, scalar } of randoms) {
    const generator = node.attrs.generator as Counter & { readonly key: readonly [number, number] };
    scalars[scalar] = generator.key[0];
    scalars[scalar + 1] = generator.key[1];
    scalars[scalar + 2] = generator.counter + node.attrs.counter - (draws.get(generator)?.first ?? node.attrs.counter);
  }
  for (const [generator, { count }] of draws) (generator as unknown as { draw(n: number): number }).draw(count);
}

/** Puts a generator back to where a recording began. */
function rewind(generator: Counter, counter: number): void {
  const state = generator as unknown as {
    stateDict(): { key: [number, number] };
    loadStateDict(s: { key: [number, number]; counter: number }): void;
  };
  state.loadStateDict({ key: state.stateDict().key, counter });
}

/** @throws ValueError naming what the second recording saw that the first did not */
function checkSame(name: string, first: Compiled, second: Recording): void {
  for (const [generator, { first: counter }] of second.draws) rewind(generator, counter);
  const differs = difference(first, second);
  if (differs)
    throw new ValueError(
      `${name}: the compiled function does not record the same twice: ${differs}. Pass what changes as a tensor argument, or keep it in a Variable.`,
    );
}

function difference(first: Compiled, second: Recording): string | null {
  const { key, program, leaves, scalars, randoms } = first;
  const { written } = second;
  if (!hasKey(written, key)) return `${program.nodes.length} operations at first, ${written.count} later, or others`;
  const random = new Set(randoms.flatMap((r) => [r.scalar, r.scalar + 1, r.scalar + 2]));
  for (let i = 0; i < scalars.length; i++) {
    if (!random.has(i) && !Object.is(scalars[i], written.scalars[i]))
      return `the number ${scalars[i]} of ${operationOf(program, i)} is now ${written.scalars[i]}`;
  }
  for (const [i, s] of first.sources.entries())
    if (!sameSource(s, second.sources[i]!))
      return `a captured tensor of ${leaves[i]!.dtype} [${leaves[i]!.shape}] is another one`;
  return null;
}

const operationOf = ({ nodes }: Program, scalar: number): string =>
  nodes.find((n) => n.args.includes(scalar))?.op ?? 'an operation';

function sameSource(a: Source, b: Source): boolean {
  if (a.kind === 'argument') return b.kind === 'argument' && a.index === b.index;
  if (a.kind === 'cell') return b.kind === 'cell' && a.cell === b.cell;
  if (b.kind !== 'captured') return false;
  return (
    a.value === b.value ||
    (a.host !== null && b.host !== null && sameData(a.host as ArrayLike<number>, b.host as ArrayLike<number>))
  );
}

function sameData(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}

function reportMany(name: string, compiled: ReadonlyMap<string, Compiled>): void {
  if (compiled.size !== manySignatures + 1) return;
  const [previous, last] = [...compiled.keys()].slice(-2);
  console.warn(
    `compile: ${name} was recorded for a ninth signature. The last two differ in: ${previous} / ${last}. Make shapes equal, or pass changing numbers as tensors.`,
  );
}
