/**
 * The tensor: an immutable value, as a thin handle on a recorded node. A method checks shapes and dtypes at once and
 * records; nothing is computed before it is read. Primitives come from `ops/`, and whatever is a composition of them from
 * `compose/`, which see this class as a type only.
 */

import type { Backend } from './backend';
import { chunk, flip, narrow, repeat, split, stackParts, tile } from './compose/arrange';
import { at, type IndexPart, withValue } from './compose/index-at';
import { matmul } from './compose/matmul';
import { cumulativeProduct, cumulativeSum, sorted, topK } from './compose/order';
import { logSoftmax, logSumExp, softmax } from './compose/softmax';
import { centred, std, variance } from './compose/statistics';
import { type DType, type HostArrays, isFloat, type TypedArray } from './dtype';
import { DTypeError, ShapeError, ValueError } from './errors';
import { type Nested, nest } from './format';
import type { BinaryOp, ConvolutionSpec, Node, OpAttributes, UnaryOp, Window } from './graph/node';
import { numbersOf } from './half';
import { inOperation } from './operation-name';
import { convolution, dot } from './ops/contraction';
import { binary, bitcast, cast, trueDivide, unary, where } from './ops/elementwise';
import { argsort, argtopk, gather, scan, scatter } from './ops/indexing';
import {
  broadcastTo,
  concat as concatNodes,
  type PadOptions,
  pad,
  permute,
  place,
  reshape,
  slice,
} from './ops/movement';
import { leaf } from './ops/record';
import { argmax, reduce } from './ops/reduce';
import { windowed } from './ops/window';
import { cellOf } from './run/cell';
import { copy, read, readSync, realize } from './run/realize';
import { gradSet } from './run/trace';
import { Value } from './run/value';
import { checkAxes, checkAxis, type Shape, showShape, sizeOf, withOnes } from './shape';

/** What a binary operation takes beside a tensor: another one, or a number of the tensor's dtype. */
export type TensorLike = Tensor | number | boolean;

export interface KeepDims {
  /** Leaves reduced axes in place with size 1. Default false. */
  readonly keepDims?: boolean;
}

export interface VarianceOptions extends KeepDims {
  /** Divide by n − correction. Default 1, as in PyTorch. */
  readonly correction?: number;
}

type Axes = number | readonly number[];

/** A start of `slice` or `place`: a number, or an i32 scalar tensor that is read when the kernel runs. */
export type RuntimeStart = number | Tensor;

/** A tuple of n numbers. */
export type Dims<N extends number, T extends number[] = []> = number extends N
  ? number[]
  : T['length'] extends N
    ? T
    : Dims<N, [...T, number]>;

/** structuredClone throws on a function, which is the point: a tensor's memory is not on the host. */
function cannotBeClonedReadItWithDataFirst(): never {
  throw new DTypeError('A tensor cannot be cloned by structuredClone. Send await x.data() and x.shape instead.');
}

/**
 * An array of numbers of one dtype, with a shape: an immutable value, which is recorded now and computed when it is read.
 *
 * @example
 * const x = tensor([[1, 2], [3, 4]]);
 * console.log(await x.matmul(x).add(1).array()); // nothing ran before this line
 */
export class Tensor {
  readonly #node: Node;
  #grad: Tensor | null = null;
  /** @internal Makes `structuredClone` and `postMessage` throw. */
  readonly transfer = cannotBeClonedReadItWithDataFirst;

  /** @internal Tensors come from `tensor`, `zeros`, … and from operations. */
  constructor(node: Node) {
    this.#node = node;
  }

  /** The recorded operation, for those who walk the graph (`@dl/autograd`). */
  get node(): Node {
    return this.#node;
  }
  get shape(): Shape {
    return this.node.shape;
  }
  get dtype(): DType {
    return this.node.dtype;
  }
  get rank(): number {
    return this.shape.length;
  }
  /** How many elements it has. */
  get size(): number {
    return sizeOf(this.shape);
  }
  get requiresGrad(): boolean {
    return this.node.requiresGrad;
  }

  /** What `backward` added up, or null. */
  get grad(): Tensor | null {
    return this.#grad;
  }
  set grad(value: Tensor | null) {
    this.#grad = value;
    gradSet(this);
  }

  /** The shape as a tuple, checked: `const [B, T, C] = x.dims(3)`. */
  dims<N extends number>(rank: N): Dims<N> {
    if (this.rank !== rank)
      throw new ShapeError(`dims: ${rank} axes were expected, but the shape is ${showShape(this.shape)}.`);
    return [...this.shape] as Dims<N>;
  }

  // Reading.

  /** The elements in row-major order; f16 as its bits in a Uint16Array. With a dtype, the tensor must have it. */
  async data<D extends DType = DType>(dtype?: D): Promise<DType extends D ? TypedArray : HostArrays[D]> {
    this.#checkRead('data', dtype);
    return (await read(this.node)) as never;
  }

  /** The same at once, where the backend can. */
  dataSync<D extends DType = DType>(dtype?: D): DType extends D ? TypedArray : HostArrays[D] {
    this.#checkRead('dataSync', dtype);
    return readSync(this.node) as never;
  }

  #checkRead(operation: string, dtype: DType | undefined): void {
    if (dtype !== undefined && dtype !== this.dtype)
      throw new DTypeError(
        `${operation}: ${dtype} was asked for, but the tensor is ${this.dtype}. Use cast('${dtype}') first.`,
      );
  }

  /** The elements as nested arrays; bool gives booleans. With a rank, the tensor must have it. */
  async array<R extends number = number>(rank?: R): Promise<Nested<R>> {
    if (rank !== undefined) this.dims(rank);
    return nest(await read(this.node), this.shape, this.dtype) as Nested<R>;
  }

  /** The one element. */
  async item(): Promise<number> {
    if (this.size !== 1)
      throw new ShapeError(
        `item: the shape is ${showShape(this.shape)}, but only a tensor of one element is a number. Reduce it first.`,
      );
    return numbersOf(await read(this.node), this.dtype)[0]!;
  }

  /** Computes and stores the value now. */
  realize(): this {
    realize([this.node]);
    return this;
  }

  /** The same values on another backend: they go through the host. */
  async to(backend: Backend): Promise<Tensor> {
    const data = await read(this.node);
    const node = leaf(this.shape, this.dtype, false);
    node.stored = Value.ofHost(this.dtype, data);
    (node.stored as Value).on(backend);
    return new Tensor(node);
  }

  /** Returns the memory at once. The tensor cannot be read afterwards. */
  dispose(): void {
    (this.node.stored as Value | null)?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** A copy in storage of its own, of the value as it is now. */
  clone(): Tensor {
    return new Tensor(copy(this.node));
  }

  [Symbol.toPrimitive](): never {
    throw new DTypeError(
      'A tensor has no value in a string or a sum of numbers before it is read. Use await x.item() or await x.array().',
    );
  }

  get [Symbol.toStringTag](): string {
    return `Tensor ${this.dtype} ${showShape(this.shape)}`;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `${this[Symbol.toStringTag]}${this.requiresGrad ? ' requiresGrad' : ''}`;
  }

  // Elementwise.

  #unary(op: UnaryOp): Tensor {
    return new Tensor(unary(op, this.node));
  }
  #binary(op: BinaryOp, other: TensorLike, operation: string = op): Tensor {
    return new Tensor(binary(op, this.node, operandOf(other), operation));
  }

  /** The values in another dtype. Float to integer truncates and saturates; to bool is ≠ 0. */
  cast(dtype: DType): Tensor {
    return dtype === this.dtype ? this : new Tensor(cast(this.node, dtype));
  }
  /** The same bits as another dtype of 32 bits. */
  bitcast(dtype: DType): Tensor {
    return new Tensor(bitcast(this.node, dtype));
  }
  neg(): Tensor {
    return this.#unary('neg');
  }
  abs(): Tensor {
    return this.#unary('abs');
  }
  /** −1, 0 or 1; NaN stays. */
  sign(): Tensor {
    return this.#unary('sign');
  }
  floor(): Tensor {
    return this.#unary('floor');
  }
  ceil(): Tensor {
    return this.#unary('ceil');
  }
  /** Half to even. */
  round(): Tensor {
    return this.#unary('round');
  }
  /** Towards zero. */
  trunc(): Tensor {
    return isFloat(this.dtype) ? this.lt(0).where(this.ceil(), this.floor()) : this;
  }
  sqrt(): Tensor {
    return this.#unary('sqrt');
  }
  rsqrt(): Tensor {
    return this.sqrt().reciprocal();
  }
  square(): Tensor {
    return this.mul(this);
  }
  reciprocal(): Tensor {
    return this.#unary('reciprocal');
  }
  exp(): Tensor {
    return this.#unary('exp');
  }
  log(): Tensor {
    return this.#unary('log');
  }
  log2(): Tensor {
    return this.log().mul(Math.LOG2E);
  }
  log10(): Tensor {
    return this.log().mul(Math.LOG10E);
  }
  log1p(): Tensor {
    return this.#unary('log1p');
  }
  expm1(): Tensor {
    return this.#unary('expm1');
  }
  sin(): Tensor {
    return this.#unary('sin');
  }
  cos(): Tensor {
    return this.#unary('cos');
  }
  tan(): Tensor {
    return this.sin().div(this.cos());
  }
  tanh(): Tensor {
    return this.#unary('tanh');
  }
  erf(): Tensor {
    return this.#unary('erf');
  }
  /** 1 / (1 + e^−x), computed as (1 + tanh(x / 2)) / 2, which overflows nowhere. */
  sigmoid(): Tensor {
    return this.mulFloat(0.5).tanh().add(1).mul(0.5);
  }
  /** max(x, 0), with gradient 0 at 0. */
  relu(): Tensor {
    return this.maximum(0);
  }
  /** Logical on bool, bitwise on integers. */
  not(): Tensor {
    return this.#unary('not');
  }
  isNaN(): Tensor {
    return this.eq(this).not();
  }
  isFinite(): Tensor {
    return this.abs().lt(Number.POSITIVE_INFINITY);
  }

  /** @internal */
  mulFloat(factor: number): Tensor {
    return (isFloat(this.dtype) ? this : this.cast('f32')).mul(factor);
  }

  add(other: TensorLike): Tensor {
    return this.#binary('add', other);
  }
  sub(other: TensorLike): Tensor {
    return this.#binary('add', typeof other === 'object' ? other.neg() : -Number(other), 'sub');
  }
  mul(other: TensorLike): Tensor {
    return this.#binary('mul', other);
  }
  /** True division; integers become f32. */
  div(other: TensorLike): Tensor {
    return new Tensor(trueDivide(this.node, operandOf(other)));
  }
  /** The quotient rounded down; integers stay integers. */
  floorDivide(other: TensorLike): Tensor {
    if (isFloat(this.dtype)) return this.div(other).floor();
    return this.sub(this.mod(other)).#binary('div', other);
  }
  /** Remainder with the sign of the divisor. */
  mod(other: TensorLike): Tensor {
    return this.#binary('mod', other);
  }
  pow(other: TensorLike): Tensor {
    if (other === 2) return this.square();
    if (other === 0.5) return this.sqrt();
    return this.#binary('pow', other);
  }
  /** The larger of the two; NaN if either is. Between tensors that tie, each takes half the gradient; a number that ties takes all. */
  maximum(other: TensorLike): Tensor {
    return this.#binary('max', other, 'maximum');
  }
  minimum(other: TensorLike): Tensor {
    return this.#binary('min', other, 'minimum');
  }
  /** Limits to [low, high]; at a limit the gradient is 1. */
  clamp(low: number, high: number): Tensor {
    const above = Number.isFinite(low) ? this.lt(low).where(low, this) : this;
    return Number.isFinite(high) ? above.gt(high).where(high, above) : above;
  }
  eq(other: TensorLike): Tensor {
    return this.#binary('eq', other);
  }
  ne(other: TensorLike): Tensor {
    return this.#binary('eq', other, 'ne').not();
  }
  lt(other: TensorLike): Tensor {
    return this.#binary('lt', other);
  }
  #greater(other: TensorLike, operation: string): Tensor {
    return new Tensor(binary('lt', operandOf(other), this.node, operation));
  }
  gt(other: TensorLike): Tensor {
    return this.#greater(other, 'gt');
  }
  le(other: TensorLike): Tensor {
    return this.#binary('lt', other, 'le').or(this.eq(other));
  }
  ge(other: TensorLike): Tensor {
    return this.#greater(other, 'ge').or(this.eq(other));
  }
  and(other: TensorLike): Tensor {
    return this.#binary('and', other);
  }
  or(other: TensorLike): Tensor {
    return this.#binary('or', other);
  }
  xor(other: TensorLike): Tensor {
    return this.#binary('xor', other);
  }
  shl(other: TensorLike): Tensor {
    return this.#binary('shl', other);
  }
  shr(other: TensorLike): Tensor {
    return this.#binary('shr', other);
  }
  /** For a bool tensor: elements of `a` where it holds, else of `b`. */
  where(a: TensorLike, b: TensorLike): Tensor {
    return new Tensor(where(this.node, operandOf(a), operandOf(b)));
  }

  // Movement.

  /** One size may be −1 and follows from the others. */
  reshape(shape: Shape): Tensor {
    return this.#moved(reshape(this.node, shape));
  }
  #moved(node: Node): Tensor {
    return node === this.node ? this : new Tensor(node);
  }
  /** Joins the axes from `start` to `end` into one. */
  flatten(start = 0, end = -1): Tensor {
    if (this.rank === 0) return this.reshape([1]);
    const from = checkAxis('flatten', start, this.rank);
    const to = checkAxis('flatten', end, this.rank);
    return this.reshape([
      ...this.shape.slice(0, from),
      sizeOf(this.shape.slice(from, to + 1)),
      ...this.shape.slice(to + 1),
    ]);
  }
  permute(axes: readonly number[]): Tensor {
    return this.#moved(permute(this.node, axes));
  }
  /** Exchanges two axes; the last two by default. */
  transpose(a = -2, b = -1): Tensor {
    const axes = this.shape.map((_, i) => i);
    const [i, j] = [checkAxis('transpose', a, this.rank), checkAxis('transpose', b, this.rank)];
    [axes[i], axes[j]] = [axes[j]!, axes[i]!];
    return this.permute(axes);
  }
  /** Removes axes of size 1: the given ones, or all. */
  squeeze(axes?: Axes): Tensor {
    const drop =
      axes === undefined
        ? this.shape.flatMap((n, i) => (n === 1 ? [i] : []))
        : checkAxes('squeeze', axes, this.rank).filter((a) => this.shape[a] === 1);
    return this.reshape(this.shape.filter((_, i) => !drop.includes(i)));
  }
  /** Adds an axis of size 1. */
  unsqueeze(axis: number): Tensor {
    const place = checkAxis('unsqueeze', axis, this.rank + 1);
    return this.reshape([...this.shape.slice(0, place), 1, ...this.shape.slice(place)]);
  }
  /** Stretches axes of size 1, and adds axes in front; −1 keeps a size. */
  expand(shape: Shape): Tensor {
    const added = shape.length - this.rank;
    return this.#moved(
      broadcastTo(
        this.node,
        shape.map((n, i) => (n === -1 ? (this.shape[i - added] ?? 1) : n)),
      ),
    );
  }
  /** out[i] = x[start + i·step] along each axis; starts may be i32 scalar tensors, read when the kernel runs. */
  slice(starts: readonly RuntimeStart[], sizes: Shape, steps?: readonly number[]): Tensor {
    return this.#moved(slice(this.node, starts.map(startOf), sizes, steps));
  }
  /** Adds `low` before and `high` after each axis (negative crops). */
  pad(low: readonly number[], high: readonly number[], options?: PadOptions): Tensor {
    return this.#moved(pad(this.node, low, high, options));
  }
  /** This tensor inside a field of `value` of the given shape, at starts that may be i32 scalar tensors. */
  place(starts: readonly RuntimeStart[], shape: Shape, value = 0): Tensor {
    return new Tensor(place(this.node, starts.map(startOf), shape, value));
  }
  /** `length` elements along an axis, from `start`. */
  narrow(axis: number, start: RuntimeStart, length: number): Tensor {
    return narrow(this, axis, start, length);
  }
  flip(axes?: Axes): Tensor {
    return flip(this, axes);
  }
  /** Parts of the given size (the last may be smaller), or of the given sizes, along an axis. */
  split(axis: number, size: number | readonly number[]): Tensor[] {
    return split(this, axis, size);
  }
  /** At most `count` parts of equal size; the last may be smaller. */
  chunk(axis: number, count: number): Tensor[] {
    return chunk(this, axis, count);
  }
  /** Repeats the whole along each axis. */
  tile(counts: readonly number[]): Tensor {
    return tile(this, counts);
  }
  /** Repeats each element along an axis. */
  repeat(axis: number, count: number): Tensor {
    return repeat(this, axis, count);
  }
  /** `x.at(0, ':', '1:3', '...', null, ids)`: numbers, ranges, an ellipsis, new axes, one tensor of indices. */
  at(...parts: readonly IndexPart[]): Tensor {
    return inOperation('at', () => at(this, parts));
  }
  /** A tensor like this one, with `value` at the given place. */
  with(parts: readonly IndexPart[], value: TensorLike): Tensor {
    return inOperation('with', () => withValue(this, parts, value));
  }

  // Reductions.

  #reduced(node: Node, axes: Axes | undefined, options: KeepDims | undefined): Tensor {
    const result = new Tensor(node);
    return options?.keepDims ? result.reshape(withOnes(this.shape, checkAxes('keepDims', axes, this.rank))) : result;
  }
  /** Over the given axes, or all. */
  sum(axes?: Axes, options?: KeepDims): Tensor {
    return this.#reduced(reduce('sum', this.node, axes), axes, options);
  }
  prod(axes?: Axes, options?: KeepDims): Tensor {
    return this.#reduced(reduce('prod', this.node, axes), axes, options);
  }
  /** Largest value; ties share the gradient evenly. */
  max(axes?: Axes, options?: KeepDims): Tensor {
    return this.#reduced(reduce('max_reduce', this.node, axes), axes, options);
  }
  min(axes?: Axes, options?: KeepDims): Tensor {
    return this.#reduced(reduce('min_reduce', this.node, axes), axes, options);
  }
  /** Arithmetic mean; NaN of no elements. */
  mean(axes?: Axes, options?: KeepDims): Tensor {
    const over = checkAxes('mean', axes, this.rank);
    const count = over.reduce((n, a) => n * this.shape[a]!, 1);
    if (this.dtype === 'f16') return this.cast('f32').mean(over, options).cast('f16'); // the sum may be beyond f16
    const float = isFloat(this.dtype) ? this : this.cast('f32');
    return float.sum(over, options).div(count);
  }
  /** i32 position of the first largest element along an axis, or in the flattened tensor. */
  argmax(axis?: number, options?: KeepDims): Tensor {
    if (axis === undefined) return new Tensor(argmax(this.flatten().node, 0));
    return this.#reduced(argmax(this.node, axis), axis, options);
  }
  argmin(axis?: number, options?: KeepDims): Tensor {
    return inOperation('argmin', () => (this.dtype === 'bool' ? this.not() : this.neg()).argmax(axis, options));
  }
  all(axes?: Axes, options?: KeepDims): Tensor {
    const count = checkAxes('all', axes, this.rank).reduce((n, a) => n * this.shape[a]!, 1);
    return this.ne(0).cast('i32').sum(axes, options).eq(count);
  }
  any(axes?: Axes, options?: KeepDims): Tensor {
    return inOperation('any', () => this.ne(0).cast('i32').sum(axes, options).gt(0));
  }
  variance(axes?: Axes, options?: VarianceOptions): Tensor {
    return variance(this, axes, options);
  }
  std(axes?: Axes, options?: VarianceOptions): Tensor {
    return inOperation('std', () => std(this, axes, options));
  }
  /** x minus its mean over the axes. */
  centred(axes?: Axes): Tensor {
    return inOperation('centred', () => centred(this, axes));
  }
  /** Euclidean norm, with gradient 0 at 0. */
  norm(axes?: Axes, options?: KeepDims): Tensor {
    const squares = inOperation('norm', () => this.square().sum(axes, options));
    const zero = squares.eq(0);
    return zero.where(0, zero.where(1, squares).sqrt());
  }
  logSumExp(axes?: Axes, options?: KeepDims): Tensor {
    return inOperation('logSumExp', () => logSumExp(this, axes, options));
  }
  softmax(axis: number): Tensor {
    return inOperation('softmax', () => softmax(this, axis));
  }
  logSoftmax(axis: number): Tensor {
    return inOperation('logSoftmax', () => logSoftmax(this, axis));
  }

  // Contractions, windows, indexing by data.

  /** Matrix product with NumPy's rules for ranks: 1-d operands are promoted, leading axes broadcast. */
  matmul(other: Tensor): Tensor {
    return matmul(this, other);
  }
  /** Σ over the contracted axes; result axes are batch, free axes of this, free axes of other. */
  dot(other: Tensor, axes: OpAttributes['dot']): Tensor {
    return new Tensor(dot(this.node, other.node, axes));
  }
  /** Cross-correlation of [N, C, spatial…] with weight [O, C / groups, kernel…]. */
  convolution(weight: Tensor, spec: ConvolutionSpec): Tensor {
    return new Tensor(convolution(this.node, weight.node, spec));
  }
  windowSum(window: Window): Tensor {
    return new Tensor(windowed('window_sum', this.node, window));
  }
  windowMax(window: Window): Tensor {
    return new Tensor(windowed('window_max', this.node, window));
  }
  /** i32 flat position, in the plane of the window's axes, of each window's first largest element. */
  windowArgmax(window: Window): Tensor {
    return new Tensor(windowed('window_argmax', this.node, window));
  }
  /** out[…, j, …] = x[…, index[…, j, …], …]; the index has the shape of the result. */
  gather(axis: number, index: Tensor): Tensor {
    return new Tensor(gather(this.node, axis, index.node));
  }
  /** Whole slices along an axis: the axis is replaced by the shape of the indices. */
  take(axis: number, indices: Tensor): Tensor {
    const place = checkAxis('take', axis, this.rank);
    const [before, after] = [this.shape.slice(0, place), this.shape.slice(place + 1)];
    const wide = indices
      .reshape([...before.map(() => 1), indices.size, ...after.map(() => 1)])
      .expand([...before, indices.size, ...after]);
    const taken = inOperation('take', () => this.gather(place, wide));
    return taken.reshape([...before, ...indices.shape, ...after]);
  }
  /** A copy with `updates` put where the index says; indices must be unique. */
  scatter(axis: number, index: Tensor, updates: Tensor): Tensor {
    return new Tensor(scatter(this.node, axis, index.node, updates.node, 'set'));
  }
  scatterAdd(axis: number, index: Tensor, updates: Tensor): Tensor {
    return new Tensor(scatter(this.node, axis, index.node, updates.node, 'add'));
  }
  /** h_t = this_t · h_{t−1} + terms_t along an axis, from h = 0. */
  linearScan(terms: Tensor, axis: number, { reverse = false }: { readonly reverse?: boolean } = {}): Tensor {
    return new Tensor(scan(this.node, terms.node, axis, reverse));
  }
  cumsum(axis: number): Tensor {
    return inOperation('cumsum', () => cumulativeSum(this, axis));
  }
  cumprod(axis: number): Tensor {
    return inOperation('cumprod', () => cumulativeProduct(this, axis));
  }
  argsort(axis = -1, { descending = false }: { readonly descending?: boolean } = {}): Tensor {
    return new Tensor(argsort(this.node, axis, descending));
  }
  /** Stable; NaN is largest. */
  sort(axis = -1, options?: { readonly descending?: boolean }): { values: Tensor; indices: Tensor } {
    return sorted(this, axis, options);
  }
  argtopk(axis: number, k: number): Tensor {
    return new Tensor(argtopk(this.node, axis, k));
  }
  /** The k largest along an axis, best first. */
  topk(k: number, axis = -1): { values: Tensor; indices: Tensor } {
    return topK(this, k, axis);
  }
}

/** The tensor or variable that a leaf's gradient is put on. */
const handles = new WeakMap<Node, Tensor>();

/** @internal Says which tensor a leaf that requires gradients belongs to. */
export function setHandle(node: Node, tensor: Tensor): void {
  handles.set(node, tensor);
}

/** The tensor or variable that a leaf belongs to: where `backward` puts its gradient. */
export const handleOf = (node: Node): Tensor | undefined =>
  handles.get(node) ?? (cellOf(node)?.handle as Tensor | undefined);

const operandOf = (x: TensorLike): Node | number | boolean => (x instanceof Tensor ? x.node : x);
const startOf = (x: RuntimeStart): Node | number => (typeof x === 'number' ? x : x.node);

/** Joins tensors along a new axis. */
export const stack = (parts: readonly Tensor[], axis = 0): Tensor =>
  inOperation('stack', () => stackParts(parts, axis, concat));

/** Joins tensors along an axis. */
export function concat(parts: readonly Tensor[], axis = 0): Tensor {
  if (parts.length === 0) throw new ValueError('concat: no tensors were given. Give at least one.');
  return new Tensor(
    concatNodes(
      parts.map((p) => p.node),
      axis,
    ),
  );
}
