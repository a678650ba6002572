/**
 * Eager runs: what is computed when a value is needed. A run includes every pending assignment, in order. Beyond what is
 * asked for it keeps, where gradients are recorded, the results of contractions, windows, scans and reductions (a later
 * `backward` will want them), and whatever an earlier run computed and this one needs again; hence nothing is computed
 * more than twice.
 */
import type { Backend, Storage } from '../backend';
import { byteWidth, hostArray, type TypedArray } from '../dtype';
import { ValueError } from '../errors';
import type { Node, Op } from '../graph/node';
import { leaf, record } from '../ops/record';
import { sizeOf } from '../shape';
import { type Cell, clearPending, pendingCells } from './cell';
import { prepared } from './executables';
import { giveBack, obtain } from './memory';
import { currentObserver } from './observe';
import { collect, resolve, type WantedOutput, type Written, writeProgram } from './program';
import { getBackend } from './registry';
import { currentTrace } from './trace';
import { turnIfNeeded, Value } from './value';

/** Operations whose results a later gradient is likely to read. */
const kept: ReadonlySet<Op> = new Set<Op>([
  'dot',
  'convolution',
  'window_sum',
  'window_max',
  'window_argmax',
  'scan',
  'custom',
  'sum',
  'prod',
  'max_reduce',
  'min_reduce',
  'argmax',
  'gather',
  'scatter',
]);

/** Operations that cost nothing to repeat. */
const free: ReadonlySet<Op> = new Set<Op>([
  'data',
  'constant',
  'iota',
  'reshape',
  'permute',
  'expand',
  'slice',
  'pad',
  'concat',
]);

export interface RunOptions {
  /** Whether to keep results that a later gradient is likely to read. Default true. */
  readonly keep?: boolean;
}

/** Copies that the next run stores, asked for or not, so that they are of the values at the time of copying. */
const copies = new Set<Node>();

/** A copy of a value, in storage of its own from the next run on. */
export function copy(node: Node): Node {
  const made = record('barrier', [node], {}, node.shape, node.dtype);
  if (currentTrace() === null) copies.add(made);
  return made;
}

/** Computes and stores the values of `targets`, together with all pending assignments. */
export function realize(targets: readonly Node[], { keep = true }: RunOptions = {}): void {
  if (currentTrace()) {
    throw new ValueError(
      `${currentTrace()!.name}: a value is read inside a compiled function, where there is none yet. Return the tensor and read it outside.`,
    );
  }
  const cells = [...pendingCells()];
  const wanted = [...targets, ...copies].map(resolve).filter((n) => n.stored === null);
  copies.clear();
  if (wanted.length === 0 && cells.length === 0) return;
  run(getBackend(), wanted, cells, keep);
}

function run(backend: Backend, wanted: readonly Node[], cells: readonly Cell[], keep: boolean): void {
  const assigned = cells.map((cell) => ({ cell, value: resolve(cell.leaf.definition!) }));
  const inPlace = assigned.map(({ cell }) => (cell.isPrivate ? presentLeaf(cell, backend) : null));
  const order = collect([...wanted, ...assigned.map((a) => a.value), ...inPlace.filter((n) => n !== null)]);
  const results = new Set(wanted);
  for (const node of order) if (isKept(node, keep)) results.add(node);
  const outputs: WantedOutput[] = assigned.map(({ value }, i) => ({ node: value, into: inPlace[i]! }));
  for (const node of results) outputs.push({ node, into: null });
  const written = writeProgram(outputs, order);
  const { schedule, executable } = prepared(backend, written);

  const reads = new Set(written.leaves.map((n) => n.stored));
  const targets = assigned.map(({ cell }, i) =>
    inPlace[i] === null ? cell.spare(backend, reads) : (inPlace[i]!.stored as Value).on(backend),
  );
  const fresh = allocateAll(backend, [...results]);
  const bindings = bind(backend, written, [...targets.filter((_, i) => inPlace[i] === null), ...fresh]);
  const observer = currentObserver();
  observer?.ran(schedule);
  backend.run(executable, bindings, written.scalars, observer ? (steps) => observer.timed(steps) : undefined);

  for (const [i, node] of [...results].entries())
    node.stored = new Value(node.dtype, bytesOf(node)).hold(backend, fresh[i]!);
  assigned.forEach(({ cell }, i) => cell.commit(backend, targets[i]!));
  clearPending();
  settle(order);
}

/** A leaf for the version that a private cell has now, before the pending assignment; null before its first. */
function presentLeaf(cell: Cell, backend: Backend): Node | null {
  const value = cell.present(backend);
  if (value === null) return null;
  const node = leaf(cell.shape, cell.dtype, false);
  node.stored = value;
  return node;
}

function isKept(node: Node, keep: boolean): boolean {
  if (node.stored !== null || free.has(node.op)) return false;
  if (node.computed > 0) {
    currentObserver()?.again(node);
    return true;
  }
  return keep && node.requiresGrad && kept.has(node.op);
}

const bytesOf = (node: Node): number => sizeOf(node.shape) * byteWidth(node.dtype);

/** Storage for all results before anything runs, so that a lack of memory leaves everything as it was. */
export function allocateAll(backend: Backend, nodes: readonly Node[]): Storage[] {
  const storages: Storage[] = [];
  let bytes = 0;
  try {
    for (const node of nodes) {
      const size = bytesOf(node);
      storages.push(obtain(backend, size, { name: node.op, shape: node.shape, dtype: node.dtype }));
      bytes += size;
    }
  } catch (error) {
    for (const s of storages) giveBack(backend, s);
    throw error;
  }
  if (storages.length > 0) currentObserver()?.allocated(storages.length, bytes);
  return storages;
}

function bind(backend: Backend, written: Written, outputs: readonly Storage[]): Storage[] {
  const leaves = written.leaves.map((node) => (node.stored as Value).on(backend));
  return [...leaves, ...outputs];
}

/** Counts what was computed but not kept, and forgets sources that no gradient will ask for. */
function settle(order: readonly Node[]): void {
  for (const node of order) {
    if (node.stored === null) node.computed++;
    else if (!node.requiresGrad || node.consumed) node.sources = [];
  }
}

function storedValue(node: Node): Value {
  realize([node]);
  const value = resolve(node).stored as Value;
  value.checkFresh();
  return value;
}

/** The elements of a node on the host. */
export async function read(node: Node): Promise<TypedArray> {
  const size = sizeOf(node.shape);
  const value = storedValue(node);
  if (value.host !== null) return value.host.slice() as TypedArray;
  const backend = value.backend ?? getBackend();
  const buffer = await backend.read(value.on(backend), 0, size * byteWidth(node.dtype));
  await turnIfNeeded();
  return hostArray(node.dtype, buffer, 0, size);
}

/** The same at once, where the backend can. */
export function readSync(node: Node): TypedArray {
  const value = storedValue(node);
  if (value.host !== null) return value.host.slice() as TypedArray;
  const backend = value.backend ?? getBackend();
  if (backend.readSync === undefined) {
    throw new ValueError(`dataSync: the backend ${backend.name} cannot read at once. Use await data().`);
  }
  const size = sizeOf(node.shape);
  return hostArray(node.dtype, backend.readSync(value.on(backend), 0, size * byteWidth(node.dtype)), 0, size);
}

/** Runs what is pending, such as assignments that nothing has asked for yet. */
export const flush = (): void => realize([]);
