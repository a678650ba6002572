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
import { turnIfNeeded } from './collector';
import { prepared } from './executables';
import { type Holding, obtain, runOn } from './memory';
import { currentObserver } from './observe';
import { collect, newMark, resolve, type Update, writeProgram } from './program';
import { getBackend } from './registry';
import { currentTrace } from './trace';
import { Value } from './value';

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
  const updates = updatesOf(cells, backend);
  const order = collect(cells.length === 0 ? wanted : rootsOf(wanted, updates));
  const results = resultsOf(wanted, order, keep);
  const written = writeProgram(order, updates, results);
  const { leaves, scalars } = written;
  const found = prepared(backend, written);

  const bindings = new Array<Storage>(found.schedule.bound);
  let bound = 0;
  for (const node of leaves) bindings[bound++] = (node.stored as Value).on(backend);
  const targets = targetsOf(cells, updates, backend, leaves);
  const fresh = allocateAll(backend, results);
  for (let i = 0; i < targets.length; i++) if (updates[i]!.into === null) bindings[bound++] = targets[i]!.storage;
  for (const holding of fresh) bindings[bound++] = holding.storage;
  runOn(backend, found, { bindings, scalars, fresh });

  for (let i = 0; i < results.length; i++) results[i]!.stored = resultValue(results[i]!, fresh[i]!);
  for (let i = 0; i < cells.length; i++) cells[i]!.commit(targets[i]!);
  if (cells.length > 0) clearPending();
  settle(order);
}

/** What pending assignments store: private cells over their present version. */
const updatesOf = (cells: readonly Cell[], backend: Backend): Update[] =>
  cells.map((cell) => ({
    node: resolve(cell.leaf.definition!),
    into: cell.isPrivate ? presentLeaf(cell, backend) : null,
  }));

const rootsOf = (wanted: readonly Node[], updates: readonly Update[]): Node[] => [
  ...wanted,
  ...updates.map(({ node }) => node),
  ...updates.flatMap(({ into }) => into ?? []),
];

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
  updates: readonly Update[],
  backend: Backend,
  leaves: readonly Node[],
): readonly Holding[] {
  if (cells.length === 0) return [];
  const reads = new Set(leaves.map((n) => n.stored));
  return cells.map((cell, i) => {
    const { into } = updates[i]!;
    return into === null ? cell.spare(backend, reads) : (into.stored as Value).holdingOn(backend);
  });
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

/** What has to be known of a result to store it. */
export type Result = Pick<Node, 'op' | 'shape' | 'dtype'>;

const bytesOf = ({ shape, dtype }: Result): number => sizeOf(shape) * byteWidth(dtype);

/** The value of a result, which a run has left there. */
export const resultValue = (result: Result, holding: Holding): Value =>
  new Value(result.dtype, bytesOf(result)).hold(holding);

/** Storage for all results before anything runs, so that a lack of memory leaves everything as it was. */
export function allocateAll(backend: Backend, results: readonly Result[]): Holding[] {
  const holdings = new Array<Holding>(results.length);
  let count = 0;
  let bytes = 0;
  try {
    for (const result of results) {
      const { op, shape, dtype } = result;
      const size = bytesOf(result);
      holdings[count++] = obtain(backend, size, { name: op, shape, dtype });
      bytes += size;
    }
  } catch (error) {
    for (const holding of holdings) holding?.giveBack();
    throw error;
  }
  if (count > 0) currentObserver()?.allocated(count, bytes);
  return holdings;
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
