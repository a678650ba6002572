import { checkProgram, referenceBackend } from '@dl/testing';
import { describe, expect, it } from 'vitest';
import type { Window } from '../src/graph/node';
import type { Kernel, Schedule } from '../src/kernel';
import { schedule } from '../src/schedule';
import { sizeOf } from '../src/shape';
import { ProgramBuilder } from './program-builder';

const backend = referenceBackend();

/** The schedule, after its three runs gave what the program means. */
async function checked(b: ProgramBuilder): Promise<Schedule> {
  const { program } = b;
  let number = 0;
  const next = (isInteger: boolean): number => (isInteger ? number++ % 3 : ((number++ * 7) % 13) / 8 - 0.75);
  const leaves = program.nodes
    .filter((n) => n.op === 'data')
    .map((n) => Array.from({ length: sizeOf(n.shape) }, () => next(n.dtype === 'i32')));
  const scalars = new Array<number>(program.scalars).fill(0);
  for (const node of program.nodes) {
    const numbers =
      'operands' in node.attrs
        ? node.attrs.operands.filter((o) => o !== null)
        : 'starts' in node.attrs
          ? node.attrs.starts
          : [];
    node.args.forEach((arg, i) => {
      if (arg >= 0) scalars[arg] = numbers[i] as number;
    });
  }
  await checkProgram(backend, schedule, { program, leaves, scalars });
  return schedule(program, backend.capabilities);
}

const kernelsOf = (s: Schedule): Kernel[] => s.steps.flatMap((step) => (step.kind === 'kernel' ? [step.kernel] : []));
const copiesOf = (s: Schedule): number => s.steps.filter((step) => step.kind === 'copy').length;
const storesOf = (k: Kernel): number => k.body.filter((i) => i.op === 'store').length;

function softmax(b: ProgramBuilder, x: number): number {
  const shape = b.shape(x);
  const last = [shape.length - 1];
  const e = b.unary('exp', b.binary('add', x, b.expand(b.unary('neg', b.reduce('max_reduce', x, last, true)), shape)));
  return b.binary('div', e, b.expand(b.reduce('sum', e, last, true), shape));
}

describe('clusters', () => {
  it('softmax is one kernel with several reductions over one axis', async () => {
    const b = new ProgramBuilder();
    b.output(softmax(b, b.data([6, 10])));
    const [kernel, ...rest] = kernelsOf(await checked(b));
    expect(rest).toEqual([]);
    expect([kernel!.rows, kernel!.reduced]).toEqual([[6], [10]]);
  });

  it('bias and activation follow a product in its kernel, over its range', async () => {
    const b = new ProgramBuilder();
    const product = b.matmul(b.data([6, 5]), b.data([5, 4]));
    const bias = b.expand(b.reshape(b.data([4]), [1, 4]), [6, 4]);
    b.output(b.by('max', b.binary('add', product, bias), 0));
    const [kernel, ...rest] = kernelsOf(await checked(b));
    expect(rest).toEqual([]);
    expect(kernel!.producer?.kind).toBe('contraction');
    expect(kernel!.range).toBe(6);
  });

  it('leaves the raw product where its successor is written, not in a slot of its own', async () => {
    const b = new ProgramBuilder();
    b.output(b.unary('tanh', b.matmul(b.data([6, 5]), b.data([5, 4]))));
    expect((await checked(b)).arenaBytes).toBe(0);
  });

  it('a reduction over the leading axis of a product has a kernel of its own', async () => {
    const b = new ProgramBuilder();
    b.output(b.reduce('sum', b.matmul(b.data([6, 5]), b.data([5, 4])), [0]));
    expect(kernelsOf(await checked(b)).map((k) => k.range)).toEqual([6, 4]);
  });

  it('softmax of scores follows their product', async () => {
    const b = new ProgramBuilder();
    b.output(softmax(b, b.matmul(b.data([6, 5]), b.data([5, 8]))));
    const [kernel, ...rest] = kernelsOf(await checked(b));
    expect(rest).toEqual([]);
    expect([kernel!.rows, kernel!.reduced]).toEqual([[6], [8]]);
  });

  it('a sum over rows and the update that reads it are one kernel at row level', async () => {
    const b = new ProgramBuilder();
    const [weight, mean, gradients] = [b.data([5]), b.data([5]), b.data([8, 5])];
    const next = b.binary('add', b.by('mul', mean, 0.9), b.by('mul', b.reduce('sum', gradients, [0]), 0.1));
    b.output(next, mean).output(b.binary('add', weight, b.by('mul', next, -0.5)), weight);
    const made = await checked(b);
    const [kernel, ...rest] = kernelsOf(made);
    expect(rest).toEqual([]);
    expect(copiesOf(made)).toBe(0);
    expect([kernel!.rows, kernel!.reduced, storesOf(kernel!)]).toEqual([[5], [8], 2]);
  });

  it('two results of one space are one kernel with two outputs', async () => {
    const b = new ProgramBuilder();
    const x = b.data([4, 6]);
    b.output(b.unary('exp', x)).output(b.unary('tanh', x));
    expect(kernelsOf(await checked(b)).map(storesOf)).toEqual([2]);
  });

  it('values that a path through another kernel joins stay apart', async () => {
    const b = new ProgramBuilder();
    const x = b.unary('exp', b.data([6, 6]));
    b.output(b.binary('add', b.matmul(x, b.data([6, 6])), x)).output(x);
    const kernels = kernelsOf(await checked(b));
    expect(kernels.length).toBe(2);
  });

  it('works on slices of a product follow it, each at its own row', async () => {
    const b = new ProgramBuilder();
    const sum = b.by('add', b.matmul(b.data([6, 5]), b.data([5, 8])), 0.25);
    const [left, right] = [b.slice(sum, [0, 0], [6, 4]), b.slice(sum, [0, 4], [6, 4])];
    b.output(b.binary('mul', b.unary('tanh', left), b.unary('exp', right)));
    const [kernel, ...rest] = kernelsOf(await checked(b));
    expect(rest).toEqual([]);
    expect([kernel!.rows, kernel!.range]).toEqual([[6, 4], 6]);
  });

  it('a reshape within a cluster costs nothing', async () => {
    const b = new ProgramBuilder();
    const x = b.reshape(b.unary('exp', b.data([4, 15])), [4, 3, 5]);
    b.output(b.reduce('sum', x, [0, 2]));
    const [kernel, ...rest] = kernelsOf(await checked(b));
    expect(rest).toEqual([]);
    expect([kernel!.rows, kernel!.reduced]).toEqual([[3], [4, 5]]);
  });
});

describe('what is stored', () => {
  it('pads around a value, not within the work on it: pad(x + 1) shows 0 outside', async () => {
    const b = new ProgramBuilder();
    b.output(b.unary('neg', b.pad(b.by('add', b.data([3]), 1), [1], [2])));
    expect(kernelsOf(await checked(b)).length).toBe(1);
  });

  it('cheap work is done again rather than stored', async () => {
    const b = new ProgramBuilder();
    const x = b.by('mul', b.data([6, 6]), 2);
    b.output(b.reduce('sum', x, [0])).output(b.reduce('sum', x, [1]));
    expect((await checked(b)).arenaBytes).toBe(0);
  });

  it('a reduction is never done again', async () => {
    const b = new ProgramBuilder();
    const x = b.data([6, 6]);
    const row = b.reduce('sum', x, [1]);
    b.output(b.unary('exp', row)).output(b.matmul(b.expand(b.reshape(row, [6, 1]), [6, 6]), x));
    const sums = kernelsOf(await checked(b)).flatMap((k) => k.body.filter((i) => i.op === 'sum'));
    expect(sums.length).toBe(1);
  });

  it('pieces of a concat are written in place by those who compute them', async () => {
    const b = new ProgramBuilder();
    const parts = [b.unary('exp', b.data([3, 4])), b.unary('tanh', b.data([2, 4]))];
    b.output(b.concat(parts, 0));
    const made = await checked(b);
    expect(made.arenaBytes).toBe(0);
    expect(kernelsOf(made).length).toBe(2);
  });

  it('an output under a permutation is written where it belongs', async () => {
    const b = new ProgramBuilder();
    b.output(b.permute(b.unary('exp', b.data([4, 5])), [1, 0]));
    const made = await checked(b);
    expect([kernelsOf(made).length, made.arenaBytes]).toEqual([1, 0]);
  });

  it.each(['pad', 'window_sum'] as const)(
    'what is copied out is not stored in place of the padding of a %s',
    async (op) => {
      const b = new ProgramBuilder();
      const sum = b.expand(b.reduce('sum', b.data([2, 3]), [1], true), [2, 4]);
      const window: Window = { size: [1], stride: [1], dilation: [1], padding: [[1, 0]] };
      const padded = op === 'pad' ? b.pad(sum, [0, 1], [0, 0]) : b.node(op, [sum], window, [2, 5]);
      const padding = b.slice(padded, [0, 0], [2, 1]);
      const sources = [padding, b.data([2, 1], 'i32'), b.data([2, 1])];
      b.output(b.node('scatter', sources, { axis: 0, mode: 'add' }, [2, 1]));
      b.output(padding);
      b.output(b.matmul(b.slice(sum, [0, 0], [2, 1]), b.data([1, 3])));
      await checked(b);
    },
  );

  it('nothing is done for empty outputs', async () => {
    const b = new ProgramBuilder();
    b.output(b.unary('exp', b.data([0, 4])));
    expect((await checked(b)).steps).toEqual([]);
  });
});

describe('updates', () => {
  it('write their leaf in place where each element reads only itself', async () => {
    const b = new ProgramBuilder();
    const w = b.data([4, 4]);
    b.output(b.by('add', w, 1), w);
    const made = await checked(b);
    expect([kernelsOf(made).length, copiesOf(made), made.arenaBytes]).toEqual([1, 0, 0]);
  });

  it('go through a temporary where they read other elements', async () => {
    const b = new ProgramBuilder();
    const w = b.data([4, 4]);
    b.output(b.unary('neg', b.permute(w, [1, 0])), w);
    expect(copiesOf(await checked(b))).toBe(1);
  });

  it('that exchange two leaves need a temporary', async () => {
    const b = new ProgramBuilder();
    const [v, w] = [b.data([4]), b.data([4])];
    b.output(v, w).output(w, v);
    await checked(b);
  });

  it('wait for every other reader of the leaf', async () => {
    const b = new ProgramBuilder();
    const w = b.data([6, 6]);
    const updated = b.binary('add', w, b.unary('exp', b.data([6, 6])));
    const product = b.matmul(b.data([6, 6]), w);
    b.output(updated, w).output(product);
    const made = await checked(b);
    expect(copiesOf(made)).toBe(0);
    expect(kernelsOf(made).at(-1)!.name).toContain('add');
  });

  it('whose new value a reader of the old one needs come late', async () => {
    const b = new ProgramBuilder();
    const w = b.data([6, 6]);
    const updated = b.unary('exp', b.matmul(b.data([6, 6]), b.data([6, 6])));
    b.output(updated, w).output(b.matmul(updated, w));
    expect(copiesOf(await checked(b))).toBe(1);
  });
});

describe('rewriting', () => {
  it('a sum of pads side by side is a concat', async () => {
    const b = new ProgramBuilder();
    const parts = [0, 1, 2].map((i) => b.pad(b.unary('exp', b.data([2, 3])), [0, 3 * i], [0, 6 - 3 * i]));
    b.output(b.binary('add', b.binary('add', parts[0]!, parts[1]!), parts[2]!));
    const kernels = kernelsOf(await checked(b));
    expect(kernels.some((k) => k.body.some((i) => i.op === 'add'))).toBe(false);
  });

  it('a sum of products of one form is one longer product', async () => {
    const b = new ProgramBuilder();
    const products = [0, 1, 2, 3].map(() => b.matmul(b.unary('exp', b.data([4, 3])), b.unary('tanh', b.data([3, 5]))));
    b.output(products.reduce((x, y) => b.binary('add', x, y)));
    const contractions = kernelsOf(await checked(b)).flatMap((k) =>
      k.producer?.kind === 'contraction' ? [k.producer] : [],
    );
    expect(contractions.map((c) => c.k)).toEqual([[12]]);
  });

  it('a gather of one element a row of what is computed, and its gradient, need no storage', async () => {
    const b = new ProgramBuilder();
    const index = b.data([5, 1], 'i32');
    const x = b.unary('exp', b.data([5, 4]));
    b.output(b.node('gather', [x, index], { axis: 1 }, [5, 1]));
    const zeros = b.node('constant', [], { value: 0 }, [5, 4], 'f32', [-1]);
    b.output(b.node('scatter', [zeros, index, b.data([5, 1])], { axis: 1, mode: 'add', operation: 'gather' }, [5, 4]));
    const made = await checked(b);
    expect(made.arenaBytes).toBe(0);
    expect(kernelsOf(made).every((k) => k.producer === null)).toBe(true);
  });

  it('a long reduction to few rows has two stages with parts fixed by the shape', async () => {
    const b = new ProgramBuilder();
    b.output(b.reduce('sum', b.data([512, 256]), [0, 1]));
    expect(kernelsOf(await checked(b)).map((k) => [k.rows, k.reduced])).toEqual([
      [[64], [2048]],
      [[], [64]],
    ]);
  });

  it('a product without contraction is a multiplication, and one of rows with rows a sum', async () => {
    const b = new ProgramBuilder();
    const [x, y] = [b.data([6, 8]), b.data([6, 8])];
    const rows = { lhsBatch: [0], rhsBatch: [0], lhsContract: [1], rhsContract: [1] };
    b.output(b.node('dot', [x, y], rows, [6]));
    const outer = { lhsBatch: [], rhsBatch: [], lhsContract: [], rhsContract: [] };
    b.output(b.node('dot', [b.data([3]), b.data([4])], outer, [3, 4]));
    expect(kernelsOf(await checked(b)).every((k) => k.producer === null)).toBe(true);
  });

  it('equal nodes are one, but what stands behind a barrier is computed again', async () => {
    const b = new ProgramBuilder();
    const x = b.data([4, 4]);
    const again = b.node('barrier', [x], {}, [4, 4]);
    b.output(b.binary('add', b.unary('exp', x), b.unary('exp', x)));
    b.output(b.matmul(b.unary('exp', x), b.data([4, 4]))).output(b.matmul(b.unary('exp', again), b.data([4, 4])));
    const exps = kernelsOf(await checked(b)).flatMap((k) => k.body.filter((i) => i.op === 'exp'));
    expect(exps.length).toBe(2);
  });
});

describe('convolutions', () => {
  const spec = {
    stride: [1, 1],
    padding: [
      [1, 1],
      [1, 1],
    ],
    lhsDilation: [1, 1],
    rhsDilation: [1, 1],
    groups: 1,
  } as const;

  it('are products of the image, with the result in its own order', async () => {
    const b = new ProgramBuilder();
    b.output(b.node('convolution', [b.data([2, 3, 9, 9]), b.data([4, 3, 3, 3])], spec, [2, 4, 9, 9]));
    const { producer } = kernelsOf(await checked(b))[0]!;
    expect(producer).toMatchObject({ batch: [2], m: [4], n: [9, 9], k: [3, 3, 3] });
  });

  it('with few pixels an image take images as columns, and the permuted result is dense', async () => {
    const b = new ProgramBuilder();
    const weightGradient = b.node('convolution', [b.data([3, 2, 5, 5]), b.data([4, 2, 5, 5])], spec, [3, 4, 3, 3]);
    b.output(b.permute(weightGradient, [1, 0, 2, 3]));
    const made = await checked(b);
    expect(kernelsOf(made).map((k) => k.producer)).toMatchObject([{ batch: [], m: [4], n: [3, 3, 3] }]);
    expect(made.arenaBytes).toBe(0);
  });

  it('of each channel alone are sums over windows', async () => {
    const b = new ProgramBuilder();
    b.output(b.node('convolution', [b.data([2, 3, 6, 6]), b.data([3, 1, 3, 3])], { ...spec, groups: 3 }, [2, 3, 6, 6]));
    expect(kernelsOf(await checked(b)).map((k) => [k.producer, k.reduced])).toEqual([[null, [3, 3]]]);
  });

  it('with groups, strides and dilations of both operands', async () => {
    const b = new ProgramBuilder();
    const odd = {
      stride: [2, 1],
      padding: [
        [2, 1],
        [0, 3],
      ],
      lhsDilation: [1, 2],
      rhsDilation: [2, 1],
      groups: 2,
    } as const;
    b.output(b.node('convolution', [b.data([2, 4, 7, 5]), b.data([6, 2, 3, 2])], odd, [2, 6, 3, 11]));
    await checked(b);
  });
});
