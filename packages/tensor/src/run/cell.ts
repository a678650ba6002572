/**
 * Cells: the versioned storage behind a variable. An assignment is recorded, in program order: what is recorded later
 * sees the new value, what was recorded earlier keeps the old one. An eager run writes the cell's other storage, so that
 * the previous version stays readable until the next; a `private` cell (optimiser state, which no one else reads) and a
 * compiled step write in place.
 */
import type { Backend } from '../backend';
import { byteWidth, type DType } from '../dtype';
import type { Node } from '../graph/node';
import { leaf } from '../ops/record';
import { type Shape, sizeOf } from '../shape';
import { type Holding, obtain } from './memory';
import { currentTrace, forbidInTrace } from './trace';
import { Value } from './value';

/** The holdings of one cell, apart from it so that they can be given back once it is gone. */
type Holdings = Set<Holding>;

const finalizer = new FinalizationRegistry<Holdings>(giveBackAll);

function giveBackAll(holdings: Holdings): void {
  for (const holding of holdings) holding.giveBack();
  holdings.clear();
}

export class Cell {
  /** The present value: a leaf that stores it, or will once the pending assignment ran. */
  leaf: Node<'data'>;
  /** The version that the last run wrote, and the one before. */
  #present: Value | null;
  #previous: Value | null = null;
  /** The variable whose cell this is. */
  handle: object | null = null;
  readonly #holdings: Holdings = new Set();

  constructor(
    readonly shape: Shape,
    readonly dtype: DType,
    public requiresGrad: boolean,
    readonly name: string,
    readonly isPrivate: boolean,
    initial: Value | Node,
  ) {
    forbidInTrace('Variable', 'Create it before the compiled function');
    this.#present = initial instanceof Value ? initial : null;
    this.leaf = initial instanceof Value ? this.#version(initial, null) : this.#version(null, initial);
    if (this.#present === null) pending.add(this);
    finalizer.register(this, this.#holdings, this);
  }

  get byteLength(): number {
    return sizeOf(this.shape) * byteWidth(this.dtype);
  }

  #version(stored: Value | null, definition: Node | null): Node<'data'> {
    const node = leaf(this.shape, this.dtype, this.requiresGrad);
    node.stored = stored;
    node.definition = definition;
    owners.set(node, this);
    return node;
  }

  /** Records an assignment; it happens at the next run, or at each call of a compiled function. */
  assign(value: Node): void {
    const trace = currentTrace();
    if (trace) trace.assign(this, value);
    else pending.add(this);
    this.leaf = this.#version(null, value);
  }

  /** From now on the value is a leaf that requires gradients, or not. */
  setRequiresGrad(requiresGrad: boolean): void {
    if (requiresGrad === this.requiresGrad) return;
    this.requiresGrad = requiresGrad;
    this.leaf = this.#version(this.leaf.stored as Value | null, this.leaf.definition);
  }

  /** The present version, on the backend; null before the first run. */
  present(backend: Backend): Value | null {
    const value = this.#present;
    if (value !== null) this.#own(value, value.holdingOn(backend));
    return value;
  }

  /** Takes memory over from the value that came with it. */
  #own(value: Value, holding: Holding): void {
    if (this.#holdings.has(holding)) return;
    const own = value.release()!;
    value.borrow(own);
    this.#holdings.add(own);
  }

  /** Where an eager run writes the next version, unless that memory is read by the run itself. */
  spare(backend: Backend, reads: ReadonlySet<unknown>): Holding {
    this.present(backend);
    const old = this.#previous;
    if (old !== null && old.backend === backend && !reads.has(old)) {
      old.stale = staleMessage(this.name);
      this.#previous = null;
      return old.release()!;
    }
    const holding = obtain(backend, this.byteLength, this);
    this.#holdings.add(holding);
    return holding;
  }

  /** A run wrote the pending version there, which is the spare, or the present one when written in place. */
  commit(holding: Holding): void {
    const before = this.#present;
    if (before !== null && before.holdingOn(holding.backend) === holding) {
      before.stale = staleMessage(this.name);
      before.release();
    } else {
      this.#previous = before;
    }
    this.#present = new Value(this.dtype, this.byteLength).borrow(holding);
    this.leaf.stored = this.#present;
    this.leaf.definition = null;
  }

  /** A compiled step wrote a new version over the present one. */
  advance(backend: Backend): void {
    const holding = this.#present!.holdingOn(backend);
    this.leaf = this.#version(null, null);
    this.commit(holding);
  }

  /** Starts anew from a value on another backend, or from the host. */
  reset(value: Value): void {
    pending.delete(this);
    if (this.#present !== null) this.#present.stale = staleMessage(this.name);
    giveBackAll(this.#holdings);
    this.#previous = null;
    this.#present = value;
    this.leaf = this.#version(value, null);
  }

  dispose(): void {
    pending.delete(this);
    this.#present?.dispose();
    this.#previous?.dispose();
    giveBackAll(this.#holdings);
  }
}

const staleMessage = (name: string): string =>
  `${name} was assigned since this value of it was taken, and its memory now holds a newer version. Keep a value beyond the next assignment with snapshot().`;

/** Cells with an assignment that has not run yet, in order of their first. */
const pending = new Set<Cell>();

export const pendingCells = (): ReadonlySet<Cell> => pending;
export const clearPending = (): void => pending.clear();

const owners = new WeakMap<Node, Cell>();

/** The cell that a leaf is a version of. */
export const cellOf = (node: Node): Cell | undefined => owners.get(node);
