/**
 * Grows a valid program one node at a time. Moves (`moves.ts`) choose what to add; this file keeps the nodes, the leaves'
 * elements and the run's numbers, and offers the pieces that moves are made of.
 */
import {
  type BinaryOp,
  type DType,
  isFloat,
  type Op,
  type OpAttributes,
  type Program,
  type ProgramNode,
  type ProgramOutput,
  type Shape,
  sameShape,
  sizeOf,
  type UnaryOp,
} from '@dl/tensor';

/** A program with everything that a run of it needs. */
export interface ProgramCase {
  readonly program: Program;
  /** Elements of the `data` nodes, in order. */
  readonly leaves: readonly (readonly number[])[];
  readonly scalars: readonly number[];
}

/** No value of a random program has more elements. */
export const maxSize = 3000;

/** Draws whole numbers from a fixed list, so that shrinking the list shrinks the program. */
export class Draws {
  private next = 0;

  constructor(private readonly numbers: readonly number[]) {}

  /** A number from 0 to `end` − 1; 0 once the list is used up. */
  below(end: number): number {
    const drawn = this.numbers[this.next++] ?? 0;
    return end > 0 ? drawn % end : 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** The first of a list every other time, else any: chains grow long, and little is left unused. */
  pickRecent<T>(list: readonly T[]): T {
    return this.oneIn(2) ? this.pick(list) : list[0]!;
  }

  /** True in one of `n`, never when the draws are all 0. */
  oneIn(n: number): boolean {
    return this.below(n) === n - 1;
  }

  /** Some of the axes of a rank, rising. */
  axes(rank: number): number[] {
    const bits = this.below(2 ** rank);
    return Array.from({ length: rank }, (_, axis) => axis).filter((axis) => (bits >> axis) & 1);
  }
}

const isStructural = (value: number): boolean => value === 0 || value === 1 || value === -1;

/** What is recorded on f16 itself. */
const moved: ReadonlySet<Op> = new Set<Op>([
  'data',
  'reshape',
  'permute',
  'expand',
  'slice',
  'pad',
  'concat',
  'gather',
  'barrier',
]);

/** A program under construction. */
export class Builder {
  readonly nodes: ProgramNode[] = [];
  private readonly leafData = new Map<number, readonly number[]>();
  private readonly scalars: number[] = [];
  /** Leaves that are overwritten at the end, with the nodes of their new values. */
  readonly assigned = new Map<number, number>();

  node(index: number): ProgramNode {
    return this.nodes[index]!;
  }

  shape(index: number): Shape {
    return this.node(index).shape;
  }

  dtype(index: number): DType {
    return this.node(index).dtype;
  }

  /** Adds a node whose attributes hold no arguments; as `addWithArgs`. */
  add<O extends Op>(op: O, sources: readonly number[], attrs: OpAttributes[O], shape: Shape, dtype: DType): number {
    return this.addWithArgs(op, sources, attrs, shape, dtype, []);
  }

  /** Adds a node; arithmetic on f16 as it is recorded: casts to f32, the operation, and a cast back. */
  addWithArgs<O extends Op>(
    op: O,
    sources: readonly number[],
    attrs: OpAttributes[O],
    shape: Shape,
    dtype: DType,
    args: readonly number[],
  ): number {
    const meetsHalf = dtype === 'f16' || sources.some((s) => this.dtype(s) === 'f16');
    if (!meetsHalf || moved.has(op)) return this.push(op, sources, attrs, shape, dtype, args);
    const wide = sources.map((s) => (op === 'cast' || this.dtype(s) === 'f16' ? this.castNode(s, 'f32') : s));
    if (op === 'cast') return this.castNode(wide[0]!, dtype);
    const result = this.push(op, wide, attrs, shape, dtype === 'f16' ? 'f32' : dtype, args);
    return this.castNode(result, dtype);
  }

  private push<O extends Op>(
    op: O,
    sources: readonly number[],
    attrs: OpAttributes[O],
    shape: Shape,
    dtype: DType,
    args: readonly number[],
  ): number {
    return this.nodes.push({ op, sources, attrs, shape, dtype, args } as ProgramNode) - 1;
  }

  private castNode(x: number, dtype: DType): number {
    return this.dtype(x) === dtype ? x : this.push('cast', [x], { dtype }, this.shape(x), dtype, []);
  }

  /** The argument for a number of the attributes: its place in the scalars, or −1 if it belongs to the structure. */
  argument(value: number): number {
    return isStructural(value) ? -1 : this.scalars.push(value) - 1;
  }

  /** The argument for a number that is never structure. */
  alwaysArgument(value: number): number {
    return this.scalars.push(value) - 1;
  }

  leaf(shape: Shape, dtype: DType, data: readonly number[]): number {
    const index = this.add('data', [], {}, shape, dtype);
    this.leafData.set(index, data);
    return index;
  }

  /** A leaf of small numbers that follow from `seed`; `limit` keeps them from 0 to limit − 1, as indices. */
  smallLeaf(shape: Shape, dtype: DType, seed: number, limit?: number): number {
    const data = Array.from({ length: sizeOf(shape) }, (_, i) => {
      const bits = Math.imul(i * 2 + seed * 31 + 1, 0x9e3779b1) >>> 8;
      if (limit !== undefined) return bits % limit;
      if (dtype === 'bool') return bits % 2;
      if (dtype === 'u8' || dtype === 'u32') return bits % 7;
      return isFloat(dtype) ? ((bits % 17) - 8) / 4 : (bits % 9) - 4;
    });
    return this.leaf(shape, dtype, data);
  }

  /** An operation of two nodes of one shape and dtype. */
  binary(op: BinaryOp, a: number, b: number): number {
    return this.add(op, [a, b], { operands: [null, null] }, this.shape(a), this.dtype(a));
  }

  /** An operation of a node and a number. */
  withNumber(op: BinaryOp, a: number, number: number): number {
    const attrs = { operands: [null, number] };
    return this.addWithArgs(op, [a], attrs, this.shape(a), this.dtype(a), [this.argument(number)]);
  }

  unary(op: UnaryOp, a: number): number {
    return this.add(op, [a], {}, this.shape(a), this.dtype(a));
  }

  /** A reduction over the last axis, stretched to the shape again. */
  overRows(op: 'sum' | 'max_reduce', a: number): number {
    const shape = this.shape(a);
    const rows = shape.slice(0, -1);
    const reduced = this.add(op, [a], { axes: [shape.length - 1] }, rows, this.dtype(a));
    return this.broadcast(this.reshape(reduced, [...rows, 1]), shape);
  }

  /** Nodes that `accept` allows, the latest first. */
  candidates(accept: (node: ProgramNode, index: number) => boolean): number[] {
    const found: number[] = [];
    for (let i = this.nodes.length - 1; i >= 0; i--) if (accept(this.nodes[i]!, i)) found.push(i);
    return found;
  }

  cast(x: number, dtype: DType): number {
    return this.dtype(x) === dtype ? x : this.add('cast', [x], { dtype }, this.shape(x), dtype);
  }

  reshape(x: number, shape: Shape): number {
    return sameShape(shape, this.shape(x)) ? x : this.add('reshape', [x], { shape }, shape, this.dtype(x));
  }

  /** Stretches to `shape`, to which the node's shape must broadcast. */
  broadcast(x: number, shape: Shape): number {
    const missing = shape.length - this.shape(x).length;
    const wide = this.reshape(x, [...new Array<number>(missing).fill(1), ...this.shape(x)]);
    return sameShape(this.shape(wide), shape) ? wide : this.add('expand', [wide], { shape }, shape, this.dtype(x));
  }

  /**
   * Ends the program: `wanted` are the nodes asked for, `into` may give each a data node to overwrite. What nothing needs is left out.
   */
  finish(wanted: readonly ProgramOutput[]): ProgramCase {
    const needed = new Set<number>();
    const mark = (index: number): void => {
      if (needed.has(index)) return;
      needed.add(index);
      this.node(index).sources.forEach(mark);
    };
    for (const { node, into } of wanted) {
      mark(node);
      if (into !== null) mark(into);
    }
    const kept = [...needed].sort((a, b) => a - b);
    const renumbered = new Map(kept.map((old, index) => [old, index]));
    const nodes = kept.map((old) => ({
      ...this.node(old),
      sources: this.node(old).sources.map((source) => renumbered.get(source)!),
    }));
    const outputs = wanted.map(({ node, into }) => ({
      node: renumbered.get(node)!,
      into: into === null ? null : renumbered.get(into)!,
    }));
    const leaves = kept.flatMap((old) => (this.leafData.has(old) ? [this.leafData.get(old)!] : []));
    return { program: { nodes, outputs, scalars: this.scalars.length }, leaves, scalars: this.scalars };
  }
}
