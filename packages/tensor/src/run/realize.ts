/**
 * Eager runs: what is computed when a value is needed. A run includes every pending assignment, in order. Beyond what is
 * asked for it keeps, where gradients are recorded, the results of contractions, windows, scans and reductions (a later
 * `backward` will want them), and whatever an earlier run computed and this one needs again; hence nothing is computed
 * more than twice.
 */
import type { Backend, Storage, Timing } from '../backend';
import { byteWidth, hostArray, type TypedArray } from '../dtype';
import { ValueError } from '../errors';
import type { Node, Op } from '../graph/node';
import { leaf, record } from '../ops/record';
import { sizeOf } from '../shape';
import { type Cell, clearPending, pendingCells } from './cell';
import { prepared } from './executables';
import { giveBack, obtain, runOn } from './memory';
import { currentObserver } from './observe';
import { collect, newMark, resolve, type WantedOutput, writeProgram } from './program';
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
  const wanted: Node[] = [];
  for (const t of targets) addUnstored(wanted, t);
  if (copies.size > 0) {
    for (const c of copies) addUnstored(wanted, c);
    copies.clear();
  }
  const cells = pendingCells();
  if (wanted.length > 0 || cells.size > 0) run(getBackend(), wanted, cells.size > 0 ? [...cells] : noCells, keep);
}

const noCells: readonly Cell[] = [];

function addUnstored(wanted: Node[], node: Node): void {
  const resolved = resolve(node);
  if (resolved.stored === null) wanted.push(resolved);
}

function run(backend: Backend, wanted: readonly Node[], cells: readonly Cell[], keep: boolean): void {
  const assigned = cells.map((cell) => resolve(cell.leaf.definition!));
  const inPlace = cells.map((cell) => (cell.isPrivate ? presentLeaf(cell, backend) : null));
  const roots = cells.length === 0 ? wanted : [...wanted, ...assigned, ...inPlace.filter((n) => n !== null)];
  const order = collect(roots);
  const results = resultsOf(wanted, order, keep);
  const outputs: WantedOutput[] = assigned.map((node, i) => ({ node, into: inPlace[i]! }));
  for (const node of results) outputs.push({ node, into: null });
  const written = writeProgram(outputs, order);
  const { schedule, executable } = prepared(backend, written);

  const bindings = written.leaves.map((node) => (node.stored as Value).on(backend));
  const targets = targetsOf(cells, inPlace, backend, written.leaves);
  const fresh = allocateAll(backend, results);
  for (let i = 0; i < targets.length; i++) if (inPlace[i] === null) bindings.push(targets[i]!);
  for (const storage of fresh) bindings.push(storage);
  const observer = currentObserver();
  observer?.ran(schedule);
  const timings = observer ? (steps: readonly Timing[]) => observer.timed(steps) : undefined;
  runOn(backend, { executable, bindings, scalars: written.scalars, fresh, timings });

  for (let i = 0; i < results.length; i++) {
    const node = results[i]!;
    node.stored = new Value(node.dtype, bytesOf(node)).hold(backend, fresh[i]!);
  }
  for (let i = 0; i < cells.length; i++) cells[i]!.commit(backend, targets[i]!);
  if (cells.length > 0) clearPending();
  settle(order);
}

/** What the run stores for itself: what is asked for, and what is kept; each once. */
function resultsOf(wanted: readonly Node[], order: readonly Node[], keep: boolean): Node[] {
  const results: Node[] = [];
  const mark = newMark();
  for (const node of wanted) {
    if (node.mark === mark) continue;
    node.mark = mark;
    results.push(node);
  }
  for (const node of order) if (isKept(node, keep) && node.mark !== mark) results.push(node);
  return results;
}

/** Where each cell's new version is written. */
function targetsOf(
  cells: readonly Cell[],
  inPlace: readonly (Node | null)[],
  backend: Backend,
  leaves: readonly Node[],
): readonly Storage[] {
  if (cells.length === 0) return [];
  const reads = new Set(leaves.map((n) => n.stored));
  return cells.map((cell, i) =>
    inPlace[i] === null ? cell.spare(backend, reads) : (inPlace[i]!.stored as Value).on(backend),
  );
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

const bytesOf = (node: Pick<Node, 'shape' | 'dtype'>): number => sizeOf(node.shape) * byteWidth(node.dtype);

/** Storage for all results before anything runs, so that a lack of memory leaves everything as it was. */
export function allocateAll(backend: Backend, nodes: readonly Pick<Node, 'op' | 'shape' | 'dtype'>[]): Storage[] {
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

const none: readonly Node[] = [];

/** Counts what was computed but not kept, and forgets sources that no gradient will ask for. */
function settle(order: readonly Node[]): void {
  for (const node of order) {
    if (node.stored === null) node.computed++;
    else if (!node.requiresGrad || node.consumed) node.sources = none;
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
