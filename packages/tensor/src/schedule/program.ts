/**
 * A program: what a run has to compute, as plain data in canonical numbering. `realize` and `compile` write one from the
 * recorded graph; the scheduler reads nothing else. Two recordings of the same computation give equal programs, so
 * that schedules are found again by comparing them; numbers that may change from run to run are arguments.
 */
import type { DType } from '../dtype';
import type { Op, OpAttributes } from '../graph/node';
import type { Shape } from '../shape';

export interface ProgramNode<O extends Op = Op> {
  readonly op: O;
  /** Numbers of nodes; all smaller than this node's own. */
  readonly sources: readonly number[];
  /** As recorded. A number that has an argument in `args` must be taken from there instead. */
  readonly attrs: OpAttributes[O];
  readonly shape: Shape;
  readonly dtype: DType;
  /**
   * For each number of the attributes that may be an argument, its place in the run's scalars, or −1 when it belongs to
   * the structure (it is −1, 0 or 1). The order is: `constant` its value; `random` key[0], key[1], counter; elementwise
   * the numbers among the operands, in order; `slice` the starts that are numbers, in order of axes. Others have none.
   */
  readonly args: readonly number[];
}

export interface ProgramOutput {
  readonly node: number;
  /** The `data` node whose storage is overwritten with the value, or null for a storage of its own. */
  readonly into: number | null;
}

/**
 * The storages that a run binds are, in order: one for each `data` node (rising), then one for each output with `into:
 * null` (in the order of `outputs`). All are row-major and dense. No two of them overlap.
 */
export interface Program {
  readonly nodes: readonly ProgramNode[];
  readonly outputs: readonly ProgramOutput[];
  /** How many numbers a run takes. */
  readonly scalars: number;
}

export const isProgramOp = <O extends Op>(node: ProgramNode, op: O): node is ProgramNode<O> => (node.op as Op) === op;
