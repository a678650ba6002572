/**
 * What may be added to a random program: one function a family, which picks its operands among the nodes that are there. A move
 * that finds none adds nothing. Float values stay close to multiples of 1/4, so that most sums are exact in any order.
 */
import {
  type BinaryOp,
  binaryOps,
  type DType,
  defaultGenerator,
  isFloat,
  type Shape,
  sameShape,
  sizeOf,
  type UnaryOp,
  unaryOps,
} from '@dl/tensor';
import { type Builder, type Draws, maxSize } from './builder';

/** Adds nodes to a program, as the draws say. */
export type Move = (builder: Builder, draws: Draws) => void;

const sizes = [2, 1, 3, 4, 2, 5, 7, 0] as const;
const dtypes: readonly DType[] = ['f32', 'f32', 'f32', 'i32', 'f64', 'u8', 'bool', 'u32', 'f16'];

const isBool = (dtype: DType): boolean => dtype === 'bool';
const isWhole = (dtype: DType): boolean => dtype === 'i32' || dtype === 'u32' || dtype === 'u8';

export function randomShape(draws: Draws): Shape {
  if (draws.oneIn(12)) return draws.pick([[700], [30, 40], [3, 500], [64, 5]]);
  const rank = draws.pick([2, 1, 3, 0, 4]);
  // Size 0 is rare: it leaves little to compare.
  return Array.from({ length: rank }, () => draws.pick(draws.oneIn(4) ? sizes : sizes.slice(0, -1)));
}

const leaf: Move = (builder, draws) => {
  const shape = randomShape(draws);
  builder.smallLeaf(shape, draws.pick(dtypes), draws.below(50));
};

const constant: Move = (builder, draws) => {
  const value = draws.pick([0, 1, -1, 2.5, -3]);
  const dtype = draws.pick(['f32', 'f64', 'i32'] as const);
  const whole = isFloat(dtype) ? value : Math.trunc(value);
  const shape = draws.oneIn(3) ? randomShape(draws) : [];
  builder.addWithArgs('constant', [], { value: whole }, shape, dtype, [builder.argument(whole)]);
};

const iota: Move = (builder, draws) => {
  const shape = randomShape(draws);
  if (shape.length === 0) return;
  builder.add('iota', [], { axis: draws.below(shape.length) }, shape, draws.pick(['i32', 'f32'] as const));
};

const random: Move = (builder, draws) => {
  const [key, counter] = [draws.below(1000), draws.pick([0, 7, 2 ** 32 - 3])];
  const attrs = { key: [key, key + 1] as const, counter, generator: defaultGenerator };
  const args = [key, key + 1, counter].map((x) => builder.alwaysArgument(x));
  builder.addWithArgs('random', [], attrs, randomShape(draws), 'u32', args);
};

/** Whether an operation takes operands of a dtype. */
function takes(op: UnaryOp | BinaryOp, dtype: DType): boolean {
  switch (op) {
    case 'not':
    case 'and':
    case 'or':
    case 'xor':
      return !isFloat(dtype);
    case 'shl':
    case 'shr':
      return isWhole(dtype);
    case 'eq':
    case 'lt':
    case 'max':
    case 'min':
      return true;
    case 'neg':
    case 'abs':
    case 'sign':
    case 'add':
    case 'mul':
    case 'div':
    case 'mod':
    case 'pow':
      return !isBool(dtype);
    default:
      return isFloat(dtype);
  }
}

const unary: Move = (builder, draws) => {
  const op = draws.pick(unaryOps);
  const found = builder.candidates((node) => takes(op, node.dtype));
  if (found.length === 0) return;
  const x = draws.pickRecent(found);
  builder.add(op, [x], {}, builder.shape(x), builder.dtype(x));
};

const resultOf = (op: BinaryOp, dtype: DType): DType => (op === 'eq' || op === 'lt' ? 'bool' : dtype);

/** A number that suits a dtype. */
const numberFor = (dtype: DType, draws: Draws): number => {
  const value = draws.pick([2, 0.5, -1, 0, 1, 3, -2.25]);
  if (isFloat(dtype)) return value;
  return isBool(dtype)
    ? Math.abs(Math.trunc(value)) % 2
    : dtype === 'i32'
      ? Math.trunc(value)
      : Math.abs(Math.trunc(value));
};

const binaryWithNumber: Move = (builder, draws) => {
  const op = draws.pick(binaryOps);
  const found = builder.candidates((node) => takes(op, node.dtype));
  if (found.length === 0) return;
  const x = draws.pickRecent(found);
  const number = numberFor(builder.dtype(x), draws);
  const operands = draws.oneIn(2) ? [number, null] : [null, number];
  const dtype = resultOf(op, builder.dtype(x));
  builder.addWithArgs(op, [x], { operands }, builder.shape(x), dtype, [builder.argument(number)]);
};

const broadcasts = (from: Shape, to: Shape): boolean => {
  const missing = to.length - from.length;
  return missing >= 0 && from.every((n, i) => n === 1 || n === to[i + missing]);
};

const binary: Move = (builder, draws) => {
  const op = draws.pick(binaryOps);
  const found = builder.candidates((node) => takes(op, node.dtype));
  if (found.length === 0) return;
  const a = draws.pickRecent(found);
  const [shape, dtype] = [builder.shape(a), builder.dtype(a)];
  const others = builder.candidates((node) => broadcasts(node.shape, shape));
  const b = builder.broadcast(builder.cast(draws.pickRecent(others), dtype), shape);
  const sources = draws.oneIn(2) ? [b, a] : [a, b];
  builder.add(op, sources, { operands: [null, null] }, shape, resultOf(op, dtype));
};

const where: Move = (builder, draws) => {
  const conditions = builder.candidates((node) => isBool(node.dtype));
  if (conditions.length === 0) return;
  const condition = draws.pickRecent(conditions);
  const shape = builder.shape(condition);
  const found = builder.candidates((node) => broadcasts(node.shape, shape));
  const a = builder.broadcast(draws.pick(found), shape);
  const dtype = builder.dtype(a);
  const number = numberFor(dtype, draws);
  const way = draws.below(3);
  if (way === 0) {
    const b = builder.broadcast(builder.cast(draws.pick(found), dtype), shape);
    builder.add('where', [condition, a, b], { operands: [null, null, null] }, shape, dtype);
    return;
  }
  const operands = way === 1 ? [null, null, number] : [null, number, null];
  builder.addWithArgs('where', [condition, a], { operands }, shape, dtype, [builder.argument(number)]);
};

const cast: Move = (builder, draws) => {
  const x = draws.pickRecent(builder.candidates(() => true));
  builder.cast(x, draws.pick(dtypes));
};

const bitcast: Move = (builder, draws) => {
  const partners: Partial<Record<DType, readonly DType[]>> = { f32: ['i32', 'u32'], i32: ['u32'], u32: ['i32'] };
  // Of floats only leaves: the bits of a computed NaN or zero are not the same everywhere.
  const found = builder.candidates((node) => node.dtype in partners && (!isFloat(node.dtype) || node.op === 'data'));
  if (found.length === 0) return;
  const x = draws.pickRecent(found);
  const dtype = draws.pick(partners[builder.dtype(x)]!);
  builder.add('bitcast', [x], { dtype }, builder.shape(x), dtype);
};

/** Reduces over some axes and spreads the result again, as every normalisation does. */
const rowStatistic: Move = (builder, draws) => {
  const found = builder.candidates((node) => isFloat(node.dtype) && node.shape.length > 0 && sizeOf(node.shape) > 0);
  if (found.length === 0) return;
  const x = draws.pickRecent(found);
  const [shape, dtype] = [builder.shape(x), builder.dtype(x)];
  const axes = draws.axes(shape.length);
  const over = axes.length === 0 ? [shape.length - 1] : axes;
  const kept = shape.filter((_, axis) => !over.includes(axis));
  const op = draws.pick(['sum', 'max_reduce'] as const);
  const statistic = builder.add(op, [x], { axes: over }, kept, dtype);
  const ones = shape.map((n, axis) => (over.includes(axis) ? 1 : n));
  const spread = builder.broadcast(builder.reshape(statistic, ones), shape);
  builder.add(draws.pick(['add', 'mul', 'max'] as const), [x, spread], { operands: [null, null] }, shape, dtype);
};

const reduce: Move = (builder, draws) => {
  const op = draws.pick(['sum', 'max_reduce', 'min_reduce', 'prod', 'argmax'] as const);
  const exact = op === 'max_reduce' || op === 'min_reduce' || op === 'argmax';
  const found = builder.candidates(
    (node) => node.shape.length > 0 && (exact ? sizeOf(node.shape) > 0 : node.dtype !== 'bool' && node.dtype !== 'u8'),
  );
  if (found.length === 0) return;
  const x = draws.pickRecent(found);
  const shape = builder.shape(x);
  const some = draws.axes(shape.length);
  const axes = op === 'argmax' || some.length === 0 ? [draws.below(shape.length)] : some;
  const kept = shape.filter((_, axis) => !axes.includes(axis));
  // A long product overflows or not, as its order has it.
  if (op === 'prod' && axes.reduce((n, axis) => n * shape[axis]!, 1) > 16) return;
  builder.add(op, [x], { axes }, kept, op === 'argmax' ? 'i32' : builder.dtype(x));
};

const barrier: Move = (builder, draws) => {
  const found = builder.candidates(() => true);
  const x = draws.pickRecent(found);
  const sources = draws.oneIn(3) ? [x, draws.pick(found)] : [x];
  builder.add('barrier', sources, {}, builder.shape(x), builder.dtype(x));
};

const concat: Move = (builder, draws) => {
  const found = builder.candidates((node) => node.shape.length > 0 && sizeOf(node.shape) <= maxSize / 3);
  if (found.length === 0) return;
  const x = draws.pickRecent(found);
  const [shape, dtype] = [builder.shape(x), builder.dtype(x)];
  const axis = draws.below(shape.length);
  const fits = builder.candidates(
    (node) =>
      node.shape.length === shape.length &&
      node.dtype === dtype &&
      sameShape(node.shape.with(axis, 0), shape.with(axis, 0)) &&
      sizeOf(node.shape) <= maxSize / 3,
  );
  const parts = [x, draws.pick(fits), ...(draws.oneIn(3) ? [draws.pick(fits)] : [])];
  const size = parts.reduce((total, part) => total + builder.shape(part)[axis]!, 0);
  builder.add('concat', parts, { axis }, shape.with(axis, size), dtype);
};

export const elementwiseMoves: readonly Move[] = [
  binary,
  leaf,
  unary,
  binaryWithNumber,
  binary,
  rowStatistic,
  reduce,
  where,
  cast,
  unary,
  binary,
  binaryWithNumber,
  reduce,
  rowStatistic,
  constant,
  iota,
  random,
  bitcast,
  barrier,
  concat,
];
