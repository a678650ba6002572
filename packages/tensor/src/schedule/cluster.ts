/**
 * Decides which nodes share a kernel. A contraction, scatter, scan or sort begins a cluster of its own; elementwise nodes and
 * reductions join a cluster whose index space they share: the same elements, or the same rows up to reduced axes. A node
 * first joins the latest cluster that it needs, then the other clusters that it needs join too; in the end clusters that
 * read the same value over one space join. What is stored is decided afterwards.
 */
import type { Capabilities } from '../backend';
import { sizeOf } from '../shape';
import { formOf, mergesImages } from './contraction';
import { ClusterOrder } from './dag';
import { type Coords, coordsThrough, Dims, type PartialCoords, whole } from './dims';
import { classOf, type Graph, type GraphNode, isMovement, isReduce } from './graph';

/** A value from outside that a cluster reads: at which of its dimensions, or null where only storage will do. */
export interface Input {
  readonly base: number;
  readonly coords: Coords | null;
  /** What is known of the axes where not all are; null where an operation reads from storage in any case. */
  readonly partial: PartialCoords | null;
}

export interface Cluster {
  /** The node that its kernel begins with, or −1. */
  producer: number;
  /** The dimensions of the producer's result, outermost first as stored; none of the first may be reduced. */
  lead: readonly number[];
  members: number[];
  /** All dimensions that it iterates over. */
  dims: readonly number[];
  /** Those that are innermost and reduced; a value without them is one a row. */
  reduced: readonly number[];
  inputs: Input[];
  /** Whether instructions read the producer's result at other elements of the leading index than their own. */
  mixes: boolean;
  /** The order of `reduced` that an argmax counts positions in; null if there is none. */
  positions: readonly number[] | null;
}

/** Rows below this number keep a kernel from running on several threads. */
const fewRows = 8;
const manyElements = 16384;

export class Clustering {
  readonly dims = new Dims();
  readonly order = new ClusterOrder();
  readonly clusters: Cluster[] = [];
  /** For each node the cluster in which it began, or −1; `clusterOf` gives the present one. */
  readonly began: Int32Array;
  /** The dimensions of each computed node's axes. */
  readonly coords: (Coords | null)[];
  /** For a reduction, the dimensions of its source's axes. */
  readonly sourceCoords: (Coords | null)[];
  private readonly bases: Int32Array;
  readonly maxMembers: number;
  readonly maxInputs: number;

  constructor(
    readonly graph: Graph,
    capabilities: Capabilities,
  ) {
    this.began = new Int32Array(graph.nodes.length).fill(-1);
    this.bases = new Int32Array(graph.nodes.length).fill(-1);
    this.coords = graph.nodes.map(() => null);
    this.sourceCoords = graph.nodes.map(() => null);
    this.maxMembers = Math.min(256, capabilities.maxOperations);
    this.maxInputs = Math.max(2, capabilities.maxBindings - 2);
  }

  /** The cluster that computes a node, or −1. */
  clusterOf(node: number): number {
    const began = this.began[node]!;
    return began < 0 ? -1 : this.order.find(began);
  }

  /** The node that a chain of views shows, as far as a barrier. */
  base(node: number): number {
    let at = this.bases[node]!;
    if (at >= 0) return at;
    at = node;
    const { nodes } = this.graph;
    for (let view = nodes[at]!; isMovement(view) && view.op !== 'barrier'; view = nodes[at]!) at = view.sources[0]!;
    this.bases[node] = at;
    return at;
  }

  /** Follows views to the node that they show, as far as a barrier, with its axes; null where only storage will do. */
  arrive(node: number, coords: Coords | null): Input {
    if (coords === null) return { base: this.base(node), coords: null, partial: null };
    const { nodes } = this.graph;
    let view = nodes[node]!;
    let partial: PartialCoords = coords;
    while (isMovement(view) && view.op !== 'barrier') {
      node = view.sources[0]!;
      const source = nodes[node]!;
      partial = coordsThrough(this.dims, view, source.shape, partial);
      view = source;
    }
    const all = whole(partial);
    return { base: node, coords: all, partial: all === null ? partial : null };
  }
}

/** The clusters of a graph. */
export function cluster(graph: Graph, capabilities: Capabilities): Clustering {
  const state = new Clustering(graph, capabilities);
  graph.nodes.forEach((node, i) => {
    if (sizeOf(node.shape) === 0) return;
    switch (classOf[node.op]) {
      case 'producer':
        beginProducer(state, i, node);
        return;
      case 'concat':
        beginAssembly(state, i, node.sources);
        return;
      case 'movement':
        if (node.op === 'barrier') beginAssembly(state, i, node.sources);
        return;
      case 'elementwise':
      case 'reduce':
        if (!adopt(state, i, node)) begin(state, i, node);
        joinNeeded(state, i, node);
        return;
      default:
        return;
    }
  });
  return state;
}

function addCluster(state: Clustering, node: number, made: Cluster): void {
  const id = state.order.add();
  state.clusters.push(made);
  state.began[node] = id;
  for (const { base } of made.inputs) {
    const from = state.clusterOf(base);
    if (from >= 0) state.order.need(from, id);
  }
}

const storageOnly = (state: Clustering, sources: readonly number[]): Input[] => sources.map((s) => state.arrive(s, null));

/** What is no kernel but stands for values in storage: a concat, or what a barrier protects. */
function beginAssembly(state: Clustering, index: number, sources: readonly number[]): void {
  addCluster(state, index, { producer: index, lead: [], members: [], dims: [], reduced: [], inputs: storageOnly(state, sources), positions: null, mixes: false });
}

function beginProducer(state: Clustering, index: number, node: GraphNode): void {
  const coords = state.dims.ofShape(node.shape);
  const inputs = storageOnly(state, node.sources);
  let order = node.shape.map((_, i) => i);
  if (node.op === 'convolution' && mergesImages(node)) {
    const [lhs, rhs] = node.sources.map((s) => state.graph.nodes[s]!.shape);
    order = [...formOf(node, lhs!, rhs!, true).order];
  }
  const lead = order.flatMap((axis) => coords[axis]!);
  state.coords[index] = coords;
  addCluster(state, index, { producer: index, lead, members: [], dims: lead, reduced: [], inputs, positions: null, mixes: false });
}

/** A cluster of one node, with dimensions of its own. */
function begin(state: Clustering, index: number, node: GraphNode): void {
  const { nodes } = state.graph;
  const space = isReduce(node) ? nodes[node.sources[0]!]!.shape : node.shape;
  const coords = state.dims.ofShape(space);
  let reduced: number[] = [];
  if (isReduce(node)) {
    const { axes } = node.attrs;
    reduced = axes.flatMap((a) => coords[a]!);
    state.sourceCoords[index] = coords;
    state.coords[index] = coords.filter((_, i) => !axes.includes(i));
  } else state.coords[index] = coords;
  const inputs: Input[] = [];
  node.sources.forEach((s, i) => {
    const stored = node.op === 'gather' && i === 0;
    addInput(state, inputs, state.arrive(s, stored ? null : coords));
    addStarts(state, inputs, s);
  });
  addCluster(state, index, { producer: -1, lead: [], members: [index], dims: coords.flat(), reduced, inputs, positions: node.op === 'argmax' ? reduced : null, mixes: false });
}

/** Run-time starts of the views of a source are inputs too. */
function addStarts(state: Clustering, inputs: Input[], node: number): void {
  const { nodes } = state.graph;
  for (let view = nodes[node]!; isMovement(view) && view.op !== 'barrier'; view = nodes[view.sources[0]!]!) {
    for (let i = 1; i < view.sources.length; i++) addInput(state, inputs, state.arrive(view.sources[i]!, null));
  }
}

function addInput(state: Clustering, inputs: Input[], input: Input): void {
  if (classOf[state.graph.nodes[input.base]!.op] !== 'index') inputs.push(input);
}

/**
 * Adds an elementwise node to the latest cluster that it needs, where it reads a value of that cluster as it stands: the
 * common case, without dimensions of its own. False leaves the general case to `begin` and `joinNeeded`.
 */
function adopt(state: Clustering, index: number, node: GraphNode): boolean {
  if (isReduce(node) || node.op === 'gather' || node.op === 'random') return false;
  const latest = latestNeeded(state, node, none);
  if (latest < 0) return false;
  const target = state.clusters[latest]!;
  if (!isOpen(state, target) || target.members.length >= state.maxMembers || target.inputs.length + 3 > state.maxInputs) return false;
  let coords: Coords | null = null;
  for (const s of node.sources) {
    const own = state.clusterOf(s) === latest && isIterated(state, target, s) ? state.coords[s]! : null;
    if (own !== null && (coords === null || countDims(own) > countDims(coords))) coords = own;
  }
  if (coords === null) return false;
  const rows = target.reduced.length > 0 && countDims(state.dims.resolveAll(coords)) < state.dims.resolve(target.dims).length;
  if (target.reduced.length > 0 && !rows && isNarrow(state.dims, target)) return false;
  const inputs: Input[] = [];
  for (const s of node.sources) {
    const input = state.arrive(s, coords);
    if (state.clusterOf(input.base) === latest) {
      if (input.coords === null || !sameCoords(state.dims, input.coords, state.coords[input.base]!)) return false;
    } else addInput(state, inputs, input);
    if (isMovement(state.graph.nodes[s]!)) addStarts(state, inputs, s);
  }
  for (const input of inputs) {
    if (state.clusterOf(input.base) === latest) return false;
  }
  state.began[index] = latest;
  state.coords[index] = coords;
  target.members.push(index);
  addInputs(state, latest, target.inputs, inputs);
  return true;
}

/** Whether a cluster iterates over a value of its own element by element; its producer's result may be read otherwise. */
const isIterated = (state: Clustering, { producer, mixes, dims }: Cluster, node: number): boolean =>
  node !== producer || !mixes || state.coords[node]!.every((list) => state.dims.resolve(list).every((d) => state.dims.resolve(dims).includes(d)));

const none: readonly number[] = [];

/** Adds what is not there yet, and the need for its cluster. */
function addInputs(state: Clustering, cluster: number, list: Input[], added: readonly Input[]): void {
  for (const input of added) {
    if (list.some((i) => i.base === input.base && sameCoords(state.dims, i.coords, input.coords))) continue;
    list.push(input);
    const from = state.clusterOf(input.base);
    if (from >= 0) state.order.need(from, cluster);
  }
}

/** The latest cluster that a node's sources are in, other than its own and those tried; −1 if there is none. */
function latestNeeded(state: Clustering, node: GraphNode, tried: readonly number[], own = -1): number {
  let latest = -1;
  for (const s of node.sources) {
    const c = state.clusterOf(state.base(s));
    if (c < 0 || c === own || tried.includes(c)) continue;
    if (latest < 0 || state.order.orderOf(c) > state.order.orderOf(latest)) latest = c;
  }
  return latest;
}

/** Joins the cluster of a new node with those that it needs, the latest first. */
function joinNeeded(state: Clustering, index: number, node: GraphNode): void {
  let tried: number[] | null = null;
  for (;;) {
    const own = state.clusterOf(index);
    const latest = latestNeeded(state, node, tried ?? none, own);
    if (latest < 0) return;
    (tried ??= []).push(latest);
    joinWith(state, latest, own);
  }
}

/** Joins cluster b with a, which b needs, if some relation of their dimensions fits. */
function joinWith(state: Clustering, a: number, b: number): boolean {
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

const countDims = (coords: Coords): number => coords.reduce((n, list) => n + list.length, 0);

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
  if (relation === null || !keepsLead(state, from, to, relation.reduced) || !keepsPositions(state, from, to)) return false;
  if (!agreesWith(state, a, to, byRows) || !fitsBindings(state, a, b)) return false;
  const mixes = from.mixes || to.mixes || to.inputs.some((i) => i.base === from.producer && (i.coords === null || byRows));
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
  if (b.reduced.length > 0) return sameSet(bRest, b.reduced) ? { dims: [...a.dims, ...b.reduced], reduced: b.reduced } : null;
  const trailing = bRest.every((d, i) => d === b.dims[b.dims.length - bRest.length + i]);
  if (!trailing || rowsOf(dims, a.dims, []) < fewRows) return null;
  return { dims: [...a.dims, ...bRest], reduced: bRest };
}

const rowsOf = (dims: Dims, all: readonly number[], reduced: readonly number[]): number =>
  all.reduce((n, d) => (reduced.includes(d) ? n : n * dims.size(d)), 1);

/** Whether elementwise work at element level had better not join: its rows are too few to share out. */
const isNarrow = (dims: Dims, { dims: all, reduced }: Cluster): boolean =>
  rowsOf(dims, all, reduced) < fewRows && rowsOf(dims, all, []) > manyElements;

function pairUp(dims: Dims, [a, b]: readonly [readonly number[], readonly number[]]): boolean {
  for (let i = 0; i < a.length; i++) if (!dims.pair(a[i]!, b[i]!)) return false;
  return true;
}

const sameSet = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((d) => b.includes(d));

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

export function sameCoords(dims: Dims, a: Coords | null, b: Coords | null): boolean {
  if (a === b) return true;
  if (a === null || b === null) return false;
  for (let i = 0; i < a.length; i++) {
    const x = dims.resolve(a[i]!);
    const y = dims.resolve(b[i]!);
    if (x.length !== y.length) return false;
    for (let j = 0; j < x.length; j++) if (x[j] !== y[j]) return false;
  }
  return true;
}
