/**
 * The dimensions that clusters iterate over. A node that joins a cluster says of each of its axes which dimensions it is
 * made of, outermost first: an axis that a reshape merged is made of several, an axis of size 1 of none. So "the same
 * elements" is equality of lists, and movement is regrouping of lists, without any index arithmetic. Dimensions of two
 * clusters become one when the clusters join, and are split when a reshape cuts through them.
 */
import type { Shape } from '../shape';
import type { GraphNode } from './graph';

/** For each axis the dimensions that it is made of. */
export type Coords = readonly (readonly number[])[];

export class Dims {
  private readonly sizes: number[] = [];
  private readonly parent: number[] = [];
  /** The two dimensions that one was split into, as (outer, inner = outer + 1); −1 for none. */
  private readonly outer: number[] = [];
  /** Scratch of `match`: for a dimension of one side that of the other. */
  private readonly partner: number[] = [];
  private readonly stamp: number[] = [];
  private round = 0;
  /** Counts splits, so that lists can be kept while none happened. */
  splits = 0;

  fresh(size: number): number {
    const d = this.sizes.length;
    this.sizes.push(size);
    this.parent.push(d);
    this.outer.push(-1);
    this.partner.push(-1);
    this.stamp.push(0);
    return d;
  }

  /** New dimensions for the axes of a shape. */
  ofShape(shape: Shape): number[][] {
    return shape.map((n) => (n === 1 ? [] : [this.fresh(n)]));
  }

  size(d: number): number {
    return this.sizes[d]!;
  }

  find(d: number): number {
    const { parent } = this;
    while (parent[d] !== d) {
      parent[d] = parent[parent[d]!]!;
      d = parent[d]!;
    }
    return d;
  }

  /** Whether a list names whole, present dimensions as it stands. */
  private isCurrent(list: readonly number[]): boolean {
    for (const d of list) if (this.parent[d] !== d || this.outer[d]! >= 0) return false;
    return true;
  }

  /** The list with joined and split dimensions replaced by what they are now. */
  resolve(list: readonly number[]): readonly number[] {
    if (this.isCurrent(list)) return list;
    const out: number[] = [];
    const stack: number[] = [];
    for (const first of list) {
      stack.push(first);
      while (stack.length > 0) {
        const d = this.find(stack.pop()!);
        const outer = this.outer[d]!;
        if (outer < 0) out.push(d);
        else stack.push(outer + 1, outer);
      }
    }
    return out;
  }

  resolveAll(coords: Coords): Coords {
    return coords.every((list) => this.isCurrent(list)) ? coords : coords.map((list) => this.resolve(list));
  }

  /** Splits a dimension into an outer one and an inner one of size `inner`. */
  private split(d: number, inner: number): number {
    const outer = this.fresh(this.sizes[d]! / inner);
    this.fresh(inner);
    this.outer[d] = outer;
    this.splits++;
    return outer;
  }

  /**
   * Cuts both lists at the same places, so that dimension i of one has the size of dimension i of the other.
   *
   * @returns the two lists, or null where their sizes do not nest
   */
  align(a: readonly number[], b: readonly number[]): readonly [readonly number[], readonly number[]] | null {
    let x = this.resolve(a);
    let y = this.resolve(b);
    if (x.length === 1 && y.length === 1) return this.sizes[x[0]!] === this.sizes[y[0]!] ? [x, y] : null;
    const left = [...x].reverse();
    const right = [...y].reverse();
    for (let i = 0; i < left.length || i < right.length; i++) {
      if (i >= left.length || i >= right.length) return null;
      const m = this.sizes[left[i]!]!;
      const n = this.sizes[right[i]!]!;
      if (m === n) continue;
      const [big, list, inner] = m > n ? [left[i]!, left, n] : [right[i]!, right, m];
      if (this.sizes[big]! % inner !== 0) return null;
      const outer = this.split(big, inner);
      list.splice(i, 1, outer + 1, outer);
    }
    x = this.resolve(a);
    y = this.resolve(b);
    return x.length === y.length ? [x, y] : null;
  }

  /** The axes of `to` from those of `from`, two shapes of the same elements; null where an axis cuts through a dimension. */
  regroup(from: Shape, to: Shape, coords: Coords): Coords | null {
    const flat: number[] = [];
    for (const list of coords) for (const d of this.resolve(list)) flat.push(d);
    const out = new Array<number[]>(to.length);
    let at = flat.length;
    for (let i = to.length - 1; i >= 0; i--) {
      const list: number[] = [];
      let need = to[i]!;
      while (need > 1) {
        if (at === 0) return null;
        const d = flat[at - 1]!;
        const size = this.sizes[d]!;
        if (need % size === 0) {
          at--;
          list.push(d);
          need /= size;
        } else if (size % need === 0) {
          const outer = this.split(d, need);
          flat[at - 1] = outer;
          list.push(outer + 1);
          need = 1;
        } else return null;
      }
      out[i] = list.reverse();
    }
    return from.length >= 0 && at === 0 ? out : null;
  }

  /** Starts a correspondence between dimensions of two clusters. */
  beginMatch(): void {
    this.round++;
  }

  /** Lets b correspond to a; false if either already corresponds to another. */
  pair(a: number, b: number): boolean {
    const { partner, stamp, round } = this;
    const aKnown = stamp[a] === round;
    const bKnown = stamp[b] === round;
    if (aKnown || bKnown) return aKnown && bKnown && partner[a] === b;
    partner[a] = b;
    partner[b] = a;
    stamp[a] = round;
    stamp[b] = round;
    return true;
  }

  /** The dimension that corresponds to d, or −1. */
  partnerOf(d: number): number {
    return this.stamp[d] === this.round ? this.partner[d]! : -1;
  }

  /** Makes b the same dimension as a. */
  join(a: number, b: number): void {
    this.parent[this.find(b)] = this.find(a);
  }
}

/**
 * The axes of a view's source from the view's own; null where the view picks, pads or repeats elements other than along
 * whole axes, so that the source must be read from storage.
 */
export function coordsThrough(dims: Dims, node: GraphNode, source: Shape, coords: Coords): Coords | null {
  switch (node.op) {
    case 'reshape':
      return dims.regroup(node.shape, source, coords);
    case 'permute': {
      const from = new Array<readonly number[]>(coords.length);
      node.attrs.axes.forEach((axis, i) => {
        from[axis] = coords[i]!;
      });
      return from;
    }
    case 'expand':
      return coords.map((list, i) => (source[i] === 1 ? [] : list));
    default:
      return null;
  }
}
