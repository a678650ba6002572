/**
 * After nodes have joined the clusters that they need: clusters that read one value over one space become one kernel, so do
 * the copies that fill one concat, and a node that only one later cluster uses moves there, if that stores no more than
 * before. So what a backward pass needs of the forward pass is computed where it is used, from what is stored anyway.
 */
import { byteWidth } from '../dtype';
import { sizeOf } from '../shape';
import { isOpen, merge } from './cluster-merge';
import type { Clustering, Input } from './cluster-state';
import type { Coords } from './dims';
import { classOf, type GraphNode } from './graph';

/** How many earlier readers of a value a cluster is tried with. */
const tries = 4;

export function joinReaders(state: Clustering): void {
  const readers = new Map<number, { cluster: number; coords: Coords }[]>();
  for (let c = 0; c < state.clusters.length; c++) {
    if (state.order.find(c) !== c) continue;
    for (const { base, coords } of state.clusters[c]!.inputs) {
      if (coords === null || coords.length === 0) continue;
      const list = readers.get(base);
      if (list === undefined) readers.set(base, [{ cluster: c, coords }]);
      else list.push({ cluster: c, coords });
    }
  }
  for (const list of readers.values()) if (list.length > 1) joinList(state, list);
  joinCopies(state);
}

function joinList(state: Clustering, list: { cluster: number; coords: Coords }[]): void {
  for (let i = 1; i < list.length; i++) {
    for (let j = i - 1; j >= Math.max(0, i - tries); j--) {
      const a = state.order.find(list[i]!.cluster);
      const b = state.order.find(list[j]!.cluster);
      if (a === b) break;
      if (!coversAll(state, a, list[i]!.coords) || !coversAll(state, b, list[j]!.coords)) continue;
      const [first, last] = state.order.orderOf(a) < state.order.orderOf(b) ? [i, j] : [j, i];
      const from = state.order.find(list[first]!.cluster);
      const to = state.order.find(list[last]!.cluster);
      if (merge(state, from, to, list[first]!.coords, list[last]!.coords)) break;
    }
  }
}

const dimCount = (state: Clustering, coords: Coords): number =>
  coords.reduce((n, list) => n + state.dims.resolve(list).length, 0);

const coversAll = (state: Clustering, cluster: number, coords: Coords): boolean =>
  dimCount(state, coords) === state.dims.resolve(state.clusters[cluster]!.dims).length;

/** Joins neighbouring pieces of a concat that are copies of what lies elsewhere. */
function joinCopies(state: Clustering): void {
  const { nodes } = state.graph;
  const isCopy = (m: number): boolean => nodes[m]!.op === 'copy';
  for (const node of nodes) {
    if (node.op !== 'concat') continue;
    for (let i = 1; i < node.sources.length; i++) {
      const [x, y] = [node.sources[i - 1]!, node.sources[i]!];
      const [a, b] = [state.clusterOf(x), state.clusterOf(y)];
      if (a < 0 || b < 0 || a === b) continue;
      const pure = [a, b].every((c) => state.clusters[c]!.producer < 0 && state.clusters[c]!.members.every(isCopy));
      const step = nodes[x]!.shape[node.attrs.axis] === nodes[y]!.shape[node.attrs.axis];
      if (!pure || !step) continue;
      const [first, last] = state.order.orderOf(a) < state.order.orderOf(b) ? [x, y] : [y, x];
      merge(state, state.clusterOf(first), state.clusterOf(last), state.coords[first]!, state.coords[last]!);
    }
  }
}

/** Moves nodes to the one later cluster that uses them. */
export function sink(state: Clustering): void {
  const { nodes } = state.graph;
  const users = usersOf(state);
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    if (state.began[i]! < 0 || classOf[node.op] !== 'elementwise' || node.op === 'gather' || node.op === 'random')
      continue;
    if (users.raw[i] === 1) continue;
    const to = soleUser(state, users, i);
    if (to >= 0) moveTo(state, users, i, node, to);
  }
}

interface Users {
  /** 1 for a node that must be stored in any case. */
  readonly raw: Uint8Array;
  /** Nodes that use each computed node, through views. */
  readonly of: readonly (readonly number[])[];
}

function usersOf(state: Clustering): Users {
  const { nodes, outputs } = state.graph;
  const raw = new Uint8Array(nodes.length);
  const of: number[][] = nodes.map(() => []);
  nodes.forEach((node, i) => {
    if (state.began[i]! < 0) return;
    const kind = classOf[node.op];
    const stores = kind !== 'elementwise' && kind !== 'reduce';
    node.sources.forEach((s, k) => {
      const base = state.base(s);
      if (stores || (node.op === 'gather' && k === 0)) raw[base] = 1;
      of[base]!.push(i);
    });
  });
  for (const { node } of outputs) raw[node] = 1;
  // A run-time start is no use that the views show.
  nodes.forEach((node) => {
    if (node.op === 'slice' || node.op === 'pad') for (const s of node.sources.slice(1)) raw[state.base(s)] = 1;
  });
  return { raw, of };
}

/** The cluster that holds all users of a node and is not its own, or −1. */
function soleUser(state: Clustering, users: Users, node: number): number {
  const own = state.clusterOf(node);
  let found = -1;
  for (const u of users.of[node]!) {
    const c = state.clusterOf(u);
    if (c === own || (found >= 0 && c !== found)) return -1;
    found = c;
  }
  return found;
}

function moveTo(state: Clustering, users: Users, index: number, node: GraphNode, to: number): void {
  const target = state.clusters[to]!;
  if (!isOpen(state, target) || target.members.length >= state.maxMembers) return;
  const entries = target.inputs.filter((i) => i.base === index);
  const coords = entries[0]?.coords;
  if (entries.length !== 1 || coords == null || !isLevel(state, to, coords)) return;
  if (!savesStores(state, users, index, node)) return;
  const inputs: Input[] = target.inputs.filter((i) => i.base !== index);
  for (const s of node.sources) {
    const input = state.arrive(s, coords);
    if (input.coords === null && state.clusterOf(input.base) === to) return;
    if (classOf[state.graph.nodes[input.base]!.op] !== 'index' && state.clusterOf(input.base) !== to)
      inputs.push(input);
  }
  if (inputs.length > state.maxInputs) return;
  state.began[index] = to;
  state.coords[index] = coords;
  target.inputs = inputs;
  target.members.push(index);
}

/** Whether the dimensions are those of an element or of a row. */
function isLevel(state: Clustering, cluster: number, coords: Coords): boolean {
  const { dims } = state;
  const { dims: all, reduced } = state.clusters[cluster]!;
  const own = new Set(coords.flatMap((list) => [...dims.resolve(list)]));
  const rest = dims.resolve(all).filter((d) => !own.has(d));
  return (
    rest.length === 0 ||
    (reduced.length > 0 &&
      rest.length === dims.resolve(reduced).length &&
      rest.every((d) => dims.resolve(reduced).includes(d)))
  );
}

/** Whether computing a node elsewhere stores no more bytes than storing it. */
function savesStores(state: Clustering, users: Users, index: number, node: GraphNode): boolean {
  const own = state.clusterOf(index);
  const bytesOf = ({ shape, dtype }: GraphNode): number => sizeOf(shape) * byteWidth(dtype);
  let added = 0;
  const seen: number[] = [];
  for (const s of node.sources) {
    const base = state.base(s);
    if (state.clusterOf(base) !== own || users.raw[base] === 1 || seen.includes(base)) continue;
    seen.push(base);
    const crosses = users.of[base]!.some((u) => u !== index && state.clusterOf(u) !== own);
    if (!crosses) added += bytesOf(state.graph.nodes[base]!);
  }
  return added <= bytesOf(node);
}
