/**
 * Why an instruction cannot run as a gpu.js kernel. gpu.js has f32 and nothing else: integers are exact up to 2^24 only, and
 * bits cannot be had. What is refused here runs on the host, and the reason is what the warning says.
 */
import { type DType, type Instruction, isFloat, type Kernel } from '@dl/tensor';
import { accessExprs } from './expression';
import { exactLimit, isExact, isExactExpr, type Range } from './ranges';

/** Instructions that stand for themselves: whoever uses one decides whether its rounding to f32 matters. */
export const leafOps: ReadonlySet<string> = new Set(['load', 'constant', 'scalar', 'index', 'gather', 'check']);

const largeIntegers = 'gpu.js computes in f32, which holds whole numbers only up to 2^24';
const largeIndices = `an index may pass 2^24, and ${largeIntegers}`;
const noBits = 'gpu.js has no 32-bit integers';
const noHalf = 'gpu.js has no f16 to round to';

const strictlyExact = (range: Range | null): boolean =>
  range !== null && range.min > -exactLimit && range.max < exactLimit;

/** Comparing a large integer, which f32 rounds, with one below 2^24 cannot go wrong; nor can looking whether it is an index. */
function toleratesLarge({ op }: Instruction, ranges: readonly (Range | null)[]): boolean {
  if (op === 'gather' || op === 'check') return true;
  return (op === 'eq' || op === 'lt') && ranges.some(strictlyExact);
}

/** A cast; of an integer to a float it is the rounding that an upload does anyway. */
function castReason(source: Instruction, dtype: DType, from: Range | null): string | null {
  if (dtype === 'f16') return source.dtype === 'f16' ? null : noHalf;
  if (dtype === 'bool' || isFloat(dtype)) return isExact(from) || leafOps.has(source.op) ? null : largeIntegers;
  if (from === null) return `a conversion to ${dtype} wraps or saturates, and ${largeIntegers}`;
  const fits = dtype === 'u8' ? from.min >= 0 && from.max <= 255 : dtype !== 'u32' || from.min >= 0;
  return fits && isExact(from) ? null : largeIntegers;
}

function integerOperationReason({ op, dtype }: Instruction, args: readonly (Range | null)[]): string | null {
  if (op === 'shl' || op === 'shr') return noBits;
  if (op === 'and' || op === 'or' || op === 'xor' || op === 'not') return dtype === 'bool' ? null : noBits;
  if (op === 'div' || op === 'pow') return 'gpu.js has no integer division or power';
  if (op === 'mod') return args[1] && args[1].min > 0 ? null : 'gpu.js has no integer division or power';
  return null;
}

/** Why instruction `ref` of the kernel cannot be part of a gpu.js kernel; null if it can. */
export function hostReason(kernel: Kernel, ref: number, ranges: readonly (Range | null)[]): string | null {
  const instruction = kernel.body[ref]!;
  const { op, dtype } = instruction;
  if (op === 'random' || op === 'bitcast') return noBits;
  if ('access' in instruction && !accessExprs(instruction.access).every(isExactExpr)) return largeIndices;
  if ('bounds' in instruction && !instruction.bounds.every((b) => isExactExpr(b.term))) return largeIndices;
  if (op === 'index' && !isExactExpr(instruction.expr)) return largeIndices;
  if (op === 'gather' && instruction.stride * instruction.limit > exactLimit) return largeIndices;
  const refs: readonly number[] = 'args' in instruction ? instruction.args : [];
  const args = refs.map((arg) => ranges[arg]!);
  if (op === 'cast') return castReason(kernel.body[refs[0]!]!, dtype, args[0]!);
  if (!args.every(isExact) && !toleratesLarge(instruction, args)) return largeIntegers;
  if (leafOps.has(op)) return null;
  if (!isExact(ranges[ref]!)) return largeIntegers;
  if (dtype === 'f16' && !['where', 'guard', 'max_reduce', 'min_reduce'].includes(op)) return noHalf;
  return isFloat(dtype) ? null : integerOperationReason(instruction, args);
}
