/**
 * Decides which values are stored, and which are computed again where they are used. Stored is what the run is asked for, what
 * only storage can give (operands of a contraction, scatter, scan or sort; the source of a gather; run-time starts; what a
 * barrier protects) and what one cluster computes and another uses. Of the last kind, a value that is at most two cheap
 * operations away from stored ones is computed again instead; never a contraction or a reduction.
 */
import type { Clustering } from './cluster-state';
import { classOf, type GraphNode, type GraphOp, isMovement } from './graph';

/** What `chooseStored` decides. */
export interface Storing {
  /** 1 for a node whose value has storage of its own. */
  readonly stored: Uint8Array;
  /** 1 for a node that its own cluster computes. */
  readonly live: Uint8Array;
  /** For each cluster the nodes that it reads from storage. */
  readonly reads: readonly (readonly number[])[];
}

const mostOperations = 2;

const cheapOps: ReadonlySet<GraphOp> = new Set<GraphOp>([
  'neg',
  'abs',
  'sign',
  'floor',
  'ceil',
  'round',
  'not',
  'cast',
  'bitcast',
  'add',
  'mul',
  'max',
  'min',
  'eq',
  'lt',
  'and',
  'or',
  'xor',
  'shl',
  'shr',
  'where',
  'copy',
]);

/** The stored values of a clustered graph. */
export function chooseStored(state: Clustering): Storing {
  const { crossing, raw } = findUses(state);
  const again = chooseAgain(state, crossing, raw);
  return walkNeeded(state, again);
}

/** Whether an operation reads its source `k` from storage, whatever the clusters are. */
function readsStorage(node: GraphNode, k: number): boolean {
  const kind = classOf[node.op];
  return kind === 'producer' || kind === 'concat' || node.op === 'barrier' || (node.op === 'gather' && k === 0);
}

const none: readonly number[] = [];

/** Sources of views other than what they show: run-time starts. */
function startSources(state: Clustering, source: number): readonly number[] {
  const { nodes } = state.graph;
  if (!isMovement(nodes[source]!)) return none;
  const bases: number[] = [];
  for (let view = nodes[source]!; isMovement(view) && view.op !== 'barrier'; view = nodes[view.sources[0]!]!) {
    for (let i = 1; i < view.sources.length; i++) bases.push(state.base(view.sources[i]!));
  }
  return bases;
}

function findUses(state: Clustering): { crossing: Uint8Array; raw: Uint8Array } {
  const { nodes } = state.graph;
  const crossing = new Uint8Array(nodes.length);
  const raw = new Uint8Array(nodes.length);
  nodes.forEach((node, i) => {
    if (state.began[i]! < 0) return;
    const own = state.clusterOf(i);
    node.sources.forEach((s, k) => {
      const base = state.base(s);
      if (readsStorage(node, k)) raw[base] = 1;
      if (state.clusterOf(base) !== own) crossing[base] = 1;
      for (const start of startSources(state, s)) raw[start] = 1;
    });
  });
  for (const { node } of state.graph.outputs) raw[node] = 1;
  return { crossing, raw };
}

/** 1 for each value that is computed again by other clusters that use it. */
function chooseAgain(state: Clustering, crossing: Uint8Array, raw: Uint8Array): Uint8Array {
  const { nodes } = state.graph;
  const again = new Uint8Array(nodes.length);
  /** Operations from stored values. */
  const cost = new Uint8Array(nodes.length);
  nodes.forEach((node, i) => {
    if (state.began[i]! < 0) return;
    const kind = classOf[node.op];
    if (kind !== 'elementwise' && kind !== 'reduce') return;
    if (raw[i] === 1) return;
    const far = mostOperations + 1;
    let total = cheapOps.has(node.op) ? 1 : far;
    // A run-time start would be one more thing that each user reads.
    for (const s of node.sources) total += startSources(state, s).length > 0 ? far : cost[state.base(s)]!;
    if (total <= mostOperations) {
      // One that does not cross may still be needed by one that does.
      again[i] = 1;
      cost[i] = total;
    } else if (crossing[i] === 0) cost[i] = far;
  });
  return again;
}

/** Walks from what is asked for to what that needs, each node in the cluster where it is used. */
function walkNeeded(state: Clustering, again: Uint8Array): Storing {
  const { nodes, outputs } = state.graph;
  const stored = new Uint8Array(nodes.length);
  const live = new Uint8Array(nodes.length);
  const reads: number[][] = state.clusters.map(() => []);
  const pending: number[] = [];
  const compute = (node: number): void => {
    if (live[node] === 1) return;
    live[node] = 1;
    pending.push(node);
  };
  const readBy = (cluster: number, base: number): void => {
    if (state.began[base]! >= 0) {
      stored[base] = 1;
      compute(base);
    }
    reads[cluster]!.push(base);
    // What stands behind a barrier is read too.
    for (let b = base; nodes[b]!.op === 'barrier'; ) reads[cluster]!.push((b = state.base(nodes[b]!.sources[0]!)));
  };
  /** A source used at element or row level in a cluster. */
  const use = (cluster: number, source: number): void => {
    const uses = [source];
    while (uses.length > 0) {
      const s = uses.pop()!;
      for (const start of startSources(state, s)) readBy(cluster, start);
      const base = state.base(s);
      if (classOf[nodes[base]!.op] === 'index') continue;
      if (state.clusterOf(base) === cluster) compute(base);
      else if (again[base] === 1) uses.push(...nodes[base]!.sources);
      else readBy(cluster, base);
    }
  };
  for (const { node } of outputs) {
    if (state.began[node]! < 0) continue;
    stored[node] = 1;
    compute(node);
  }
  while (pending.length > 0) {
    const i = pending.pop()!;
    const node = nodes[i]!;
    const cluster = state.clusterOf(i);
    node.sources.forEach((s, k) => {
      if (!readsStorage(node, k)) return use(cluster, s);
      for (const start of startSources(state, s)) readBy(cluster, start);
      const base = state.base(s);
      if (classOf[nodes[base]!.op] !== 'index') readBy(cluster, base);
    });
  }
  return { stored, live, reads };
}
