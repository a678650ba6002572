/**
 * Which whole numbers a value may be. gpu.js computes in f32, which holds whole numbers exactly up to 2^24: this file
 * decides, from the kernel alone, whether an integer stays below that, so that no result is ever rounded unseen.
 */
import { type DType, type Expr, type Instruction, isFloat, type Kernel } from '@dl/tensor';

/** An interval of numbers, both ends included. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** The largest whole number up to which f32 holds all of them. */
export const exactLimit = 2 ** 24;

const ranges: Partial<Record<DType, Range>> = {
  i32: { min: -(2 ** 31), max: 2 ** 31 - 1 },
  u32: { min: 0, max: 2 ** 32 - 1 },
  u8: { min: 0, max: 255 },
  bool: { min: 0, max: 1 },
};

/** All values of an integer dtype; null for floats. */
export const rangeOfDType = (dtype: DType): Range | null => ranges[dtype] ?? null;

/** Whether f32 holds every number of a range. Floats, which have no range, count as held. */
export const isExact = (range: Range | null): boolean =>
  range === null || (range.min >= -exactLimit && range.max <= exactLimit);

const scaled = ({ min, max }: Range, factor: number): Range =>
  factor < 0 ? { min: max * factor, max: min * factor } : { min: min * factor, max: max * factor };

/** The values of an index expression. */
export function rangeOfExpr(expr: Expr): Range {
  switch (expr.kind) {
    case 'const':
      return { min: expr.value, max: expr.value };
    case 'var':
      return { min: 0, max: Math.max(0, expr.size - 1) };
    case 'param':
      return { min: expr.min, max: expr.max };
    case 'add': {
      const terms = expr.terms.map(rangeOfExpr);
      return { min: terms.reduce((sum, t) => sum + t.min, 0), max: terms.reduce((sum, t) => sum + t.max, 0) };
    }
    case 'mul':
      return scaled(rangeOfExpr(expr.term), expr.factor);
    case 'div': {
      const { min, max } = rangeOfExpr(expr.term);
      return { min: Math.floor(min / expr.divisor), max: Math.floor(max / expr.divisor) };
    }
    case 'mod':
      return { min: 0, max: expr.divisor - 1 };
    default:
      return expr satisfies never;
  }
}

/** Whether f32 holds an expression and all of its parts. */
export function isExactExpr(expr: Expr): boolean {
  if (!isExact(rangeOfExpr(expr))) return false;
  if (expr.kind === 'add') return expr.terms.every(isExactExpr);
  return expr.kind === 'mul' || expr.kind === 'div' || expr.kind === 'mod' ? isExactExpr(expr.term) : true;
}

const union = (a: Range, b: Range): Range => ({ min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) });

/** A range where it fits its dtype; else what wrapping around may give, which is anything. */
function wrapped(range: Range, dtype: DType): Range {
  const all = ranges[dtype]!;
  return range.min >= all.min && range.max <= all.max ? range : all;
}

function productRange(a: Range, b: Range): Range {
  const corners = [a.min * b.min, a.min * b.max, a.max * b.min, a.max * b.max];
  return { min: Math.min(...corners), max: Math.max(...corners) };
}

/** The range of an integer instruction, from those of its arguments. */
function integerRange(kernel: Kernel, instruction: Instruction, args: readonly (Range | null)[]): Range {
  const { op, dtype } = instruction;
  const all = ranges[dtype]!;
  const [a, b, c] = args;
  const count = kernel.reduced.reduce((x, y) => x * y, 1);
  switch (op) {
    case 'constant':
      return { min: instruction.value, max: instruction.value };
    case 'index':
      return wrapped(rangeOfExpr(instruction.expr), dtype);
    case 'check':
    case 'max_reduce':
    case 'min_reduce':
      return a ?? all;
    case 'argmax':
      return { min: 0, max: Math.max(0, count - 1) };
    case 'sum':
      return a ? wrapped({ min: Math.min(0, a.min * count), max: Math.max(0, a.max * count) }, dtype) : all;
    case 'cast':
      return a ? wrapped(a, dtype) : all;
    case 'guard':
      return a ? union(a, { min: instruction.fill, max: instruction.fill }) : all;
    case 'where':
      return b && c ? union(b, c) : all;
    case 'neg':
      return a ? wrapped(scaled(a, -1), dtype) : all;
    case 'abs':
      return a ? wrapped({ min: 0, max: Math.max(Math.abs(a.min), Math.abs(a.max)) }, dtype) : all;
    case 'sign':
      return { min: -1, max: 1 };
    case 'add':
      return a && b ? wrapped({ min: a.min + b.min, max: a.max + b.max }, dtype) : all;
    case 'mul':
      return a && b ? wrapped(productRange(a, b), dtype) : all;
    case 'max':
      return a && b ? { min: Math.max(a.min, b.min), max: Math.max(a.max, b.max) } : all;
    case 'min':
      return a && b ? { min: Math.min(a.min, b.min), max: Math.min(a.max, b.max) } : all;
    case 'mod':
      return b && b.min > 0 ? { min: 0, max: b.max - 1 } : all;
    default:
      return all;
  }
}

/** For each instruction of a kernel the whole numbers that it may be; null where it is a float. */
export function instructionRanges(kernel: Kernel): (Range | null)[] {
  const found: (Range | null)[] = [];
  for (const instruction of kernel.body) {
    const args = ('args' in instruction ? instruction.args : []).map((ref) => found[ref] ?? null);
    found.push(isFloat(instruction.dtype) ? null : integerRange(kernel, instruction, args));
  }
  return found;
}
