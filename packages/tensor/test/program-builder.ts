/** Writes programs by hand for tests of the scheduler, with shapes inferred where they follow. */
import type { DType } from '../src/dtype';
import type { Op, OpAttributes } from '../src/graph/node';
import type { Program, ProgramNode, ProgramOutput } from '../src/schedule/program';
import type { Shape } from '../src/shape';

export class ProgramBuilder {
  readonly nodes: ProgramNode[] = [];
  readonly outputs: ProgramOutput[] = [];
  private scalars = 0;

  node<O extends Op>(
    op: O,
    sources: readonly number[],
    attrs: OpAttributes[O],
    shape: Shape,
    dtype: DType = 'f32',
    args: readonly number[] = [],
  ): number {
    return this.nodes.push({ op, sources, attrs, shape, dtype, args } as ProgramNode) - 1;
  }

  shape(x: number): Shape {
    return this.nodes[x]!.shape;
  }

  data(shape: Shape, dtype: DType = 'f32'): number {
    return this.node('data', [], {}, shape, dtype);
  }

  unary(op: 'exp' | 'neg' | 'tanh' | 'sqrt' | 'log' | 'reciprocal', x: number): number {
    return this.node(op, [x], {}, this.shape(x));
  }

  binary(op: 'add' | 'mul' | 'div' | 'max', a: number, b: number): number {
    return this.node(op, [a, b], { operands: [null, null] }, this.shape(a));
  }

  /** With a number that is an argument of the run. */
  by(op: 'add' | 'mul' | 'max', x: number, value: number): number {
    return this.node(op, [x], { operands: [null, value] }, this.shape(x), 'f32', [this.scalars++]);
  }

  reshape(x: number, shape: Shape): number {
    return this.node('reshape', [x], { shape }, shape, this.nodes[x]!.dtype);
  }

  permute(x: number, axes: readonly number[]): number {
    return this.node(
      'permute',
      [x],
      { axes },
      axes.map((a) => this.shape(x)[a]!),
      this.nodes[x]!.dtype,
    );
  }

  expand(x: number, shape: Shape): number {
    return this.node('expand', [x], { shape }, shape, this.nodes[x]!.dtype);
  }

  slice(x: number, starts: readonly number[], sizes: Shape, steps: readonly number[] = sizes.map(() => 1)): number {
    const args = starts.map((s) => (Math.abs(s) <= 1 ? -1 : this.scalars++));
    return this.node('slice', [x], { starts, sizes, steps }, sizes, this.nodes[x]!.dtype, args);
  }

  pad(x: number, low: readonly number[], high: readonly number[]): number {
    const sizes = this.shape(x).map((n, i) => n + low[i]! + high[i]!);
    return this.node('pad', [x], { low, high, interior: low.map(() => 0), value: 0, sizes }, sizes);
  }

  reduce(op: 'sum' | 'max_reduce', x: number, axes: readonly number[], keep = false): number {
    const shape = this.shape(x).filter((_, i) => !axes.includes(i));
    const reduced = this.node(op, [x], { axes }, shape);
    return keep
      ? this.reshape(
          reduced,
          this.shape(x).map((n, i) => (axes.includes(i) ? 1 : n)),
        )
      : reduced;
  }

  /** [M, K] · [K, N]. */
  matmul(a: number, b: number): number {
    const axes = { lhsBatch: [], rhsBatch: [], lhsContract: [1], rhsContract: [0] };
    return this.node('dot', [a, b], axes, [this.shape(a)[0]!, this.shape(b)[1]!]);
  }

  concat(parts: readonly number[], axis: number): number {
    const size = parts.reduce((n, p) => n + this.shape(p)[axis]!, 0);
    return this.node(
      'concat',
      parts,
      { axis },
      this.shape(parts[0]!).map((n, i) => (i === axis ? size : n)),
    );
  }

  output(node: number, into: number | null = null): this {
    this.outputs.push({ node, into });
    return this;
  }

  get program(): Program {
    return { nodes: this.nodes, outputs: this.outputs, scalars: this.scalars };
  }
}
