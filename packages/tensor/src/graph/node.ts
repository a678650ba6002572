/**
 * What is recorded: the primitives, their attributes, and the node that one call leaves behind. Everything the library
 * computes is a composition of these few operations; each has one row in each table (shape rule in `ops/`, gradient in
 * `@dl/autograd`, reference evaluation in `@dl/testing`, rendering in a backend), and a table that lacks a row does
 * not compile.
 */
import type { DType } from '../dtype';
import type { Shape } from '../shape';

/**
 * Operands of an elementwise operation, in order: a number stands for itself, `null` for the next source. So `x − 1` is
 * one node with one source, and the number is an argument of the kernel rather than a part of its structure.
 */
export interface Operands {
  readonly operands: readonly (number | null)[];
}

/** A window that slides over the last `size.length` axes. */
export interface Window {
  readonly size: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  /** Elements added before and after each axis: −∞ for a maximum, 0 for a sum. */
  readonly padding: readonly (readonly [number, number])[];
}

/** How a convolution slides; every list has one entry a spatial axis. */
export interface ConvolutionSpec {
  readonly stride: readonly number[];
  /** Zeros before and after each axis of the data, after `lhsDilation`; negative crops. */
  readonly padding: readonly (readonly [number, number])[];
  /** Distance between neighbouring data elements (a transposed convolution's stride). */
  readonly lhsDilation: readonly number[];
  /** Distance between neighbouring kernel elements. */
  readonly rhsDilation: readonly number[];
  readonly groups: number;
}

/** A start of a slice: a number, or the place in `sources` of an integer scalar tensor that is read at run time. */
export type Start = number | { readonly source: number };

/** A named operation that a backend may have a kernel for; `decompose` is its meaning in primitives. */
export interface CustomDefinition {
  readonly name: string;
  /** Numbers that belong to the structure of the kernel. */
  readonly parameters: Readonly<Record<string, number | string | boolean>>;
  /** The value of output `index` in primitives, given the sources. */
  decompose(sources: readonly Node[], index: number): Node;
}

/** A stream of random numbers, as far as the graph knows it. A compiled function draws on from it at each call. */
export interface Counter {
  readonly key: readonly [number, number];
  /** Where the stream stands. */
  readonly counter: number;
  /** Reserves `count` numbers and returns the first's place. */
  draw(count: number): number;
  /** Puts the stream back to where it stood. */
  rewind(counter: number): void;
}

type None = Readonly<Record<never, never>>;

export interface OpAttributes {
  // Leaves.
  /** A stored value: data from the host, a result of an earlier run, or a version of a variable. */
  data: None;
  /** One number everywhere. */
  constant: { readonly value: number };
  /** The position along an axis: 0, 1, 2, … */
  iota: { readonly axis: number };
  /** u32 bits of a counter-based generator: element i is threefry2x32(key, (counter + i)). */
  random: { readonly key: readonly [number, number]; readonly counter: number; readonly generator: Counter };

  // Elementwise, one operand.
  neg: None;
  abs: None;
  sign: None;
  floor: None;
  ceil: None;
  /** Half to even. */
  round: None;
  sqrt: None;
  reciprocal: None;
  exp: None;
  log: None;
  log1p: None;
  expm1: None;
  sin: None;
  cos: None;
  tanh: None;
  erf: None;
  /** Float to integer truncates and saturates (NaN gives 0); anything to bool is `≠ 0`; u8 takes the low 8 bits of an integer. */
  cast: { readonly dtype: DType };
  /** The same bits as another dtype of the same width. */
  bitcast: { readonly dtype: DType };
  /** Logical on bool, bitwise on integers. */
  not: None;

  // Elementwise, two operands of one dtype.
  add: Operands;
  mul: Operands;
  /** True division for floats; truncating for integers, where x / 0 is 0. */
  div: Operands;
  /** Remainder with the sign of the divisor (x − floor(x/y)·y); integer x mod 0 is 0. */
  mod: Operands;
  pow: Operands;
  /** NaN if either is NaN. */
  max: Operands;
  min: Operands;
  /** These two give bool. */
  eq: Operands;
  lt: Operands;
  /** Logical on bool, bitwise on integers. */
  and: Operands;
  or: Operands;
  xor: Operands;
  /** Shifts of integers; the count is taken modulo 32; right shift is arithmetic on i32. */
  shl: Operands;
  shr: Operands;

  /** where(condition: bool, a, b). The condition is always a source. */
  where: Operands;

  // Movement: a pure function from output indices to input indices.
  reshape: { readonly shape: Shape };
  permute: { readonly axes: readonly number[] };
  /** Axes of size 1 stretch; the rank stays. */
  expand: { readonly shape: Shape };
  /** out[i] = x[start + i·step], of the given sizes; a step may be negative. */
  slice: { readonly starts: readonly Start[]; readonly sizes: Shape; readonly steps: readonly number[] };
  /** `low` before, `high` after (negative crops), `interior` between neighbours; `value` fills. */
  pad: {
    readonly low: readonly Start[];
    readonly high: readonly number[];
    readonly interior: readonly number[];
    readonly value: number;
    readonly sizes: Shape;
  };

  // Reductions; the reduced axes disappear.
  sum: { readonly axes: readonly number[] };
  prod: { readonly axes: readonly number[] };
  max_reduce: { readonly axes: readonly number[] };
  min_reduce: { readonly axes: readonly number[] };
  /** i32 index of the first largest element along one axis (a NaN counts as largest). */
  argmax: { readonly axes: readonly number[] };

  concat: { readonly axis: number };

  // Contractions.
  /** out[batch…, lhs free…, rhs free…] = Σ over the contracted axes of lhs · rhs. */
  dot: {
    readonly lhsBatch: readonly number[];
    readonly rhsBatch: readonly number[];
    readonly lhsContract: readonly number[];
    readonly rhsContract: readonly number[];
  };
  /** Cross-correlation of [N, C, spatial…] with [O, C / groups, kernel…], giving [N, O, spatial…]. */
  convolution: ConvolutionSpec;

  // Windows over the last axes.
  window_sum: Window;
  window_max: Window;
  /** i32: flat index, in the plane of the last axes without padding, of each window's first largest element. */
  window_argmax: Window;

  // Indexing by data. `operation` is what the user called, for the message about an index out of range.
  /** out[…, j, …] = x[…, index[…, j, …], …] along `axis`; the index has the shape of the result. */
  gather: { readonly axis: number; readonly operation?: string };
  /** A copy of base, with updates added to (or put at) base[…, index[…, j, …], …]. Sources: base, index, updates. */
  scatter: { readonly axis: number; readonly mode: 'add' | 'set'; readonly operation?: string };

  /** h_t = a_t · h_{t−1} + b_t along `axis`, h before the first step is 0; `reverse` runs from the end. Sources: a, b. */
  scan: { readonly axis: number; readonly reverse: boolean };
  /** i32 order that sorts along `axis`; stable; NaN is largest. */
  argsort: { readonly axis: number; readonly descending: boolean };
  /** i32 indices of the k largest along `axis`, best first, the earlier on ties. */
  argtopk: { readonly axis: number; readonly k: number };

  /**
   * The value of the first source, never shared with an equal node nor moved across (checkpointing). What reads it is computed
   * after the other sources.
   */
  barrier: None;
  /** Output `index` of a custom operation. */
  custom: {
    readonly definition: CustomDefinition;
    readonly index: number;
    readonly shape: Shape;
    readonly dtype: DType;
  };
}

export type Op = keyof OpAttributes;

export const unaryOps = [
  'neg',
  'abs',
  'sign',
  'floor',
  'ceil',
  'round',
  'sqrt',
  'reciprocal',
  'exp',
  'log',
  'log1p',
  'expm1',
  'sin',
  'cos',
  'tanh',
  'erf',
  'not',
] as const;
export const binaryOps = [
  'add',
  'mul',
  'div',
  'mod',
  'pow',
  'max',
  'min',
  'eq',
  'lt',
  'and',
  'or',
  'xor',
  'shl',
  'shr',
] as const;
export const reduceOps = ['sum', 'prod', 'max_reduce', 'min_reduce', 'argmax'] as const;
export const movementOps = ['reshape', 'permute', 'expand', 'slice', 'pad'] as const;

export type UnaryOp = (typeof unaryOps)[number];
export type BinaryOp = (typeof binaryOps)[number];
export type ReduceOp = (typeof reduceOps)[number];
export type MovementOp = (typeof movementOps)[number];
export type ElementwiseOp = UnaryOp | BinaryOp | 'cast' | 'bitcast' | 'where';

/** A value held in a backend's storage; who holds the object holds the storage. */
export interface Stored {
  readonly byteLength: number;
  /** Marks of walks over the graph; meaningless to others. */
  mark: number;
  slot: number;
}

let recorded = 0;

/** One recorded operation. Immutable but for its stored value and for the links that are cut once they are not needed. */
export class Node<O extends Op = Op> {
  /** Rises in the order of recording, so that sources always have smaller ids. */
  readonly id = ++recorded;
  /** Where the value lives once it was computed or given. Set by `realize`. */
  stored: Stored | null = null;
  /** A variable's assigned value until the run that stores it: a leaf for gradients, not for computing. */
  definition: Node | null = null;
  /** How often a run computed this value without keeping it. */
  computed = 0;
  /** Whether a gradient passed here for good: from now on the sources serve computing only, and go once it is stored. */
  consumed = false;
  /** Marks of walks over the graph; meaningless to others. */
  mark = 0;
  slot = 0;

  constructor(
    readonly op: O,
    public sources: readonly Node[],
    readonly attrs: OpAttributes[O],
    readonly shape: Shape,
    readonly dtype: DType,
    readonly requiresGrad: boolean,
  ) {}
}

/** Narrows a node to one operation, so that its attributes are typed. */
export const isOp = <O extends Op>(node: Node, op: O): node is Node<O> => (node.op as Op) === op;
