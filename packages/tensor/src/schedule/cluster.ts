/**
 * Decides which nodes share a kernel. A contraction, scatter, scan or sort begins a cluster of its own; elementwise nodes and
 * reductions join a cluster whose index space they share: the same elements, or the same rows up to reduced axes. A node
 * first joins the latest cluster that it needs, then the other clusters that it needs join too; in the end clusters that
 * read the same value over one space join. What is stored is decided afterwards.
 */
import type { Capabilities } from '../backend';
import { sizeOf } from '../shape';
import { isIterated, isNarrow, isOpen, joinWith } from './cluster-merge';
import { type Cluster, Clustering, countDims, type Input, sameCoords } from './cluster-state';
import { formOf, mergesImages } from './contraction';
import type { Coords } from './dims';
import { classOf, type Graph, type GraphNode, isMovement, isReduce } from './graph';

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

const storageOnly = (state: Clustering, sources: readonly number[]): Input[] =>
  sources.map((s) => state.arrive(s, null));

/** What is no kernel but stands for values in storage: a concat, or what a barrier protects. */
function beginAssembly(state: Clustering, index: number, sources: readonly number[]): void {
  addCluster(state, index, {
    producer: index,
    lead: [],
    members: [],
    dims: [],
    reduced: [],
    inputs: storageOnly(state, sources),
    positions: null,
    mixes: false,
  });
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
  addCluster(state, index, {
    producer: index,
    lead,
    members: [],
    dims: lead,
    reduced: [],
    inputs,
    positions: null,
    mixes: false,
  });
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
  addCluster(state, index, {
    producer: -1,
    lead: [],
    members: [index],
    dims: coords.flat(),
    reduced,
    inputs,
    positions: node.op === 'argmax' ? reduced : null,
    mixes: false,
  });
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
  if (!isOpen(state, target) || target.members.length >= state.maxMembers || target.inputs.length + 3 > state.maxInputs)
    return false;
  let coords: Coords | null = null;
  for (const s of node.sources) {
    const own = state.clusterOf(s) === latest && isIterated(state, target, s) ? state.coords[s]! : null;
    if (own !== null && (coords === null || countDims(own) > countDims(coords))) coords = own;
  }
  if (coords === null) return false;
  const rows =
    target.reduced.length > 0 && countDims(state.dims.resolveAll(coords)) < state.dims.resolve(target.dims).length;
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
