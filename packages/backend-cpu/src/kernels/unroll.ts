/*
 * Small reduced axes written out: a maximum over a window of 2×2 becomes three maxima of four loads. The loops are gone,
 * the loads are at constant distances, and lanes lie along a row axis. Sums keep the order that the loops had.
 */
import type { BinaryOp, DType, Instruction, ReduceOp } from '@dl/tensor';
import { constant } from './linear';
import { changeOp, mergeAxes, type Nest, type NestOp, sumsOf } from './nest';

/** Elements of the reduced axes, and operations in all, up to which they are written out. */
const maxElements = 16;
const maxOps = 160;

const joins: Readonly<Record<Exclude<ReduceOp, 'argmax'>, BinaryOp>> = {
  sum: 'add',
  prod: 'mul',
  max_reduce: 'max',
  min_reduce: 'min',
};

/** Writes an operation over row axes into a list. */
class Writer {
  readonly ops: NestOp[] = [];

  push(op: NestOp): number {
    return this.ops.push(op) - 1;
  }

  apply(op: BinaryOp | 'not' | 'where', dtype: DType, args: readonly number[]): number {
    return this.push({ op, dtype, args, source: { op, dtype, args } as unknown as Instruction });
  }

  number(dtype: DType, value: number): number {
    return this.push({ op: 'constant', dtype, args: [], source: { op: 'constant', dtype, value } });
  }

  /** The place of the first largest of some values; NaN is largest. */
  argmax(values: readonly number[], dtype: DType): number {
    let best = values[0]!;
    let place = this.number('i32', 0);
    values.slice(1).forEach((x, i) => {
      let better = this.apply('lt', 'bool', [best, x]);
      if (dtype === 'f32' || dtype === 'f64') {
        const isNumber = (v: number) => this.apply('eq', 'bool', [v, v]);
        const first = this.apply('and', 'bool', [this.apply('not', 'bool', [isNumber(x)]), isNumber(best)]);
        better = this.apply('or', 'bool', [better, first]);
      }
      place = this.apply('where', 'i32', [better, this.number('i32', i + 1), place]);
      best = this.apply('where', dtype, [better, x, best]);
    });
    return place;
  }
}

/** Every position of the reduced axes, the last axis fastest. */
function positionsOf(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>(
    (all, size) => all.flatMap((p) => Array.from({ length: size }, (_, i) => [...p, i])),
    [[]],
  );
}

/** The nest without its reduced axes, or null where they are too large to write out. */
export function unrolled(nest: Nest, element: readonly boolean[]): Nest | null {
  const rows = nest.axes.filter((a) => !a.reduced);
  const reduced = nest.axes.filter((a) => a.reduced).map((a) => a.size);
  const count = reduced.reduce((a, b) => a * b, 1);
  if (reduced.length === 0 || count === 0 || count > maxElements || nest.ops.length * count > maxOps) return null;
  const writer = new Writer();
  const positions = positionsOf(reduced);
  /** For each operation, its place in the list for every position, or one place for all. */
  const places: number[][] = [];
  const at = (ref: number, position: number): number => places[ref]![element[ref] ? position : 0]!;
  nest.ops.forEach((op, ref) => {
    if (op.op in joins || op.op === 'argmax') {
      const arg = op.args[0]!;
      const values = positions.map((_, i) => at(arg, i));
      const { dtype } = nest.ops[arg]!;
      const join = joins[op.op as keyof typeof joins];
      const result =
        op.op === 'argmax' ? writer.argmax(values, dtype) : values.reduce((a, b) => writer.apply(join, dtype, [a, b]));
      places.push([result]);
      return;
    }
    const copies = element[ref] ? positions : [[]];
    places.push(
      copies.map((position, i) => {
        const own =
          sumsOf(op).length === 0
            ? op
            : changeOp(op, (v) => (v < rows.length ? null : constant(position[v - rows.length]!)));
        return writer.push({ ...own, args: own.args.map((arg) => at(arg, i)) });
      }),
    );
  });
  return mergeAxes({ axes: rows, ops: writer.ops, rangeScale: nest.rangeScale });
}
