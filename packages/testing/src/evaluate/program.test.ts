import { type DType, Node, type Op, type OpAttributes, type Program, type ProgramNode, type Shape } from '@dl/tensor';
import { describe, expect, test } from 'vitest';
import { evaluateNode, evaluateProgram } from './program';
import { toValue } from './value';

interface Leaf {
  readonly shape: Shape;
  readonly data: readonly number[];
  readonly dtype?: DType;
}

/** One operation on leaves: its elements, with −0 as 0. */
function evaluate<O extends Op>(
  op: O,
  attrs: OpAttributes[O],
  shape: Shape,
  leaves: readonly Leaf[],
  dtype: DType = 'f32',
): number[] {
  const nodes: ProgramNode[] = leaves.map((leaf) => ({
    op: 'data',
    sources: [],
    attrs: {},
    shape: leaf.shape,
    dtype: leaf.dtype ?? 'f32',
    args: [],
  }));
  nodes.push({ op, sources: leaves.map((_, i) => i), attrs, shape, dtype, args: [] } as ProgramNode);
  const program: Program = { nodes, outputs: [{ node: leaves.length, into: null }], scalars: 0 };
  const out = evaluateProgram(
    program,
    leaves.map((leaf) => leaf.data),
  );
  return Array.from(out[0]!.data, (x) => x + 0);
}

const vector = (...data: number[]): Leaf => ({ shape: [data.length], data });
const indices = (...data: number[]): Leaf => ({ shape: [data.length], data, dtype: 'i32' });

describe('movement', () => {
  test('a slice runs backwards with a negative step', () => {
    expect(evaluate('slice', { starts: [3], sizes: [2], steps: [-2] }, [2], [vector(0, 1, 2, 3)])).toEqual([3, 1]);
  });

  test('a run-time start is clamped so that the slice stays inside', () => {
    const attrs = { starts: [{ source: 1 }], sizes: [2], steps: [1] } as const;
    expect(evaluate('slice', attrs, [2], [vector(0, 1, 2, 3), { shape: [], data: [9], dtype: 'i32' }])).toEqual([2, 3]);
  });

  test('padding fills before, after and between, and crops where negative', () => {
    const attrs = { low: [-1], high: [2], interior: [1], value: 7, sizes: [6] };
    expect(evaluate('pad', attrs, [6], [vector(1, 2, 3)])).toEqual([7, 2, 7, 3, 7, 7]);
  });

  test('axis i of a permuted tensor is axis axes[i] of its source', () => {
    expect(evaluate('permute', { axes: [1, 0] }, [3, 2], [{ shape: [2, 3], data: [0, 1, 2, 3, 4, 5] }])).toEqual([
      0, 3, 1, 4, 2, 5,
    ]);
  });

  test('joined parts lie one after another along their axis', () => {
    const parts = [
      { shape: [2, 1], data: [1, 2] },
      { shape: [2, 2], data: [3, 4, 5, 6] },
    ];
    expect(evaluate('concat', { axis: 1 }, [2, 3], parts)).toEqual([1, 3, 4, 2, 5, 6]);
  });
});

describe('contractions', () => {
  test('dot with a batch axis in the middle', () => {
    const axes = { lhsBatch: [1], rhsBatch: [0], lhsContract: [0], rhsContract: [1] };
    // lhs [k=2, batch=2], rhs [batch=2, k=2].
    const leaves = [
      { shape: [2, 2], data: [1, 2, 3, 4] },
      { shape: [2, 2], data: [1, 10, 100, 1000] },
    ];
    expect(evaluate('dot', axes, [2], leaves)).toEqual([31, 4200]);
  });

  test('a convolution of spread data is a transposed convolution', () => {
    const spec = { stride: [1], padding: [[1, 1]] as const, lhsDilation: [2], rhsDilation: [1], groups: 1 };
    // Data 1 0 2 with a zero on both sides, kernel 1 10.
    const leaves = [
      { shape: [1, 1, 2], data: [1, 2] },
      { shape: [1, 1, 2], data: [1, 10] },
    ];
    expect(evaluate('convolution', spec, [1, 1, 4], leaves)).toEqual([10, 1, 20, 2]);
  });

  test('negative padding crops, groups keep channels apart', () => {
    const spec = { stride: [1], padding: [[-1, 0]] as const, lhsDilation: [1], rhsDilation: [1], groups: 2 };
    const leaves = [
      { shape: [1, 2, 2], data: [1, 2, 3, 4] },
      { shape: [2, 1, 1], data: [10, 100] },
    ];
    expect(evaluate('convolution', spec, [1, 2, 1], leaves)).toEqual([20, 400]);
  });
});

describe('windows', () => {
  const window = { size: [2], stride: [2], dilation: [1], padding: [[1, 1]] as const };

  test('a maximum pads with −∞, a sum with 0', () => {
    expect(evaluate('window_max', window, [2], [vector(-1, -2)])).toEqual([-1, -2]);
    expect(evaluate('window_sum', window, [2], [vector(-1, -2)])).toEqual([-1, -2]);
  });

  test('the place of a maximum is the first, in the plane without padding', () => {
    expect(evaluate('window_argmax', window, [2], [vector(5, 5, 5)], 'i32')).toEqual([0, 1]);
  });
});

describe('indexing', () => {
  test('scatter adds repeated indices', () => {
    expect(
      evaluate('scatter', { axis: 0, mode: 'add' }, [3], [vector(1, 1, 1), indices(2, 0, 2), vector(1, 2, 3)]),
    ).toEqual([3, 1, 5]);
  });

  test('an index out of range throws', () => {
    expect(() => evaluate('gather', { axis: 0 }, [1], [vector(1, 2), indices(2)])).toThrow('index 2 is outside 0 to 1');
  });

  test('a scan runs from either end', () => {
    const leaves = [vector(2, 2, 2), vector(1, 1, 1)];
    expect(evaluate('scan', { axis: 0, reverse: false }, [3], leaves)).toEqual([1, 3, 7]);
    expect(evaluate('scan', { axis: 0, reverse: true }, [3], leaves)).toEqual([7, 3, 1]);
  });

  test('sorting is stable, and NaN is largest', () => {
    const x = vector(2, NaN, 1, 2);
    expect(evaluate('argsort', { axis: 0, descending: false }, [4], [x], 'i32')).toEqual([2, 0, 3, 1]);
    expect(evaluate('argsort', { axis: 0, descending: true }, [4], [x], 'i32')).toEqual([1, 0, 3, 2]);
    expect(evaluate('argtopk', { axis: 0, k: 2 }, [2], [x], 'i32')).toEqual([1, 0]);
  });
});

test('numbers of a program come from its scalars unless they belong to its structure', () => {
  const program: Program = {
    nodes: [
      { op: 'data', sources: [], attrs: {}, shape: [1], dtype: 'f32', args: [] },
      {
        op: 'where',
        sources: [1],
        attrs: { operands: [null, 5, 1] },
        shape: [1],
        dtype: 'f32',
        args: [0, -1],
      } as ProgramNode,
    ],
    outputs: [{ node: 1, into: null }],
    scalars: 1,
  };
  const nodes = [program.nodes[0]!, { ...program.nodes[1]!, sources: [0] }];
  const bool = { ...program, nodes: [{ ...nodes[0]!, dtype: 'bool' as const }, nodes[1]!] };
  expect([...evaluateProgram(bool, [[1]], [42])[0]!.data]).toEqual([42]);
  expect([...evaluateProgram(bool, [[0]], [42])[0]!.data]).toEqual([1]);
});

test('a custom operation is what it decomposes into', () => {
  const definition = {
    name: 'twice',
    parameters: {},
    decompose: ([x]: readonly Node[]) =>
      new Node('add', [x!, x!], { operands: [null, null] }, x!.shape, x!.dtype, false) as Node,
  };
  const leaf = new Node('data', [], {}, [2], 'f32', false) as Node;
  const call = new Node(
    'custom',
    [leaf],
    { definition, index: 0, shape: [2], dtype: 'f32' },
    [2],
    'f32',
    false,
  ) as Node;
  expect([...evaluateNode(call, new Map([[leaf, toValue([2], 'f32', [1, 2])]])).data]).toEqual([2, 4]);
});
