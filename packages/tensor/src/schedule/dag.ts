/**
 * The order of clusters while they merge: a list in which each cluster stands behind those that it needs. Two clusters may
 * become one if no path leads from the first through others to the last; such a path would run through ancestors of
 * the last that stand behind the first, so only those are searched, and moved before the first if there is none (as in
 * Pearce & Kelly 2006, "A dynamic topological sort algorithm for directed acyclic graphs", with half of their search).
 * The search gives up after a fixed number of clusters: that forbids a merge, and keeps the pass linear.
 */

/** How many clusters one search may visit. */
const searchLimit = 128;

export class ClusterOrder {
  private readonly parent: number[] = [];
  /** Clusters that each one needs; may name one that merged, or one twice. */
  private readonly before: number[][] = [];
  /** The list, and labels that rise along it. */
  private readonly next: number[] = [];
  private readonly previous: number[] = [];
  private readonly label: number[] = [];
  private last = -1;
  private readonly stamp: number[] = [];
  private round = 0;

  /** A new cluster, behind all others. */
  add(): number {
    const id = this.parent.length;
    this.parent.push(id);
    this.before.push([]);
    this.stamp.push(0);
    this.label.push(id);
    this.next.push(-1);
    this.previous.push(this.last);
    if (this.last >= 0) {
      this.next[this.last] = id;
      this.label[id] = this.label[this.last]! + 1;
    }
    this.last = id;
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

  /** Rises along the list. */
  orderOf(id: number): number {
    return this.label[id]!;
  }

  /** Says that `to` needs `from`, which stands before it. */
  need(from: number, to: number): void {
    const list = this.before[to]!;
    if (list.at(-1) !== from) list.push(from);
  }

  /**
   * Makes two clusters one, unless a path through others joins them.
   *
   * @returns the cluster that stands for both, or −1
   */
  merge(a: number, b: number): number {
    const [first, last] = this.label[a]! < this.label[b]! ? [a, b] : [b, a];
    const between = this.ancestorsBehind(last, first);
    if (between === null) return -1;
    between.sort((x, y) => this.label[x]! - this.label[y]!);
    for (const x of between) this.moveBefore(x, first);
    this.unlink(last);
    return this.unite(first, last);
  }

  /** The ancestors of a cluster that stand behind `first`; null if one of them needs `first`, or if there are too many. */
  private ancestorsBehind(cluster: number, first: number): number[] | null {
    const round = ++this.round;
    const limit = this.label[first]!;
    const found: number[] = [];
    this.stamp[cluster] = round;
    for (let i = -1; i < found.length; i++) {
      for (const edge of this.before[i < 0 ? cluster : found[i]!]!) {
        const x = this.find(edge);
        if (x === first && i >= 0) return null;
        if (this.stamp[x] === round || this.label[x]! <= limit) continue;
        this.stamp[x] = round;
        if (found.length >= searchLimit) return null;
        found.push(x);
      }
    }
    return found;
  }

  private unite(first: number, last: number): number {
    const [kept, gone] = this.before[first]!.length >= this.before[last]!.length ? [first, last] : [last, first];
    this.parent[gone] = kept;
    for (const x of this.before[gone]!) this.need(x, kept);
    this.before[gone] = [];
    // The one that stays takes the place of the first.
    if (kept === last) {
      this.linkBefore(last, first);
      this.unlink(first);
    }
    return kept;
  }

  private moveBefore(id: number, other: number): void {
    this.unlink(id);
    this.linkBefore(id, other);
  }

  private unlink(id: number): void {
    const [p, n] = [this.previous[id]!, this.next[id]!];
    if (p >= 0) this.next[p] = n;
    if (n >= 0) this.previous[n] = p;
    else if (this.last === id) this.last = p;
  }

  private linkBefore(id: number, other: number): void {
    const p = this.previous[other]!;
    this.previous[id] = p;
    this.next[id] = other;
    this.previous[other] = id;
    if (p >= 0) this.next[p] = id;
    const low = p < 0 ? this.label[other]! - 2 : this.label[p]!;
    const middle = (low + this.label[other]!) / 2;
    this.label[id] = middle;
    if (middle <= low || middle >= this.label[other]!) this.relabel();
  }

  /** New labels when two neighbours have none between them. */
  private relabel(): void {
    let at = this.last;
    let count = 0;
    for (; this.previous[at]! >= 0; at = this.previous[at]!) count++;
    for (let i = 0; at >= 0 && i <= count; at = this.next[at]!, i++) this.label[at] = i;
  }
}
