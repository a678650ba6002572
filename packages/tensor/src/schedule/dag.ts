/**
 * The order of clusters while they merge. Each cluster has an order number that is larger than those of the clusters it needs
 * (Pearce & Kelly 2006, "A dynamic topological sort algorithm for directed acyclic graphs"). Two clusters may become one if
 * no path leaves one and returns to the other; a search between their order numbers finds out. The search gives up
 * after a fixed number of clusters, which forbids a merge that might have been possible and keeps the pass linear.
 */

/** How many clusters one search may visit. */
const searchLimit = 256;

export class ClusterOrder {
  private readonly order: number[] = [];
  private readonly parent: number[] = [];
  readonly before: number[][] = [];
  readonly after: number[][] = [];
  private readonly stamp: number[] = [];
  private round = 0;

  /** A new cluster, behind all others. */
  add(): number {
    const id = this.parent.length;
    this.parent.push(id);
    this.order.push(id);
    this.before.push([]);
    this.after.push([]);
    this.stamp.push(0);
    return id;
  }

  find(id: number): number {
    const { parent } = this;
    while (parent[id] !== id) {
      parent[id] = parent[parent[id]!]!;
      id = parent[id]!;
    }
    return id;
  }

  orderOf(id: number): number {
    return this.order[id]!;
  }

  /** Says that `to` needs `from`, which stands before it. */
  need(from: number, to: number): void {
    this.after[from]!.push(to);
    this.before[to]!.push(from);
  }

  /**
   * Makes two clusters one, unless a path through others joins them.
   *
   * @returns the cluster that stands for both, or −1
   */
  merge(a: number, b: number): number {
    const [first, last] = this.order[a]! < this.order[b]! ? [a, b] : [b, a];
    const forward = this.reachable(first, last, this.after, (o) => o < this.order[last]!);
    if (forward === null) return -1;
    for (const x of forward) for (const y of this.after[x]!) if (this.find(y) === last) return -1;
    const backward = this.reachable(last, first, this.before, (o) => o > this.order[first]!);
    if (backward === null) return -1;
    const byOrder = (x: number, y: number): number => this.order[x]! - this.order[y]!;
    const places = [first, last, ...forward, ...backward].map((x) => this.order[x]!).sort((x, y) => x - y);
    const kept = this.unite(first, last);
    let next = 0;
    for (const x of backward.sort(byOrder)) this.order[x] = places[next++]!;
    this.order[kept] = places[next]!;
    next += 2;
    for (const x of forward.sort(byOrder)) this.order[x] = places[next++]!;
    return kept;
  }

  private unite(a: number, b: number): number {
    const degree = (x: number): number => this.before[x]!.length + this.after[x]!.length;
    const [kept, gone] = degree(a) >= degree(b) ? [a, b] : [b, a];
    this.parent[gone] = kept;
    for (const lists of [this.before, this.after]) {
      for (const x of lists[gone]!) lists[kept]!.push(x);
      lists[gone] = [];
    }
    return kept;
  }

  /** Clusters reachable from `start`, without itself and `except`, whose order number passes; null beyond the limit. */
  private reachable(start: number, except: number, edges: readonly (readonly number[])[], passes: (order: number) => boolean): number[] | null {
    const round = ++this.round;
    const found: number[] = [];
    this.stamp[start] = round;
    this.stamp[except] = round;
    const stack = [start];
    while (stack.length > 0) {
      for (const edge of edges[stack.pop()!]!) {
        const x = this.find(edge);
        if (this.stamp[x] === round) continue;
        this.stamp[x] = round;
        if (!passes(this.order[x]!)) continue;
        if (found.length >= searchLimit) return null;
        found.push(x);
        stack.push(x);
      }
    }
    return found;
  }
}
