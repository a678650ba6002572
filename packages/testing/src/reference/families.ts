/** Which family an operation's name belongs to, as type guards. */
import { type BinaryOp, binaryOps, type ReduceOp, reduceOps, type UnaryOp, unaryOps } from '@dl/tensor';

const isIn = <T extends string>(names: readonly T[]): ((op: string) => op is T) => {
  const set: ReadonlySet<string> = new Set(names);
  return (op): op is T => set.has(op);
};

export const isUnary: (op: string) => op is UnaryOp = isIn(unaryOps);
export const isBinary: (op: string) => op is BinaryOp = isIn(binaryOps);
export const isReduce: (op: string) => op is ReduceOp = isIn(reduceOps);
