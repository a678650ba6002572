/**
 * What the clustering passes share: the clusters so far, which nodes each holds, and at which of its dimensions each node is
 * computed. `cluster.ts` says how nodes come together, `cluster-merge.ts` when two clusters may become one.
 */
import type { Capabilities } from '../backend';
import { ClusterOrder } from './dag';
import { type Coords, coordsThrough, Dims, type PartialCoords, whole } from './dims';
import { type Graph, isMovement } from './graph';

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

/** The state of clustering a graph. */
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

/** Whether two lists of axes name the same dimensions. */
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

/** How many dimensions the axes are made of. */
export const countDims = (coords: Coords): number => coords.reduce((n, list) => n + list.length, 0);
