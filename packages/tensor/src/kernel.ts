/**
 * What a backend is handed: schedules of kernels, in terms of loops, index expressions and elementwise instructions.
 * Nothing here refers to the recorded graph, so a schedule can be cached, run again with other storages and numbers, and
 * rendered by any backend.
 *
 * A kernel has an index space: row axes, then reduced axes. Its instructions are in single-assignment form; each has
 * one value per element of the space ("element level") or one per row ("row level": a reduction's result, or whatever
 * depends on row axes alone). A kernel may begin with a producer (a contraction, scatter, scan or sort) that writes one
 * binding; its instructions then run over the same range of the first row axis, while the values are in the cache.
 */
import type { DType } from './dtype';
import type { BinaryOp, ReduceOp, UnaryOp } from './graph/node';
import type { Bound, Expr } from './index/expression';

/** Where an element is read or written: a flat element offset into a binding. */
export interface Access {
  readonly binding: number;
  /** Over the loop variables of the kernel (variable i is axis i of its space) and its parameters. */
  readonly index: Expr;
  /** The access happens only where all hold. */
  readonly bounds: readonly Bound[];
}

/** Number of an instruction in the kernel's list. */
export type Ref = number;

export type Instruction =
  /** The element, or `fill` where a bound does not hold (then nothing is read). */
  | { readonly op: 'load'; readonly dtype: DType; readonly access: Access; readonly fill: number }
  /** A number of the structure. */
  | { readonly op: 'constant'; readonly dtype: DType; readonly value: number }
  /** A number known when the kernel runs: `params[param]`. */
  | { readonly op: 'scalar'; readonly dtype: DType; readonly param: number }
  /** The value of an index expression, as an integer or float. */
  | { readonly op: 'index'; readonly dtype: DType; readonly expr: Expr }
  /** u32 bits: threefry2x32 with key (params[key0], params[key1]) of the counter params[counter] + index. */
  | {
      readonly op: 'random';
      readonly dtype: 'u32';
      readonly key0: number;
      readonly key1: number;
      readonly counter: number;
      readonly index: Expr;
    }
  | { readonly op: UnaryOp | 'cast' | 'bitcast'; readonly dtype: DType; readonly args: readonly [Ref] }
  | { readonly op: BinaryOp; readonly dtype: DType; readonly args: readonly [Ref, Ref] }
  | { readonly op: 'where'; readonly dtype: DType; readonly args: readonly [Ref, Ref, Ref] }
  /** `args[0]` where the bounds hold, else `fill`. */
  | {
      readonly op: 'guard';
      readonly dtype: DType;
      readonly args: readonly [Ref];
      readonly bounds: readonly Bound[];
      readonly fill: number;
    }
  /**
   * The element at access.index + value(args[0]) · stride, where 0 ≤ value < limit; otherwise the fault is reported at the
   * next read under the kernel's name, and the element is 0.
   */
  | {
      readonly op: 'gather';
      readonly dtype: DType;
      readonly access: Access;
      readonly stride: number;
      readonly limit: number;
      readonly args: readonly [Ref];
      readonly fill: number;
    }
  /** args[0]; a value outside 0 ≤ value < limit is reported as a gather's would be. */
  | { readonly op: 'check'; readonly dtype: 'i32'; readonly limit: number; readonly args: readonly [Ref] }
  /**
   * Row level: over all reduced axes, each element counted (also of an argument at row level). `argmax` gives the i32
   * row-major position within the reduced axes.
   */
  | { readonly op: ReduceOp; readonly dtype: DType; readonly args: readonly [Ref] }
  /**
   * Writes args[0]; no element is written twice. Has no value. At element level if the value or the place depends on the
   * reduced axes (a value at row level may be written to every element), else at row level.
   */
  | { readonly op: 'store'; readonly dtype: DType; readonly access: Access; readonly args: readonly [Ref] };

/**
 * out[batch…, m…, n…] = Σ_k lhs · rhs, in f32 with f32 sums (f64 in f64, integers wrap). Loop variables are numbered
 * batch axes, m axes, n axes, k axes, in this order. `out` is row-major over (batch, m, n) from offset 0 of its binding.
 */
export interface Contraction {
  readonly kind: 'contraction';
  readonly dtype: DType;
  readonly batch: readonly number[];
  readonly m: readonly number[];
  readonly n: readonly number[];
  readonly k: readonly number[];
  /** Does not depend on n axes. Zero where a bound does not hold. */
  readonly lhs: Access;
  /** Does not depend on m axes. */
  readonly rhs: Access;
  readonly out: number;
}

/** out = base; then out[…, index, …] += updates (or = updates). Row-major out from offset 0. */
export interface Scatter {
  readonly kind: 'scatter';
  readonly dtype: DType;
  readonly mode: 'add' | 'set';
  /** Sizes of index and updates: the axes before `axis`, the indexed axis, those after. Loop variables in this order. */
  readonly outer: readonly number[];
  readonly count: number;
  readonly inner: readonly number[];
  /** Size of the indexed axis of out. */
  readonly limit: number;
  /** Over (outer, limit, inner) of out; null means zeros. */
  readonly base: Access | null;
  readonly index: Access;
  readonly updates: Access;
  readonly out: number;
}

/** h_t = a_t · h_{t−1} + b_t over the last loop variable. Row-major out over (rows…, length) permuted by `outIndex`. */
export interface Scan {
  readonly kind: 'scan';
  readonly dtype: DType;
  readonly rows: readonly number[];
  readonly length: number;
  readonly reverse: boolean;
  readonly a: Access;
  readonly b: Access;
  readonly outIndex: Expr;
  readonly out: number;
}

/** i32 order of the last loop variable's elements; the first `count` are written. NaN is largest; stable. */
export interface Sort {
  readonly kind: 'sort';
  /** Of the elements compared. */
  readonly dtype: DType;
  readonly rows: readonly number[];
  readonly length: number;
  readonly count: number;
  readonly descending: boolean;
  readonly input: Access;
  /** Over (rows…, count). */
  readonly outIndex: Expr;
  readonly out: number;
}

export type Producer = Contraction | Scatter | Scan | Sort;

export interface Binding {
  /** Place in `schedule.slots`. */
  readonly slot: number;
  readonly mode: 'read' | 'write' | 'readwrite';
  readonly dtype: DType;
}

/** A number that a kernel takes when it runs. */
export type Param =
  /** A number of the schedule. Kernels that differ only in such values are one for a backend: it reads them at run time. */
  | { readonly kind: 'constant'; readonly value: number }
  /** `scalars[index]` of the run. */
  | { readonly kind: 'scalar'; readonly index: number }
  /** The integer at element `offset` of a binding, clamped to [min, max]: a run-time slice start. */
  | {
      readonly kind: 'element';
      readonly binding: number;
      readonly offset: number;
      readonly min: number;
      readonly max: number;
    };

export interface Kernel {
  /** For people: the operations it holds, such as `dot+add+max`; `embedding in gather+add` where indices are checked. */
  readonly name: string;
  readonly bindings: readonly Binding[];
  readonly params: readonly Param[];
  readonly producer: Producer | null;
  /** Sizes of the row axes. Variable i of an expression is axis i of [...rows, ...reduced]. */
  readonly rows: readonly number[];
  /** Sizes of the reduced axes; empty when nothing is reduced. */
  readonly reduced: readonly number[];
  readonly body: readonly Instruction[];
  /**
   * How the work may be split: the sizes of the leading axes of the producer's output and of the body's rows are the
   * same `range`, and every [begin, end) of it can be run on its own. 1 if it cannot be split.
   */
  readonly range: number;
}

export type Step =
  | { readonly kind: 'kernel'; readonly kernel: Kernel }
  /** Copies the whole of one slot onto another of the same size. */
  | { readonly kind: 'copy'; readonly from: number; readonly to: number };

/** A piece of storage that a schedule uses. */
export interface Slot {
  readonly kind: /** Given at each run: `bindings[index]`. */
    | 'bound'
    /** Lives in the arena of the executable, at `offset`. */
    | 'arena';
  readonly index: number;
  readonly offset: number;
  readonly dtype: DType;
  /** In elements. */
  readonly size: number;
}

export interface Schedule {
  readonly steps: readonly Step[];
  readonly slots: readonly Slot[];
  /** How many storages a run binds. */
  readonly bound: number;
  /** Bytes of the arena; offsets are multiples of 64. */
  readonly arenaBytes: number;
  /** How many numbers a run takes. */
  readonly scalars: number;
}
