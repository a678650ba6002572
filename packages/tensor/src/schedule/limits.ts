/**
 * Keeps every kernel within the bindings that the backend allows. What a cluster reads is limited while it grows; what it has
 * to store is only known afterwards. A cluster with too many of both is cut in two, earlier members and later ones, and
 * what is stored is decided anew; the cut cannot make a cycle, for nothing outside lies between its halves.
 */
import type { Capabilities } from '../backend';
import type { Clustering } from './cluster-state';
import { classOf } from './graph';
import { chooseStored, type Storing } from './store';

/** What is stored, once no cluster needs more bindings than there are. */
export function chooseWithinLimits(state: Clustering, { maxBindings }: Capabilities): Storing {
  for (;;) {
    const storing = chooseStored(state);
    const crowded = findCrowded(state, storing, maxBindings);
    let cut = false;
    for (const members of crowded) if (members.length > 1) cut = cutInTwo(state, members) || cut;
    if (!cut) return storing;
  }
}

/** The live members of each cluster that has too many bindings, its producer included. */
function findCrowded(state: Clustering, { stored, live, reads }: Storing, maxBindings: number): number[][] {
  const members = new Map<number, number[]>();
  const writes = new Int32Array(state.clusters.length);
  state.graph.nodes.forEach((node, i) => {
    const kind = classOf[node.op];
    if (live[i] === 0 || kind === 'concat' || kind === 'movement') return;
    const c = state.clusterOf(i);
    const list = members.get(c);
    if (list === undefined) members.set(c, [i]);
    else list.push(i);
    // A producer writes somewhere even if nobody asks for its result.
    if (stored[i] === 1 || kind === 'producer') writes[c]!++;
  });
  const crowded: number[][] = [];
  for (const [c, list] of members) {
    if (writes[c]! + reads[c]!.length <= maxBindings) continue;
    if (writes[c]! + new Set(reads[c]).size > maxBindings) crowded.push(list);
  }
  return crowded;
}

/**
 * Gives the later half of a cluster's members a cluster of their own. Members that other clusters compute again go with their
 * half as well: once more is stored they may have to be computed here after all, and must not need the other half then.
 */
function cutInTwo(state: Clustering, members: readonly number[]): boolean {
  const isProducer = (m: number): boolean => classOf[state.graph.nodes[m]!.op] === 'producer';
  const free = members.filter((m) => !isProducer(m));
  const first = free[free.length === members.length ? Math.ceil(free.length / 2) : Math.floor(free.length / 2)];
  if (first === undefined) return false;
  const own = state.clusterOf(first);
  const from = state.clusters[own]!;
  const later = from.members.filter((m) => m >= first && state.clusterOf(m) === own && !isProducer(m));
  const id = state.order.add();
  state.clusters.push({ ...from, producer: -1, lead: [], members: later, mixes: false });
  for (const m of later) state.began[m] = id;
  return true;
}
