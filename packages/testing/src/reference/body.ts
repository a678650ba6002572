/**
 * The instructions of a kernel, one row of its space at a time: an instruction has a value for each element of the row or
 * one for the whole row, and a reduction turns the former into the latter.
 */
import { type Access, BackendError, type DType, type Instruction, type Kernel } from '@dl/tensor';
import { binaryFunction, bitcastFunction, castFunction, reducers, rounded, unaryFunction } from '../scalar/arithmetic';
import { randomBits } from '../scalar/threefry';
import type { BoundElements } from './checks';
import { accessExprs, boundsFunction, forEachPoint, indexFunction, type Point, variablesOf } from './expressions';
import { isBinary, isReduce, isUnary } from './families';

/** The state of one running kernel. */
export interface Frame extends Point {
  readonly bindings: readonly BoundElements[];
  /** Part of the range that runs now. */
  chunk: number;
  /** A number for the row or element at which an instruction runs; see `BoundElements`. */
  point: number;
  /** Place within the reduced axes. */
  element: number;
  /** For each instruction its values: one, or one an element. */
  readonly values: readonly Float64Array[];
  /** Keeps the first fault of data. */
  readonly fault: (message: string) => void;
}

type Cell = (frame: Frame) => number;

/** A compiled instruction. */
interface Line {
  readonly perElement: boolean;
  /** Value at the current point, or for a reduction over the row. */
  readonly cell: Cell;
}

interface Context {
  readonly kernel: Kernel;
  readonly lines: readonly Line[];
}

const dtypeOf = (context: Context, ref: number): DType => context.kernel.body[ref]!.dtype;

/** The value of an earlier instruction at the current point. */
function argument(context: Context, ref: number): Cell {
  const line = context.lines[ref];
  if (!line) throw new BackendError(`an instruction refers to ${ref}, which does not come before it.`);
  return line.perElement ? (frame) => frame.values[ref]![frame.element]! : (frame) => frame.values[ref]![0]!;
}

function elementReader(access: Access): (frame: Frame, offset: number) => number {
  const index = indexFunction(access.index);
  return (frame, offset) => frame.bindings[access.binding]!.read(index(frame) + offset, frame.point, frame.chunk);
}

function loadCell({ access, fill, dtype }: Instruction & { op: 'load' }): Cell {
  const holds = boundsFunction(access.bounds);
  const read = elementReader(access);
  return (frame) => (holds(frame) ? read(frame, 0) : rounded(dtype, fill));
}

function gatherCell(context: Context, instruction: Instruction & { op: 'gather' }): Cell {
  const { access, stride, limit, fill, dtype } = instruction;
  const holds = boundsFunction(access.bounds);
  const read = elementReader(access);
  const place = argument(context, instruction.args[0]);
  return (frame) => {
    if (!holds(frame)) return rounded(dtype, fill);
    const at = place(frame);
    if (at >= 0 && at < limit) return read(frame, at * stride);
    frame.fault(`index ${at} is outside 0 to ${limit - 1}`);
    return 0;
  };
}

function checkCell(context: Context, { limit, args }: Instruction & { op: 'check' }): Cell {
  const value = argument(context, args[0]);
  return (frame) => {
    const at = value(frame);
    if (!(at >= 0 && at < limit)) frame.fault(`index ${at} is outside 0 to ${limit - 1}`);
    return at;
  };
}

function storeCell(context: Context, { access, args }: Instruction & { op: 'store' }): Cell {
  const holds = boundsFunction(access.bounds);
  const index = indexFunction(access.index);
  const value = argument(context, args[0]);
  return (frame) => {
    if (holds(frame)) frame.bindings[access.binding]!.write(index(frame), value(frame), frame.point);
    return 0;
  };
}

function randomCell({ key0, key1, counter, index }: Instruction & { op: 'random' }): Cell {
  const place = indexFunction(index);
  return (frame) => {
    const { params } = frame;
    return randomBits(params[key0]!, params[key1]!, params[counter]!, place(frame));
  };
}

function guardCell(context: Context, { bounds, fill, args, dtype }: Instruction & { op: 'guard' }): Cell {
  const holds = boundsFunction(bounds);
  const value = argument(context, args[0]);
  return (frame) => (holds(frame) ? value(frame) : rounded(dtype, fill));
}

function reduceCell(context: Context, instruction: Instruction, ref: number): Cell {
  const { dtype, op } = instruction;
  if (!isReduce(op)) throw new BackendError(`${op} is not a reduction.`);
  const reduce = reducers[op];
  const { reduced } = context.kernel;
  const count = reduced.reduce((a, b) => a * b, 1);
  if (context.lines[ref]!.perElement) return (frame) => reduce(frame.values[ref]!, dtype);
  return (frame) => reduce(new Float64Array(count).fill(frame.values[ref]![0]!), dtype);
}

/** The arithmetic of elementwise instructions; the others are cases of `cellOf`. */
function elementwiseCell(context: Context, instruction: Instruction): Cell {
  const { op, dtype } = instruction;
  const refs: readonly number[] = 'args' in instruction ? instruction.args : [];
  const [a, b, c] = refs.map((ref) => argument(context, ref));
  const operand = dtypeOf(context, refs[0]!);
  if (op === 'where') return (frame) => (a!(frame) !== 0 ? b!(frame) : c!(frame));
  if (op === 'cast' || op === 'bitcast') {
    const convert = (op === 'cast' ? castFunction : bitcastFunction)(operand, dtype);
    return (frame) => convert(a!(frame));
  }
  if (isUnary(op)) {
    const apply = unaryFunction(op, dtype);
    return (frame) => apply(a!(frame));
  }
  if (isBinary(op)) {
    const apply = binaryFunction(op, operand, dtype);
    return (frame) => apply(a!(frame), b!(frame));
  }
  throw new BackendError(`${op} is not an instruction.`);
}

function cellOf(context: Context, instruction: Instruction): Cell {
  const { dtype } = instruction;
  switch (instruction.op) {
    case 'load':
      return loadCell(instruction);
    case 'store':
      return storeCell(context, instruction);
    case 'gather':
      return gatherCell(context, instruction);
    case 'guard':
      return guardCell(context, instruction);
    case 'check':
      return checkCell(context, instruction);
    case 'random':
      return randomCell(instruction);
    case 'constant':
      return () => rounded(dtype, instruction.value);
    case 'scalar':
      return (frame) => rounded(dtype, frame.params[instruction.param]!);
    case 'index': {
      const index = indexFunction(instruction.expr);
      return (frame) => rounded(dtype, index(frame));
    }
    default:
      return isReduce(instruction.op)
        ? reduceCell(context, instruction, (instruction as { args: readonly [number] }).args[0])
        : elementwiseCell(context, instruction);
  }
}

/** Whether an instruction has one value an element: it mentions a reduced axis, or uses a value that does. */
function isPerElement(context: Context, instruction: Instruction): boolean {
  if (isReduce(instruction.op)) return false;
  const exprs = [
    ...('access' in instruction ? accessExprs(instruction.access) : []),
    ...('bounds' in instruction ? instruction.bounds.map((b) => b.term) : []),
    ...(instruction.op === 'index' ? [instruction.expr] : []),
    ...(instruction.op === 'random' ? [instruction.index] : []),
  ];
  const rank = context.kernel.rows.length;
  if ([...variablesOf(exprs)].some((variable) => variable >= rank)) return true;
  const refs: readonly number[] = 'args' in instruction ? instruction.args : [];
  return refs.some((ref) => context.lines[ref]?.perElement);
}

/** The body of a kernel as a function that runs one row; `frame.vars` holds the row's place. */
export function compileBody(kernel: Kernel): {
  readonly lines: readonly Line[];
  runRow(frame: Frame, row: number): void;
} {
  const lines: Line[] = [];
  const context: Context = { kernel, lines };
  for (const instruction of kernel.body) {
    lines.push({ perElement: isPerElement(context, instruction), cell: cellOf(context, instruction) });
  }
  const count = kernel.reduced.reduce((a, b) => a * b, 1);
  const runRow = (frame: Frame, row: number): void => {
    const rowPoint = row * (count + 1) + 1;
    lines.forEach((line, ref) => {
      frame.element = 0;
      frame.point = rowPoint;
      if (!line.perElement) {
        frame.values[ref]![0] = line.cell(frame);
        return;
      }
      forEachPoint(frame.vars, kernel.rows.length, kernel.reduced, (element) => {
        frame.element = element;
        frame.point = count === 1 ? rowPoint : rowPoint + 1 + element;
        frame.values[ref]![element] = line.cell(frame);
      });
    });
  };
  return { lines, runRow };
}
