/**
 * Elementwise operations: which dtypes they take and give, and broadcasting, which is recorded as movement so that the
 * primitives themselves only ever see operands of one shape. A number operand stays a number of the node.
 */
import { type DType, floatOf, isFloat, promote } from '../dtype';
import { DTypeError } from '../errors';
import type { BinaryOp, Node, UnaryOp } from '../graph/node';
import { broadcastShapes, type Shape, sameShape } from '../shape';
import { broadcastTo } from './movement';
import { record } from './record';

export type Operand = Node | number | boolean;

const isNode = (x: Operand): x is Node => typeof x === 'object';

/** Which dtypes an operation works in: `float` turns integers into f32, `number` turns bool into i32. */
type Domain = 'float' | 'number' | 'any' | 'bits';

const unaryDomain: Record<UnaryOp, Domain> = {
  neg: 'number',
  abs: 'number',
  sign: 'number',
  floor: 'number',
  ceil: 'number',
  round: 'number',
  sqrt: 'float',
  reciprocal: 'float',
  exp: 'float',
  log: 'float',
  log1p: 'float',
  expm1: 'float',
  sin: 'float',
  cos: 'float',
  tanh: 'float',
  erf: 'float',
  not: 'bits',
};

const binaryDomain: Record<BinaryOp, Domain> = {
  add: 'number',
  mul: 'number',
  div: 'number',
  mod: 'number',
  pow: 'number',
  max: 'any',
  min: 'any',
  eq: 'any',
  lt: 'any',
  and: 'bits',
  or: 'bits',
  xor: 'bits',
  shl: 'bits',
  shr: 'bits',
};

function enter(operation: string, dtype: DType, domain: Domain): DType {
  if (domain === 'float') return floatOf(dtype);
  if (domain === 'number') return dtype === 'bool' ? 'i32' : dtype;
  if (domain === 'bits' && isFloat(dtype)) {
    throw new DTypeError(`${operation}: takes bool or integers, but got ${dtype}. Compare first, or cast('i32').`);
  }
  return dtype;
}

/** The same value in another dtype; no node when it already has it. */
export function cast(x: Node, dtype: DType): Node {
  return x.dtype === dtype ? x : record('cast', [x], { dtype }, x.shape, dtype);
}

export function unary(op: UnaryOp, x: Node): Node {
  const dtype = enter(op, x.dtype, unaryDomain[op]);
  if ((op === 'floor' || op === 'ceil' || op === 'round') && !isFloat(dtype)) return cast(x, dtype);
  return record(op, [cast(x, dtype)], {} as never, x.shape, dtype);
}

/** The dtype in which a number meets a tensor: the tensor's own; a fraction does not meet integers. */
function numberDType(operation: string, dtype: DType, value: number | boolean): DType {
  if (typeof value === 'boolean' || isFloat(dtype)) return dtype;
  if (!Number.isInteger(value)) {
    throw new DTypeError(
      `${operation}: ${value} is not a whole number, but the tensor is ${dtype}. Cast the tensor with cast('f32') first.`,
    );
  }
  if (dtype === 'bool') return 'i32';
  return dtype;
}

/** The dtype that all operands meet in; numbers follow the tensors. */
export function commonDType(operation: string, operands: readonly Operand[]): DType {
  let dtype: DType | undefined;
  for (const x of operands) if (isNode(x)) dtype = dtype === undefined ? x.dtype : promote(operation, dtype, x.dtype);
  if (dtype === undefined) return operands.every((x) => typeof x === 'boolean') ? 'bool' : 'f32';
  for (const x of operands) if (!isNode(x)) dtype = numberDType(operation, dtype, x);
  return dtype;
}

function commonShape(operation: string, operands: readonly Operand[]): Shape {
  let shape: Shape = [];
  for (const x of operands) if (isNode(x)) shape = broadcastShapes(operation, shape, x.shape);
  return shape;
}

/** Splits operands into sources, cast and broadcast, and the numbers between them. */
function meet(
  operands: readonly Operand[],
  shape: Shape,
  dtype: DType,
): { sources: Node[]; operands: (number | null)[] } {
  const sources: Node[] = [];
  const numbers = operands.map((x) => {
    if (!isNode(x)) return Number(x);
    sources.push(broadcastTo(cast(x, dtype), shape));
    return null;
  });
  return { sources, operands: numbers };
}

const allNumbers = (operands: readonly Operand[]): boolean => operands.every((x) => !isNode(x));

const constantNode = (value: number, dtype: DType): Node => record('constant', [], { value }, [], dtype);

/** No number among two operands. */
const twoSources = { operands: [null, null] } as const;

/** An operation of two operands; `operation` is the name for messages. */
export function binary(op: BinaryOp, a: Operand, b: Operand, operation: string = op): Node {
  if (isNode(a) && isNode(b) && a.dtype === b.dtype && sameShape(a.shape, b.shape)) {
    const dtype = enter(operation, a.dtype, binaryDomain[op]);
    if (dtype === a.dtype) return record(op, [a, b], twoSources, a.shape, op === 'eq' || op === 'lt' ? 'bool' : dtype);
  }
  const operands = allNumbers([a, b]) ? [constantNode(Number(a), commonDType(operation, [a])), b] : [a, b];
  const dtype = enter(operation, commonDType(operation, operands), binaryDomain[op]);
  const shape = commonShape(operation, operands);
  const met = meet(operands, shape, dtype);
  const result = op === 'eq' || op === 'lt' ? 'bool' : dtype;
  return record(op, met.sources, { operands: met.operands }, shape, result);
}

/** a / b as a number with a fraction: integers become f32 first. */
export function trueDivide(a: Operand, b: Operand): Node {
  const dtype = floatOf(
    commonDType(
      'div',
      [a, b].map((x) => (isNode(x) ? x : 0)),
    ),
  );
  const float = (x: Operand): Operand => (isNode(x) ? cast(x, dtype) : x);
  return binary('div', float(a), float(b));
}

/** Elements of `a` where the condition holds, else of `b`. */
export function where(condition: Node, a: Operand, b: Operand): Node {
  if (condition.dtype !== 'bool') {
    throw new DTypeError(`where: the condition is ${condition.dtype}, but must be bool. Compare it, as in x.ne(0).`);
  }
  const dtype = commonDType('where', [a, b]);
  const shape = broadcastShapes('where', condition.shape, commonShape('where', [a, b]));
  const met = meet([a, b], shape, dtype);
  return record(
    'where',
    [broadcastTo(condition, shape), ...met.sources],
    { operands: [null, ...met.operands] },
    shape,
    dtype,
  );
}

export function bitcast(x: Node, dtype: DType): Node {
  const words = (d: DType): boolean => d === 'f32' || d === 'i32' || d === 'u32';
  if (!words(x.dtype) || !words(dtype)) {
    throw new DTypeError(
      `bitcast: ${x.dtype} to ${dtype} is not between f32, i32 and u32. Use cast for a conversion of values.`,
    );
  }
  return x.dtype === dtype ? x : record('bitcast', [x], { dtype }, x.shape, dtype);
}
