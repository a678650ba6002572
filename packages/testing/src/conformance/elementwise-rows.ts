/** Elementwise operations. */
import type { BinaryOp, DType, Tensor, TensorLike, UnaryOp } from '@dl/tensor';
import type { Tolerance } from '../tolerance';
import { all, type Call, type Domain, floats, integers, layouts, numbers, pairs, type Row } from './row';

/** Approximated functions: 2 ulp of the result, and near a zero of sine and cosine of the argument. */
const approximate: Tolerance = { rtol: 6e-7, atol: 4e-7 };
const exact: Tolerance = { rtol: 0, atol: 0 };
/** Division and roots, which not every device rounds correctly. */
const nearlyExact: Tolerance = { rtol: 3e-7, atol: 1e-37 };

type UnaryRow = readonly [apply: (x: Tensor) => Tensor, dtypes: readonly DType[], domain: Domain, tolerance: Tolerance];

const signed: readonly DType[] = ['f32', 'f64', 'i32', 'u32', 'u8'];

const unary = {
  neg: [(x) => x.neg(), signed, 'special', exact],
  abs: [(x) => x.abs(), signed, 'special', exact],
  sign: [(x) => x.sign(), signed, 'special', exact],
  floor: [(x) => x.floor(), floats, 'special', exact],
  ceil: [(x) => x.ceil(), floats, 'special', exact],
  round: [(x) => x.round(), floats, 'special', exact],
  sqrt: [(x) => x.sqrt(), floats, 'special', nearlyExact],
  reciprocal: [(x) => x.reciprocal(), floats, 'special', nearlyExact],
  exp: [(x) => x.exp(), floats, 'moderate', approximate],
  log: [(x) => x.log(), floats, 'positive', approximate],
  log1p: [(x) => x.log1p(), floats, 'positive', approximate],
  expm1: [(x) => x.expm1(), floats, 'moderate', approximate],
  sin: [(x) => x.sin(), floats, 'moderate', approximate],
  cos: [(x) => x.cos(), floats, 'moderate', approximate],
  tanh: [(x) => x.tanh(), floats, 'moderate', approximate],
  erf: [(x) => x.erf(), floats, 'moderate', approximate],
  not: [(x) => x.not(), ['i32', 'u32', 'u8', 'bool'], 'special', exact],
} satisfies Record<UnaryOp, UnaryRow>;

const unaryRows: Row[] = Object.entries(unary).map(([name, [apply, dtypes, domain, tolerance]]) => ({
  name,
  dtypes,
  tolerance,
  calls: layouts(apply, domain),
}));

/** Arguments at which an approximation is hard: overflow, underflow, cancellation, and far from 0. */
const hard: readonly (readonly [name: string, apply: (x: Tensor) => Tensor, values: readonly number[]])[] = [
  ['exp', (x) => x.exp(), [88.7, 89, -87, -104, 1e-8, -1e-8, 0.5, -0.5]],
  ['log', (x) => x.log(), [1e-37, 1e38, 1.0001, 0.9999, 1, 0, -1, Infinity]],
  ['log1p', (x) => x.log1p(), [1e-10, -1e-10, -0.999, -1, -2, 1e10, 0.5, -0.5]],
  ['expm1', (x) => x.expm1(), [1e-10, -1e-10, -20, 50, 0.3, -0.3, 1e-4, 88]],
  ['tanh', (x) => x.tanh(), [1e-5, -1e-5, 9, -9, 20, 0.3, 100, -0.6]],
  ['sin', (x) => x.sin(), [100, -100, 1000, 12345.5, 6.25, -31.4, 1e-6, 500]],
  ['cos', (x) => x.cos(), [100, -100, 1000, 12345.5, 6.25, -31.4, 1e-6, 500]],
  ['erf', (x) => x.erf(), [1e-6, 0.5, 1, 2, 3, 4, -0.9, 5]],
];

const hardRows: Row[] = hard.map(([name, apply, values]) => ({
  name: `${name} of hard arguments`,
  dtypes: floats,
  tolerance: approximate,
  calls: [{ inputs: [{ shape: [values.length], domain: { values } }], apply }],
}));

type BinaryRow = readonly [
  apply: (a: Tensor, b: TensorLike) => Tensor,
  dtypes: readonly DType[],
  domain: Domain,
  tolerance: Tolerance,
  number: number,
];

const bits: readonly DType[] = ['i32', 'u32', 'u8', 'bool'];

/** The quotient as the primitive has it: true for floats, truncating for integers. */
const quotient = (a: Tensor, b: TensorLike): Tensor =>
  a.dtype === 'f32' || a.dtype === 'f64' ? a.div(b) : a.sub(a.mod(b)).floorDivide(b);

const binary = {
  add: [(a, b) => a.add(b), signed, 'special', exact, 3],
  mul: [(a, b) => a.mul(b), signed, 'special', exact, 3],
  div: [quotient, signed, 'special', nearlyExact, 3],
  mod: [(a, b) => a.mod(b), signed, 'small', nearlyExact, 3],
  pow: [(a, b) => a.pow(b), floats, 'positive', { rtol: 4e-6, atol: 1e-37 }, 3],
  max: [(a, b) => a.maximum(b), all, 'special', exact, 1],
  min: [(a, b) => a.minimum(b), all, 'special', exact, 1],
  eq: [(a, b) => a.eq(b), all, 'special', exact, 1],
  lt: [(a, b) => a.lt(b), all, 'special', exact, 1],
  and: [(a, b) => a.and(b), bits, 'special', exact, 1],
  or: [(a, b) => a.or(b), bits, 'special', exact, 1],
  xor: [(a, b) => a.xor(b), bits, 'special', exact, 1],
  shl: [(a, b) => a.shl(b), integers, 'special', exact, 3],
  shr: [(a, b) => a.shr(b), integers, 'special', exact, 3],
} satisfies Record<BinaryOp, BinaryRow>;

const binaryRows: Row[] = Object.entries(binary).map(([name, [apply, dtypes, domain, tolerance, number]]) => ({
  name,
  dtypes,
  tolerance,
  calls: [...pairs(apply, domain), ...layouts((x) => apply(x, number), domain)],
}));

const castRows: Row[] = all.map((target) => ({
  name: `cast to ${target}`,
  dtypes: all,
  tolerance: exact,
  calls: layouts((x) => x.cast(target), 'special'),
}));

const whereCall = (apply: (c: Tensor, a: Tensor, b: Tensor) => Tensor): Call => ({
  inputs: [
    { shape: [4, 9], dtype: 'bool' },
    { shape: [9], domain: 'special' },
    { shape: [4, 1], domain: 'special' },
  ],
  apply,
});

const otherRows: Row[] = [
  {
    name: 'where',
    dtypes: all,
    tolerance: exact,
    calls: [
      whereCall((c, a, b) => c.where(a, b)),
      whereCall((c, a) => c.where(a, 1)),
      whereCall((c, _, b) => c.where(0, b)),
    ],
  },
  {
    name: 'bitcast',
    dtypes: ['f32'],
    tolerance: exact,
    // NaN has many bit patterns, and a device may change one into another.
    calls: [
      ...layouts((x) => x.bitcast('i32'), 'small'),
      ...layouts((x) => x.bitcast('u32').add(1).bitcast('f32'), 'positive'),
    ],
  },
  {
    name: 'powers of integers',
    dtypes: ['i32', 'u8'],
    tolerance: exact,
    calls: [0, 1, 2, 5].map((n) => ({ inputs: [{ shape: [9] }], apply: (x: Tensor) => x.pow(n) })),
  },
  {
    name: 'a chain of many operations',
    dtypes: numbers,
    tolerance: exact,
    calls: [
      {
        inputs: [{ shape: [6, 35] }],
        apply: (x) =>
          Array.from({ length: 60 }, (_, i) => i).reduce(
            (y, i) =>
              y
                .add(i % 3)
                .maximum(x)
                .minimum(9),
            x,
          ),
      },
    ],
  },
];

export const elementwiseRows: readonly Row[] = [...unaryRows, ...hardRows, ...binaryRows, ...castRows, ...otherRows];
