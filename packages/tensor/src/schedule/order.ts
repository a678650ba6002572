/**
 * Decides the order of kernels: as recorded, each moved to its first need; a kernel that nothing else needs (an update, an
 * output) as soon as it can run. A kernel that overwrites a leaf waits for all others that read the leaf; where that is
 * impossible, because a reader needs the new value or two leaves change places, the update goes through a temporary.
 */
import type { Clustering } from './cluster-state';
import { classOf } from './graph';
import type { Update } from './places';
import type { Storing } from './store';

export interface Ordering {
  /** Clusters with a kernel, in order. */
  readonly sequence: readonly number[];
  /** Updates that must not write to their leaf before all kernels ran. */
  readonly late: ReadonlySet<number>;
}

/** The dependencies among the clusters that have a kernel or stand for storage. */
interface Needs {
  readonly before: readonly (readonly number[])[];
  readonly after: readonly (readonly number[])[];
  readonly alive: Uint8Array;
}

export function orderKernels(state: Clustering, storing: Storing, updates: readonly Update[]): Ordering {
  const needs = findNeeds(state, storing);
  const rank = rankByNeed(state, storing, needs);
  const { waits, waiting } = findWaits(state, storing, updates);
  return sequence(state, needs, rank, waits, waiting);
}

function findNeeds(state: Clustering, { live, reads }: Storing): Needs {
  const count = state.clusters.length;
  const alive = new Uint8Array(count);
  state.graph.nodes.forEach((_, i) => {
    if (live[i] === 1) alive[state.clusterOf(i)] = 1;
  });
  const before: number[][] = Array.from({ length: count }, () => []);
  const after: number[][] = Array.from({ length: count }, () => []);
  const seen = new Int32Array(count).fill(-1);
  for (let c = 0; c < count; c++) {
    if (alive[c] === 0) continue;
    for (const base of reads[c]!) addNeed(c, base);
  }
  // Reads of clusters that merged since are under their present number: `walkNeeded` asks for it.
  function addNeed(c: number, base: number): void {
    const from = state.clusterOf(base);
    if (from < 0 || from === c || seen[from] === c) return;
    seen[from] = c;
    before[c]!.push(from);
    after[from]!.push(c);
  }
  deepestFirst(before, after, alive);
  return { before, after, alive };
}

/**
 * Sorts what each cluster needs by how long a chain stands behind it, longest first. So the way back of a network comes
 * before what is computed again for it: a checkpoint's inside is computed where it is used, and not all of them at once.
 */
function deepestFirst(before: readonly number[][], after: readonly number[][], alive: Uint8Array): void {
  const depth = new Int32Array(alive.length);
  const missing = Int32Array.from(before, (b) => b.length);
  const queue: number[] = [];
  for (let c = 0; c < alive.length; c++) if (alive[c] === 1 && missing[c] === 0) queue.push(c);
  for (let i = 0; i < queue.length; i++) {
    const c = queue[i]!;
    for (const a of after[c]!) {
      depth[a] = Math.max(depth[a]!, depth[c]! + 1);
      if (--missing[a]! === 0) queue.push(a);
    }
  }
  for (const needs of before) if (needs.length > 1) needs.sort((a, b) => depth[b]! - depth[a]!);
}

/** Numbers clusters by a walk from the outputs, in recorded order, that takes each need first. */
function rankByNeed(state: Clustering, { live }: Storing, { before, after, alive }: Needs): Int32Array {
  const count = state.clusters.length;
  const rank = new Int32Array(count).fill(-1);
  const missing = Int32Array.from(before, (b) => b.length);
  let next = 0;
  const stack: number[] = [];
  const settle = (c: number): void => {
    rank[c] = next++;
    for (const a of after[c]!) if (--missing[a]! === 0 && after[a]!.length === 0 && rank[a] === -1) settle(a);
  };
  const visit = (root: number): void => {
    stack.push(root);
    while (stack.length > 0) {
      const c = stack.at(-1)!;
      const need = rank[c]! >= 0 ? undefined : before[c]!.find((b) => rank[b] === -1);
      if (need !== undefined) {
        if (stack.length === count) throw new Error('internal: kernels need each other.');
        stack.push(need);
        continue;
      }
      stack.pop();
      if (rank[c] === -1) settle(c);
    }
  };
  const roots = state.graph.outputs
    .map((o) => o.node)
    .filter((n) => live[n] === 1)
    .sort((a, b) => a - b);
  for (const node of roots) visit(state.clusterOf(node));
  for (let c = 0; c < count; c++) if (alive[c] === 1 && rank[c] === -1) visit(c);
  return rank;
}

interface Waits {
  /** For each cluster the clusters that must wait until it has read a leaf. */
  readonly waits: ReadonlyMap<number, readonly number[]>;
  /** For each cluster that overwrites leaves, how many readers it waits for, and which leaves it updates. */
  readonly waiting: Map<number, { count: number; readonly nodes: number[] }>;
}

function findWaits(state: Clustering, { reads }: Storing, updates: readonly Update[]): Waits {
  const waits = new Map<number, number[]>();
  const waiting = new Map<number, { count: number; readonly nodes: number[] }>();
  if (updates.length === 0) return { waits, waiting };
  const readers = new Map<number, Set<number>>(updates.map((u) => [u.leaf, new Set()]));
  reads.forEach((bases, c) => {
    for (const base of bases) readers.get(base)?.add(c);
  });
  for (const { node, leaf } of updates) {
    if (state.graph.nodes[node]!.op === 'concat') continue;
    const own = state.clusterOf(node);
    let wait = waiting.get(own);
    if (wait === undefined) waiting.set(own, (wait = { count: 0, nodes: [] }));
    wait.nodes.push(node);
    for (const reader of readers.get(leaf)!) {
      if (reader === own) continue;
      wait.count++;
      const list = waits.get(reader);
      if (list === undefined) waits.set(reader, [own]);
      else list.push(own);
    }
  }
  return { waits, waiting };
}

/** Always the first cluster by rank that has all it needs; if only waiting ones are left, the first stops waiting. */
function sequence(
  state: Clustering,
  needs: Needs,
  rank: Int32Array,
  waits: Waits['waits'],
  waiting: Waits['waiting'],
): Ordering {
  const { before, after, alive } = needs;
  const missing = Int32Array.from(before, (b) => b.length);
  const out: number[] = [];
  const late = new Set<number>();
  const done = new Uint8Array(alive.length);
  const ready = new Heap(rank);
  const held = new Heap(rank);
  const offer = (c: number): void => {
    if (missing[c] === 0) ((waiting.get(c)?.count ?? 0) > 0 ? held : ready).push(c);
  };
  for (let c = 0; c < alive.length; c++) if (alive[c] === 1) offer(c);
  for (;;) {
    let c = ready.pop();
    if (c === undefined) {
      c = held.pop();
      if (c === undefined) break;
      if (done[c] === 1) continue;
      const wait = waiting.get(c)!;
      if (wait.count > 0) for (const node of wait.nodes) late.add(node);
    }
    if (done[c] === 1) continue;
    done[c] = 1;
    if (hasKernel(state, c)) out.push(c);
    for (const a of after[c]!) {
      missing[a]!--;
      offer(a);
    }
    for (const w of waits.get(c) ?? []) {
      const wait = waiting.get(w)!;
      if (--wait.count === 0 && done[w] === 0 && missing[w] === 0) ready.push(w);
    }
  }
  return { sequence: out, late };
}

function hasKernel(state: Clustering, c: number): boolean {
  const { producer } = state.clusters[c]!;
  if (producer < 0) return true;
  const kind = classOf[state.graph.nodes[producer]!.op];
  return kind === 'producer';
}

/** A binary heap of clusters by rank. */
class Heap {
  private readonly items: number[] = [];

  constructor(private readonly rank: Int32Array) {}

  push(item: number): void {
    const { items, rank } = this;
    let i = items.push(item) - 1;
    while (i > 0) {
      const up = (i - 1) >> 1;
      if (rank[items[up]!]! <= rank[item]!) break;
      items[i] = items[up]!;
      i = up;
    }
    items[i] = item;
  }

  pop(): number | undefined {
    const { items, rank } = this;
    const first = items[0];
    const last = items.pop();
    if (items.length === 0 || last === undefined) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && rank[items[child + 1]!]! < rank[items[child]!]!) child++;
      if (rank[items[child]!]! >= rank[last]!) break;
      items[i] = items[child]!;
      i = child;
    }
    items[i] = last;
    return first;
  }
}
