/** Leaves and elementwise operations. */
import { type BinaryOp, type DType, sizeOf, type UnaryOp, ValueError } from '@dl/tensor';
import { binaryFunction, bitcastFunction, castFunction, rounded, unaryFunction } from '../scalar/arithmetic';
import { randomBits } from '../scalar/threefry';
import type { Call, Row } from './row';
import { fill } from './value';

export const leafRows = {
  data: () => {
    throw new ValueError('data: a leaf has no value of its own; give one.');
  },
  constant: ({ attrs, shape, dtype, argument }) => fill(shape, dtype, () => argument(0, attrs.value)),
  iota: ({ attrs, shape, dtype }) => fill(shape, dtype, (position) => position[attrs.axis] ?? 0),
  random: ({ attrs, shape, argument }) => {
    const [key0, key1] = [argument(0, attrs.key[0]), argument(1, attrs.key[1])];
    const counter = argument(2, attrs.counter);
    return fill(shape, 'u32', (_, flat) => randomBits(key0, key1, counter, flat));
  },
} satisfies { [O in 'data' | 'constant' | 'iota' | 'random']: Row<O> };

/** The operands of an elementwise node as functions of the place: a source's element, or the same number everywhere. */
function operandsOf(call: Call<BinaryOp | 'where'>, dtype: DType): ((flat: number) => number)[] {
  let source = 0;
  let place = 0;
  return call.attrs.operands.map((operand) => {
    if (operand === null) {
      const { data } = call.sources[source++]!;
      return (flat) => data[flat]!;
    }
    const value = rounded(dtype, call.argument(place++, operand));
    return () => value;
  });
}

const unary =
  (op: UnaryOp): Row<UnaryOp> =>
  ({ sources: [x], dtype }) =>
    x!.data.map(unaryFunction(op, dtype));

const binary =
  (op: BinaryOp): Row<BinaryOp> =>
  (call) => {
    const operand = call.sources[0]?.dtype ?? call.dtype;
    const apply = binaryFunction(op, operand, call.dtype);
    const [a, b] = operandsOf(call, operand);
    return Float64Array.from({ length: sizeOf(call.shape) }, (_, flat) => apply(a!(flat), b!(flat)));
  };

const where: Row<'where'> = (call) => {
  const [condition, a, b] = operandsOf(call, call.dtype);
  return Float64Array.from({ length: sizeOf(call.shape) }, (_, i) => (condition!(i) !== 0 ? a!(i) : b!(i)));
};

export const elementwiseRows = {
  neg: unary('neg'),
  abs: unary('abs'),
  sign: unary('sign'),
  floor: unary('floor'),
  ceil: unary('ceil'),
  round: unary('round'),
  sqrt: unary('sqrt'),
  reciprocal: unary('reciprocal'),
  exp: unary('exp'),
  log: unary('log'),
  log1p: unary('log1p'),
  expm1: unary('expm1'),
  sin: unary('sin'),
  cos: unary('cos'),
  tanh: unary('tanh'),
  erf: unary('erf'),
  not: unary('not'),
  cast: ({ sources: [x], attrs }: Call<'cast'>) => x!.data.map(castFunction(x!.dtype, attrs.dtype)),
  bitcast: ({ sources: [x], attrs }: Call<'bitcast'>) => x!.data.map(bitcastFunction(x!.dtype, attrs.dtype)),
  add: binary('add'),
  mul: binary('mul'),
  div: binary('div'),
  mod: binary('mod'),
  pow: binary('pow'),
  max: binary('max'),
  min: binary('min'),
  eq: binary('eq'),
  lt: binary('lt'),
  and: binary('and'),
  or: binary('or'),
  xor: binary('xor'),
  shl: binary('shl'),
  shr: binary('shr'),
  where,
};
