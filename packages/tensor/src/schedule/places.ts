/**
 * Gives every stored value its place. Bound storages are row-major. A piece of a concat lies within the whole; a value that
 * is also copied out, under whatever reshape or permutation, lies where its copy does; a convolution that merges its
 * images stores its result channels first. Offsets in the arena come later, when the order of steps is known.
 */
import type { Slot } from '../kernel';
import { sizeOf, stridesOf } from '../shape';
import type { Clustering } from './cluster-state';
import { formOf, mergesImages } from './contraction';
import type { Coords } from './dims';
import { classOf, type GraphNode, isMovement } from './graph';
import type { Place } from './kernel-builder';
import type { Storing } from './store';

/** An output that overwrites a leaf. */
export interface Update {
  /** The node whose value it is. */
  readonly node: number;
  readonly leaf: number;
}

/** Slots and places before any step exists. */
export interface Placing {
  readonly slots: Slot[];
  readonly places: (Place | null)[];
  /** How many storages a run binds. */
  readonly bound: number;
  readonly updates: readonly Update[];
}

export function place(state: Clustering, { stored, live }: Pick<Storing, 'stored' | 'live'>): Placing {
  const { nodes, outputs } = state.graph;
  const slots: Slot[] = [];
  const places: (Place | null)[] = nodes.map(() => null);
  const slotFor = (node: number, kind: Slot['kind']): number => {
    const { shape, dtype } = nodes[node]!;
    return slots.push({ kind, index: kind === 'bound' ? slots.length : -1, offset: 0, dtype, size: sizeOf(shape) }) - 1;
  };
  nodes.forEach((node, i) => {
    if (node.op === 'data') places[i] = dense(node, slotFor(i, 'bound'));
  });
  for (const { node, into } of outputs) if (into === null) places[node] = dense(nodes[node]!, slotFor(node, 'bound'));
  const bound = slots.length;
  const updates: Update[] = [];
  for (const { node, into } of outputs) {
    if (into === null || sizeOf(nodes[node]!.shape) === 0) continue;
    places[node] = dense(nodes[node]!, slotFor(node, 'arena'));
    updates.push({ node, leaf: into });
  }
  placeConcats(state, { stored, live }, places, slotFor);
  placeCopied(state, stored, live, places);
  for (let i = 0; i < nodes.length; i++) {
    if (stored[i] === 0 || places[i] !== null || isMovement(nodes[i]!)) continue;
    places[i] = ownPlace(state, nodes[i]!, slotFor(i, 'arena'));
  }
  return { slots, places, bound, updates };
}

const dense = (node: GraphNode, slot: number): Place => ({ slot, offset: 0, strides: stridesOf(node.shape) });

/** The strides of a node's axes when they are stored in the given order. */
export function stridesInOrder(shape: readonly number[], order: readonly number[]): number[] {
  const sorted = stridesOf(order.map((axis) => shape[axis]!));
  const strides = new Array<number>(shape.length);
  order.forEach((axis, i) => {
    strides[axis] = sorted[i]!;
  });
  return strides;
}

/** A place of the node's own; outputs never reach this, so that a convolution may choose its order. */
export function ownPlace(state: Clustering, node: GraphNode, slot: number): Place {
  if (node.op !== 'convolution' || !mergesImages(node)) return dense(node, slot);
  const [lhs, rhs] = node.sources.map((s) => state.graph.nodes[s]!.shape);
  return { slot, offset: 0, strides: stridesInOrder(node.shape, formOf(node, lhs!, rhs!, true).order) };
}

/** A whole before its pieces: one that is itself a piece of another stands before it in the graph, and lies within it. */
function placeConcats(
  state: Clustering,
  { stored, live }: Pick<Storing, 'stored' | 'live'>,
  places: (Place | null)[],
  slotFor: (node: number, kind: Slot['kind']) => number,
): void {
  const { nodes } = state.graph;
  const copies = new Map<number, number[]>();
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    if (node.op === 'copy' && live[i] === 1) {
      const base = state.base(node.sources[0]!);
      if (nodes[base]!.op === 'concat' && !showsPadding(state, node))
        copies.set(base, [...(copies.get(base) ?? []), i]);
    }
    if (node.op !== 'concat' || stored[i] === 0) continue;
    const whole = (places[i] ??= placeWithin(state, places, copies.get(i) ?? []) ?? dense(node, slotFor(i, 'arena')));
    const step = whole.strides[node.attrs.axis]!;
    let at = 0;
    for (const s of node.sources) {
      places[s] = { slot: whole.slot, offset: whole.offset + at * step, strides: whole.strides };
      at += nodes[s]!.shape[node.attrs.axis]!;
    }
  }
}

/** The place of a concat that is copied to a known place, or null. */
function placeWithin(state: Clustering, places: readonly (Place | null)[], copies: readonly number[]): Place | null {
  for (const c of copies) {
    const at = places[c];
    const { coords } = state.arrive(state.graph.nodes[c]!.sources[0]!, state.coords[c]!);
    const found = at == null || coords === null ? null : placeThrough(state, coords, c, at);
    if (found !== null) return found;
  }
  return null;
}

/** Lets a stored value lie where a copy of it in the same kernel is written anyway. */
function placeCopied(state: Clustering, stored: Uint8Array, live: Uint8Array, places: (Place | null)[]): void {
  const { nodes } = state.graph;
  nodes.forEach((node, i) => {
    if (node.op !== 'copy' || live[i] === 0 || places[i] === null || showsPadding(state, node)) return;
    const base = state.base(node.sources[0]!);
    if (stored[base] === 0 || places[base] !== null || state.clusterOf(base) !== state.clusterOf(i)) return;
    const found = placeThrough(state, state.coords[base]!, i, places[i]!);
    const isOwn = classOf[nodes[base]!.op] !== 'producer' || (found !== null && isWhole(state, nodes[base]!, found));
    if (found !== null && isOwn) places[base] = found;
  });
}

/** Whether there may be padding among what a copy shows. Where the padding is of a broadcast value, the dimensions do not tell. */
function showsPadding({ graph: { nodes } }: Clustering, copy: GraphNode): boolean {
  for (let view = nodes[copy.sources[0]!]!; isMovement(view) && view.op !== 'barrier'; ) {
    if (view.op === 'pad' || view.op === 'windows') return true;
    view = nodes[view.sources[0]!]!;
  }
  return false;
}

/**
 * The place of a value whose copy, under a regrouping of its dimensions, is at `at`.
 *
 * @param coords - the value's axes in dimensions of the copy's cluster
 */
export function placeThrough(state: Clustering, coords: Coords, copy: number, at: Place): Place | null {
  const { dims } = state;
  const strideOf = new Map<number, number>();
  state.coords[copy]!.forEach((list, axis) => {
    let step = at.strides[axis]!;
    for (const d of [...dims.resolve(list)].reverse()) {
      strideOf.set(d, step);
      step *= dims.size(d);
    }
  });
  let count = 0;
  const strides: number[] = [];
  for (const list of coords) {
    const all = dims.resolve(list);
    count += all.length;
    const last = all.length === 0 ? 0 : strideOf.get(all.at(-1)!);
    if (last === undefined) return null;
    let step = last;
    for (const d of [...all].reverse()) {
      if (strideOf.get(d) !== step) return null;
      step *= dims.size(d);
    }
    strides.push(last);
  }
  return count === strideOf.size ? { slot: at.slot, offset: at.offset, strides } : null;
}

/** Whether a place is just the storage that a producer writes. */
export function isWhole(state: Clustering, node: GraphNode, found: Place): boolean {
  const own = ownPlace(state, node, found.slot);
  return found.offset === 0 && own.strides.every((s, i) => node.shape[i] === 1 || s === found.strides[i]);
}
