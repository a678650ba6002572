/**
 * Decides when two clusters may become one kernel: when iterating over both as one space computes every value at the element at
 * which it is used, with one set of reduced dimensions, no path through others between them, and the limits kept. The
 * dimensions of some value that both know tell how the two spaces correspond.
 */
import { type Cluster, type Clustering, countDims, type Input, sameCoords } from './cluster-state';
import type { Coords, Dims } from './dims';

/** Rows below this number keep a kernel from running on several threads. */
const fewRows = 8;
const manyElements = 16384;

/** Whether a cluster iterates over a value of its own element by element; its producer's result may be read otherwise. */
export const isIterated = (state: Clustering, { producer, mixes, dims }: Cluster, node: number): boolean =>
  node !== producer ||
  !mixes ||
  state.coords[node]!.every((list) => state.dims.resolve(list).every((d) => state.dims.resolve(dims).includes(d)));

/** Joins cluster b with a, which b needs, if some relation of their dimensions fits. */
export function joinWith(state: Clustering, a: number, b: number): boolean {
  const { clusters } = state;
  const to = clusters[b]!;
  let best: Input | null = null;
  for (const input of to.inputs) {
    if (state.clusterOf(input.base) !== a) continue;
    if (input.coords === null) {
      if (!readsRows(clusters[a]!, input)) return false;
      continue;
    }
    if (best === null || countDims(input.coords) > countDims(best.coords!)) best = input;
  }
  if (best === null) return mergeByRows(state, a, b);
  const all = state.dims.resolve(to.dims).length;
  if (countDims(state.dims.resolveAll(best.coords!)) < all && joinByShared(state, a, b, all)) return true;
  if (!isIterated(state, clusters[a]!, best.base)) return mergeByRows(state, a, b);
  return merge(state, a, b, state.coords[best.base]!, best.coords!);
}

/** Joins by the dimensions of a value that both read. */
function joinByShared(state: Clustering, a: number, b: number, all: number): boolean {
  const { clusters, dims } = state;
  for (const mine of clusters[b]!.inputs) {
    if (mine.coords === null || countDims(dims.resolveAll(mine.coords)) < all) continue;
    const other = clusters[a]!.inputs.find((i) => i.base === mine.base && i.coords !== null);
    if (other !== undefined && merge(state, a, b, other.coords!, mine.coords)) return true;
  }
  return false;
}

/** What the dimensions of two clusters become if they are one. */
interface Relation {
  readonly dims: readonly number[];
  readonly reduced: readonly number[];
}

/**
 * Makes two clusters one, if iterating over both as one space computes every value where it is used.
 *
 * @param aCoords - dimensions in a of some value
 * @param bCoords - dimensions in b of the same value
 */
export function merge(state: Clustering, a: number, b: number, aCoords: Coords, bCoords: Coords): boolean {
  const from = state.clusters[a]!;
  const to = state.clusters[b]!;
  return canTry(state, from, to) && finish(state, a, b, relate(state, from, to, aCoords, bCoords));
}

function canTry(state: Clustering, from: Cluster, to: Cluster): boolean {
  if (!isOpen(state, from) || !isOpen(state, to) || (from.producer >= 0 && to.producer >= 0)) return false;
  return from.members.length + to.members.length <= state.maxMembers;
}

function finish(state: Clustering, a: number, b: number, relation: Relation | null, byRows = false): boolean {
  const from = state.clusters[a]!;
  const to = state.clusters[b]!;
  if (relation === null || !keepsLead(state, from, to, relation.reduced) || !keepsPositions(state, from, to))
    return false;
  if (!agreesWith(state, a, to, byRows) || !fitsBindings(state, a, b)) return false;
  const mixes =
    from.mixes || to.mixes || to.inputs.some((i) => i.base === from.producer && (i.coords === null || byRows));
  const kept = state.order.merge(a, b);
  if (kept < 0) return false;
  commit(state, from, to, relation, kept);
  state.clusters[kept]!.mixes = mixes;
  return true;
}

/** Whether an input is a producer's result, seen through views that leave the leading index alone as far as is known. */
const readsRows = (from: Cluster, input: Input): boolean => input.partial !== null && input.base === from.producer;

/** The leading axis of a producer's result: the first in storage that is longer than 1. */
function leadAxis(state: Clustering, { producer, lead }: Cluster): number {
  const first = lead[0];
  return first === undefined ? -1 : state.coords[producer]!.findIndex((list) => list.includes(first));
}

/**
 * Lets instructions over another space follow a producer, if each reads only what was produced at its own leading index: so the
 * gates of a recurrent cell, which are slices of one product, are computed where the product is.
 */
function mergeByRows(state: Clustering, a: number, b: number): boolean {
  const from = state.clusters[a]!;
  const to = state.clusters[b]!;
  if (from.producer < 0 || !canTry(state, from, to)) return false;
  const axis = leadAxis(state, from);
  if (axis < 0) return false;
  const lead = state.coords[from.producer]![axis]!;
  const { dims } = state;
  dims.beginMatch();
  for (const { base, partial, coords } of to.inputs) {
    if (state.clusterOf(base) !== a) continue;
    const list = base === from.producer ? (coords ?? partial)?.[axis] : null;
    const pairs = list == null ? null : dims.align(lead, list);
    if (pairs === null || !pairUp(dims, pairs)) return false;
  }
  to.dims = dims.resolve(to.dims);
  to.reduced = dims.resolve(to.reduced);
  if (from.members.length === 0) return finish(state, a, b, { dims: to.dims, reduced: to.reduced }, true);
  if (from.reduced.length > 0 || to.reduced.length > 0) return false;
  const pairs = dims.align(from.dims, to.dims);
  if (pairs === null || !pairUp(dims, pairs)) return false;
  from.dims = dims.resolve(from.dims);
  to.dims = dims.resolve(to.dims);
  return finish(state, a, b, { dims: from.dims, reduced: [] }, true);
}

/** Pairs the dimensions of the value, and decides what is a row and what is reduced; null if the spaces do not fit. */
function relate(state: Clustering, a: Cluster, b: Cluster, aCoords: Coords, bCoords: Coords): Relation | null {
  const { dims } = state;
  dims.beginMatch();
  for (let i = 0; i < aCoords.length; i++) {
    const pairs = dims.align(aCoords[i]!, bCoords[i]!);
    if (pairs === null || !pairUp(dims, pairs)) return null;
  }
  a.dims = dims.resolve(a.dims);
  b.dims = dims.resolve(b.dims);
  a.reduced = dims.resolve(a.reduced);
  b.reduced = dims.resolve(b.reduced);
  const unpaired = (list: readonly number[]): number[] => list.filter((d) => dims.partnerOf(d) < 0);
  const aRest = unpaired(a.dims);
  const bRest = unpaired(b.dims);
  if (aRest.length === 0) return relateWhole(dims, a, b, bRest);
  // The value is one a row of a.
  if (a.reduced.length === 0 || !sameSet(aRest, a.reduced)) return null;
  if (bRest.length === 0) return b.reduced.length === 0 ? { dims: a.dims, reduced: a.reduced } : null;
  if (b.reduced.length > 0 && !sameSet(bRest, b.reduced)) return null;
  const rest = b.reduced.length > 0 ? b.reduced : bRest;
  if (b.reduced.length === 0 && isNarrow(dims, a)) return null;
  const pairs = dims.align(a.reduced, rest);
  if (pairs === null || !pairUp(dims, pairs)) return null;
  a.dims = dims.resolve(a.dims);
  b.dims = dims.resolve(b.dims);
  return { dims: a.dims, reduced: dims.resolve(a.reduced) };
}

/** The value has all dimensions of a. */
function relateWhole(dims: Dims, a: Cluster, b: Cluster, bRest: readonly number[]): Relation | null {
  const partners = (list: readonly number[]): number[] => list.map((d) => dims.partnerOf(d));
  if (bRest.length === 0) {
    if (a.reduced.length === 0) return { dims: a.dims, reduced: partners(b.reduced) };
    if (b.reduced.length === 0) return isNarrow(dims, a) ? null : { dims: a.dims, reduced: a.reduced };
    return sameSet(partners(b.reduced), a.reduced) ? { dims: a.dims, reduced: a.reduced } : null;
  }
  // All of a is one a row of b.
  if (a.reduced.length > 0 || a.producer >= 0) return null;
  if (b.reduced.length > 0)
    return sameSet(bRest, b.reduced) ? { dims: [...a.dims, ...b.reduced], reduced: b.reduced } : null;
  const trailing = bRest.every((d, i) => d === b.dims[b.dims.length - bRest.length + i]);
  if (!trailing || rowsOf(dims, a.dims, []) < fewRows) return null;
  return { dims: [...a.dims, ...bRest], reduced: bRest };
}

const rowsOf = (dims: Dims, all: readonly number[], reduced: readonly number[]): number =>
  all.reduce((n, d) => (reduced.includes(d) ? n : n * dims.size(d)), 1);

/** Whether elementwise work at element level had better not join: its rows are too few to share out. */
export const isNarrow = (dims: Dims, { dims: all, reduced }: Cluster): boolean =>
  rowsOf(dims, all, reduced) < fewRows && rowsOf(dims, all, []) > manyElements;

function pairUp(dims: Dims, [a, b]: readonly [readonly number[], readonly number[]]): boolean {
  for (let i = 0; i < a.length; i++) if (!dims.pair(a[i]!, b[i]!)) return false;
  return true;
}

const sameSet = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((d) => b.includes(d));

/** Whether instructions may follow what begins the cluster. */
export function isOpen({ graph }: Clustering, { producer }: Cluster): boolean {
  if (producer < 0) return true;
  const { op } = graph.nodes[producer]!;
  return op === 'dot' || op === 'convolution';
}

/** Whether argmaxes of both count positions alike. */
function keepsPositions({ dims }: Clustering, a: Cluster, b: Cluster): boolean {
  if (a.positions === null || b.positions === null) return true;
  const x = dims.resolve(a.positions);
  const y = dims.resolve(b.positions);
  return x.length === y.length && x.every((d, i) => dims.partnerOf(y[i]!) === d);
}

/** Whether the axis along which a producer's kernel is split stays a row. */
function keepsLead(state: Clustering, a: Cluster, b: Cluster, reduced: readonly number[]): boolean {
  const { lead } = a.producer >= 0 ? a : b;
  const first = state.dims.resolve(lead)[0];
  if (first === undefined) return true;
  const partner = state.dims.partnerOf(first);
  return !reduced.includes(first) && (partner < 0 || !reduced.includes(partner));
}

/** Whether b reads every value of a at the element at which a computes it. */
function agreesWith(state: Clustering, a: number, b: Cluster, byRows: boolean): boolean {
  const { dims } = state;
  const from = state.clusters[a]!;
  for (const input of b.inputs) {
    if (state.clusterOf(input.base) !== a) continue;
    const made = state.coords[input.base]!;
    const { coords, partial } = input;
    if (coords === null && !readsRows(from, input)) return false;
    const rowsOnly = coords === null || (byRows && input.base === from.producer);
    const lead = rowsOnly ? leadAxis(state, from) : -1;
    for (let axis = 0; axis < made.length; axis++) {
      if (rowsOnly && axis !== lead) continue;
      const list = (coords ?? partial!)[axis]!;
      if (list === null || !corresponds(dims, made[axis]!, list)) return false;
    }
  }
  return true;
}

/** Whether each dimension of one list is the partner of that of the other. */
function corresponds(dims: Dims, a: readonly number[], b: readonly number[]): boolean {
  const x = dims.resolve(a);
  const y = dims.resolve(b);
  return x.length === y.length && x.every((d, i) => dims.partnerOf(y[i]!) === d);
}

function fitsBindings(state: Clustering, a: number, b: number): boolean {
  const from = state.clusters[a]!.inputs;
  const to = state.clusters[b]!.inputs;
  if (from.length + to.length <= state.maxInputs) return true;
  const bases = new Set<number>();
  for (const list of [from, to]) {
    for (const { base } of list) {
      const c = state.clusterOf(base);
      if (c !== a && c !== b) bases.add(base);
    }
  }
  return bases.size <= state.maxInputs;
}

function commit(state: Clustering, a: Cluster, b: Cluster, relation: Relation, kept: number): void {
  const { dims } = state;
  for (const d of b.dims) {
    const partner = dims.partnerOf(d);
    if (partner >= 0) dims.join(partner, d);
  }
  // What the first reads stays outside; of what the second reads, the first computes some.
  const { inputs } = a;
  for (const input of b.inputs) {
    if (state.clusterOf(input.base) === kept && input.coords !== null) continue;
    if (!inputs.some((i) => i.base === input.base && sameCoords(dims, i.coords, input.coords))) inputs.push(input);
  }
  const [more, less] = a.members.length >= b.members.length ? [a.members, b.members] : [b.members, a.members];
  for (const m of less) more.push(m);
  const target = state.clusters[kept]!;
  target.lead = a.producer >= 0 ? a.lead : b.lead;
  target.producer = Math.max(a.producer, b.producer);
  target.members = more;
  target.dims = dims.resolve(relation.dims);
  target.reduced = dims.resolve(relation.reduced);
  target.inputs = inputs;
  target.positions = a.positions ?? b.positions;
}
