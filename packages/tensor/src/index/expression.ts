/**
 * Index expressions: whole-number functions of the loop variables of a kernel. A movement operation is one such function
 * from output indices to input indices, so that a chain of them costs nothing but arithmetic. Division and remainder
 * floor, also for negative operands. Building an expression simplifies it (see `simplify.ts`).
 */

export type Expr =
  | { readonly kind: 'const'; readonly value: number }
  /** A loop variable of the kernel, 0 ≤ v < size. */
  | { readonly kind: 'var'; readonly index: number; readonly size: number }
  /** A number known when the kernel runs: `kernel.params[index]`, within [min, max]. */
  | { readonly kind: 'param'; readonly index: number; readonly min: number; readonly max: number }
  | { readonly kind: 'add'; readonly terms: readonly Expr[] }
  | { readonly kind: 'mul'; readonly term: Expr; readonly factor: number }
  | { readonly kind: 'div'; readonly term: Expr; readonly divisor: number }
  | { readonly kind: 'mod'; readonly term: Expr; readonly divisor: number };

/** True where min ≤ term < end. A list of bounds is their conjunction. */
export interface Bound {
  readonly term: Expr;
  readonly min: number;
  readonly end: number;
}
