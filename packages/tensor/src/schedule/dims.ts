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

/** The same, where null is an axis whose indices no dimensions describe. */
export type PartialCoords = readonly (readonly number[] | null)[];

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

  /**
   * The axes of `to` from those of `from`, two shapes of the same elements: trailing groups of axes with equal products are
   * regrouped one by one. Null for the axes of a group that has an unknown axis, or where one cuts through a dimension.
   */
  regroup(from: Shape, to: Shape, coords: PartialCoords): PartialCoords {
    const out = new Array<readonly number[] | null>(to.length);
    let i = from.length;
    let j = to.length;
    while (i > 0 || j > 0) {
      const [iEnd, jEnd] = [i, j];
      let p = i > 0 ? from[--i]! : 1;
      let q = j > 0 ? to[--j]! : 1;
      while (p !== q) {
        if (p < q) p *= from[--i]!;
        else q *= to[--j]!;
      }
      if (iEnd - i === 1 && jEnd - j === 1) out[j] = coords[i]!;
      else this.regroupRun(coords.slice(i, iEnd), to, j, jEnd, out);
    }
    return out;
  }

  private regroupRun(
    coords: PartialCoords,
    to: Shape,
    begin: number,
    end: number,
    out: (readonly number[] | null)[],
  ): void {
    const flat: number[] = [];
    for (let i = begin; i < end; i++) out[i] = null;
    for (const list of coords) {
      if (list === null) return;
      for (const d of this.resolve(list)) flat.push(d);
    }
    const lists: number[][] = [];
    let at = flat.length;
    for (let i = end - 1; i >= begin; i--) {
      const list: number[] = [];
      let need = to[i]!;
      while (need > 1) {
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
        } else return;
      }
      lists.push(list.reverse());
    }
    lists.reverse().forEach((list, k) => {
      out[begin + k] = list;
    });
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
 * The axes of a view's source from the view's own. Null for an axis along which the view picks, pads or slides, so that its
 * elements must be read from storage.
 */
export function coordsThrough(dims: Dims, node: GraphNode, source: Shape, coords: PartialCoords): PartialCoords {
  switch (node.op) {
    case 'reshape':
      return dims.regroup(node.shape, source, coords);
    case 'permute': {
      const from = new Array<readonly number[] | null>(coords.length);
      node.attrs.axes.forEach((axis, i) => {
        from[axis] = coords[i]!;
      });
      return from;
    }
    case 'expand':
      return coords.map((list, i) => (source[i] === 1 ? [] : list));
    case 'slice': {
      const { starts, steps } = node.attrs;
      return coords.map((list, i) => (starts[i] === 0 && steps[i] === 1 && source[i] === node.shape[i] ? list : null));
    }
    case 'pad':
      return coords.map((list, i) =>
        node.attrs.low[i] === 0 && node.attrs.interior[i] === 0 && source[i] === node.shape[i] ? list : null,
      );
    case 'windows': {
      const outer = source.length - node.attrs.size.length;
      return source.map((_, i) => (i < outer ? coords[i]! : null));
    }
    default:
      return source.map(() => null);
  }
}

/** The coords, if every axis is known. */
export const whole = (coords: PartialCoords): Coords | null => (coords.includes(null) ? null : (coords as Coords));
