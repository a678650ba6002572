/** Moves that add what training is made of: the patterns that clustering is meant for. */
import { defaultGenerator, isFloat, sameShape, sizeOf } from '@dl/tensor';
import type { Builder, Draws } from './builder';
import type { Move } from './moves';

/** A float node with rows of at least one element, or undefined. */
function rowsOf(builder: Builder, draws: Draws): number | undefined {
  const found = builder.candidates((n) => isFloat(n.dtype) && n.shape.length > 0 && sizeOf(n.shape) > 0);
  return found.length > 0 ? draws.pickRecent(found) : undefined;
}

/** x − max, e^x, and its sum over each row. */
function exponentials(builder: Builder, x: number): { readonly e: number; readonly sum: number } {
  const shifted = builder.binary('add', x, builder.unary('neg', builder.overRows('max_reduce', x)));
  const e = builder.unary('exp', shifted);
  return { e, sum: builder.overRows('sum', e) };
}

const softmax: Move = (builder, draws) => {
  const x = rowsOf(builder, draws);
  if (x === undefined) return;
  const { e, sum } = exponentials(builder, x);
  builder.binary('div', e, sum);
};

/** (softmax − one hot) / rows, and the loss beside it. */
const crossEntropy: Move = (builder, draws) => {
  const x = rowsOf(builder, draws);
  if (x === undefined) return;
  const shape = builder.shape(x);
  const classes = shape.at(-1)!;
  const { e, sum } = exponentials(builder, x);
  const target = builder.smallLeaf([...shape.slice(0, -1), 1], 'i32', draws.below(50), classes);
  const picked = builder.add(
    'gather',
    [x, target],
    { axis: shape.length - 1 },
    [...shape.slice(0, -1), 1],
    builder.dtype(x),
  );
  const loss = builder.binary('add', builder.unary('log', sum), builder.unary('neg', builder.broadcast(picked, shape)));
  builder.add('sum', [loss], { axes: shape.map((_, axis) => axis) }, [], builder.dtype(x));
  const places = builder.add('iota', [], { axis: shape.length - 1 }, shape, 'i32');
  const same = builder.add('eq', [places, builder.broadcast(target, shape)], { operands: [null, null] }, shape, 'bool');
  const oneHot = builder.unary('neg', builder.cast(same, builder.dtype(x)));
  builder.withNumber('mul', builder.binary('add', builder.binary('div', e, sum), oneHot), 0.25);
};

const layerNorm: Move = (builder, draws) => {
  const x = rowsOf(builder, draws);
  if (x === undefined) return;
  const n = builder.shape(x).at(-1)!;
  const mean = builder.withNumber('mul', builder.overRows('sum', x), 1 / n);
  const centred = builder.binary('add', x, builder.unary('neg', mean));
  const variance = builder.withNumber('mul', builder.overRows('sum', builder.binary('mul', centred, centred)), 1 / n);
  const scale = builder.unary('reciprocal', builder.unary('sqrt', builder.withNumber('add', variance, 0.5)));
  const weight = builder.smallLeaf([n], builder.dtype(x), draws.below(50));
  builder.binary('mul', builder.binary('mul', centred, scale), builder.broadcast(weight, builder.shape(x)));
};

/** A parameter and its two moments are leaves that the program overwrites. */
const adam: Move = (builder, draws) => {
  const found = builder.candidates((n) => isFloat(n.dtype) && n.op !== 'data');
  if (found.length === 0) return;
  const g = draws.pickRecent(found);
  const [shape, dtype] = [builder.shape(g), builder.dtype(g)];
  const fresh = (): number => builder.smallLeaf(shape, dtype, draws.below(50));
  const known = builder.candidates(
    (n, i) => n.op === 'data' && n.dtype === dtype && sameShape(n.shape, shape) && !builder.assigned.has(i),
  );
  const parameter = known.length > 0 && draws.oneIn(2) ? known[0]! : fresh();
  const [m, v] = [fresh(), fresh()];
  const newM = builder.binary('add', builder.withNumber('mul', m, 0.9), builder.withNumber('mul', g, 0.1));
  const square = builder.withNumber('mul', builder.binary('mul', g, g), 0.01);
  const newV = builder.binary('add', builder.withNumber('mul', builder.unary('abs', v), 0.99), square);
  const scale = builder.withNumber('add', builder.unary('sqrt', newV), 0.5);
  const step = builder.withNumber('mul', builder.binary('div', newM, scale), -0.25);
  builder.assigned.set(m, newM);
  builder.assigned.set(v, newV);
  builder.assigned.set(parameter, builder.binary('add', parameter, step));
};

/** Linear, bias, relu. */
const dense: Move = (builder, draws) => {
  const x = rowsOf(builder, draws);
  if (x === undefined || sizeOf(builder.shape(x)) > 400) return;
  const [shape, dtype] = [builder.shape(x), builder.dtype(x)];
  const outputs = draws.pick([3, 1, 5]);
  const weight = builder.smallLeaf([outputs, shape.at(-1)!], dtype, draws.below(50));
  const attrs = { lhsBatch: [], rhsBatch: [], lhsContract: [shape.length - 1], rhsContract: [1] };
  const y = builder.add('dot', [x, weight], attrs, [...shape.slice(0, -1), outputs], dtype);
  const bias = builder.smallLeaf([outputs], dtype, draws.below(50));
  builder.withNumber('max', builder.binary('add', y, builder.broadcast(bias, builder.shape(y))), 0);
};

/** Keeps an element where random bits say so. */
const dropout: Move = (builder, draws) => {
  const x = rowsOf(builder, draws);
  if (x === undefined) return;
  const shape = builder.shape(x);
  const args = [draws.below(100), 3, draws.below(1000)].map((n) => builder.alwaysArgument(n));
  const attrs = { key: [0, 0] as const, counter: 0, generator: defaultGenerator };
  const bits = builder.addWithArgs('random', [], attrs, shape, 'u32', args);
  const uniform = builder.withNumber(
    'mul',
    builder.cast(builder.withNumber('shr', bits, 8), builder.dtype(x)),
    2 ** -24,
  );
  const keep = builder.addWithArgs('lt', [uniform], { operands: [null, 0.5] }, shape, 'bool', [builder.argument(0.5)]);
  const doubled = builder.withNumber('mul', x, 2);
  builder.addWithArgs('where', [keep, doubled], { operands: [null, null, 0] }, shape, builder.dtype(x), [-1]);
};

export const compositeMoves: readonly Move[] = [softmax, dense, adam, crossEntropy, layerNorm, dropout, adam];
