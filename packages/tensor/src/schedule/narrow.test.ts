import { describe, expect, it } from 'vitest';
import type { Op, OpAttributes } from '../graph/node';
import type { Shape } from '../shape';
import { narrow } from './narrow';
import type { Program, ProgramNode } from './program';

/** Writes programs of f32. */
class Nodes {
  readonly nodes: ProgramNode[] = [];

  add<O extends Op>(op: O, sources: number[], attrs: OpAttributes[O], shape: Shape, args: number[] = []): number {
    return this.nodes.push({ op, sources, attrs, shape, dtype: 'f32', args }) - 1;
  }

  data(shape: Shape): number {
    return this.add('data', [], {}, shape);
  }

  /** x wᵀ */
  product(x: number, w: number): number {
    const [m, n] = [this.nodes[x]!.shape[0]!, this.nodes[w]!.shape[0]!];
    return this.add('dot', [x, w], { lhsBatch: [], rhsBatch: [], lhsContract: [1], rhsContract: [1] }, [m, n]);
  }

  /** Rows `start` to `start + count`. */
  rows(x: number, start: number, count: number, arg = -1): number {
    const sizes = [count, ...this.nodes[x]!.shape.slice(1)];
    const starts = sizes.map((_, axis) => (axis === 0 ? start : 0));
    const args = sizes.map((_, axis) => (axis === 0 ? arg : -1));
    return this.add('slice', [x], { starts, sizes, steps: sizes.map(() => 1) }, sizes, args);
  }

  program(...outputs: number[]): Program {
    return { nodes: this.nodes, outputs: outputs.map((node) => ({ node, into: null })), scalars: 1 };
  }
}

const shapesOf = (program: Program, op: Op): Shape[] =>
  program.nodes.filter((node) => node.op === op).map(({ shape }) => shape);

describe('narrow', () => {
  it('takes the slice of a product of its rows, and of the rows of what these are made of', () => {
    const own = new Nodes();
    const [x, w, v] = [own.data([8, 4]), own.data([6, 4]), own.data([5, 6])];
    const hidden = own.add('exp', [own.product(x, w)], {}, [8, 6]);
    const out = own.rows(own.product(hidden, v), 5, 1, 0);
    const narrowed = narrow(own.program(out));
    expect(shapesOf(narrowed, 'dot')).toEqual([
      [1, 6],
      [1, 5],
    ]);
    expect(narrowed.nodes.filter((node) => node.op === 'slice')).toEqual([
      {
        op: 'slice',
        sources: [x],
        attrs: { starts: [5, 0], sizes: [1, 4], steps: [1, 1] },
        shape: [1, 4],
        dtype: 'f32',
        args: [0, -1],
      },
    ]);
  });

  it('stops at a value that is also needed whole', () => {
    const own = new Nodes();
    const [x, w, v] = [own.data([8, 4]), own.data([6, 4]), own.data([5, 6])];
    const hidden = own.product(x, w);
    const out = own.rows(own.product(hidden, v), 5, 1, 0);
    expect(shapesOf(narrow(own.program(out, hidden)), 'dot')).toEqual([
      [8, 6],
      [1, 5],
    ]);
  });

  it('leaves a product whose slices are nearly all of it', () => {
    const own = new Nodes();
    const product = own.product(own.data([8, 4]), own.data([6, 4]));
    const program = own.program(own.rows(product, 0, 4), own.rows(product, 1, 3));
    expect(narrow(program)).toBe(program);
  });

  it('leaves slices of what is no product', () => {
    const own = new Nodes();
    const [x, w] = [own.data([8, 4]), own.data([6, 4])];
    const row = own.rows(own.add('exp', [x], {}, [8, 4]), 2, 1, 0);
    const program = own.program(own.product(row, w));
    expect(narrow(program)).toBe(program);
  });

  it('reads a start that was recorded after the product, with the storages in their order', () => {
    const own = new Nodes();
    const product = own.product(own.data([8, 4]), own.data([6, 4]));
    const start = own.add('reshape', [own.data([1])], { shape: [] }, []);
    const attrs = { starts: [{ source: 1 }, 0], sizes: [2, 6], steps: [1, 1] };
    const { nodes, outputs } = narrow(own.program(own.add('slice', [product, start], attrs, [2, 6], [-1])));
    expect(nodes.filter((node) => node.op === 'data').map(({ shape }) => shape)).toEqual([[8, 4], [6, 4], [1]]);
    expect(nodes[outputs[0]!.node]).toMatchObject({ op: 'dot', shape: [2, 6] });
    for (const [i, { sources }] of nodes.entries()) expect(sources.every((s) => s < i)).toBe(true);
  });

  it('does not move a slice whose start is computed', () => {
    const own = new Nodes();
    const product = own.product(own.data([8, 4]), own.data([6, 4]));
    const start = own.add('sum', [own.data([3])], { axes: [0] }, []);
    const attrs = { starts: [{ source: 1 }, 0], sizes: [2, 6], steps: [1, 1] };
    const program = own.program(own.add('slice', [product, start], attrs, [2, 6], [-1]));
    expect(narrow(program)).toBe(program);
  });
});
