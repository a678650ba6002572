/**
 * What a gradient rule is: a function from the cotangent of a result to the cotangents of its sources, for one primitive.
 * Rules are written with the same tensor operations as everything else, so a gradient can be differentiated again, and
 * they read the result rather than the sources where both would do, because the result is more often stored.
 */
import type { Node, Op, OpAttributes, Tensor } from '@dl/tensor';

/** Σ ∂loss/∂source, or null where it is zero everywhere. */
export type Cotangent = Tensor | null;

/** One node on the way back. */
export interface Step<O extends Op = Op> {
  readonly node: Node<O>;
  readonly attrs: OpAttributes[O];
  /** The sources. */
  readonly x: readonly Tensor[];
  /** The result. */
  readonly y: Tensor;
  /** The cotangent of the result: its shape and dtype. */
  readonly g: Tensor;
  /** Whether the cotangent of a source will be used. */
  wants(source: number): boolean;
  /** Cotangents of `sources` when `g` is that of `result`, through the graph recorded between them. */
  through(result: Node, g: Tensor, sources: readonly Node[]): Cotangent[];
}

/** The cotangents of the sources, in order; sources that the list does not reach have none. */
export type Rule<O extends Op> = (step: Step<O>) => readonly Cotangent[];

/** The rule of what is constant between jumps, or of no floats. */
export const none = (): readonly Cotangent[] => [];

/** The axes of a rank, in order. */
export const axesOf = (rank: number): number[] => Array.from({ length: rank }, (_, i) => i);

/** A list of one number an axis. */
export const each = <T>(rank: number, value: T): T[] => new Array<T>(rank).fill(value);
