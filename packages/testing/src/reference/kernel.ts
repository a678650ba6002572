/**
 * One kernel: what is checked when a schedule is prepared, and how it runs. The range is run in parts, last part first, so that a kernel
 * whose parts depend on each other gives an error or a wrong number here rather than on the one machine with many threads.
 */
import { type Access, BackendError, type Expr, type Instruction, type Kernel, type Param } from '@dl/tensor';
import { compileBody, type Frame } from './body';
import { BoundElements, checkOverlaps } from './checks';
import { accessExprs, checkExprs, forEachPoint, variablesOf } from './expressions';
import { isBinary } from './families';
import type { Elements } from './memory';
import { compileProducer, producerAccesses, splittableAxes } from './producers';

const maxParts = 7;

/** Runs a prepared kernel on the elements of its bindings. */
export type KernelRunner = (
  elements: readonly Elements[],
  scalars: Float64Array,
  fault: (message: string) => void,
) => void;

function checkAccess(what: string, kernel: Kernel, access: Access, space: readonly number[]): void {
  if (!kernel.bindings[access.binding]) throw new BackendError(`${what}: binding ${access.binding} does not exist.`);
  checkExprs(what, accessExprs(access), space, kernel.params.length);
}

function exprsOf(instruction: Instruction): Expr[] {
  if (instruction.op === 'index') return [instruction.expr];
  if (instruction.op === 'random') return [instruction.index];
  if (instruction.op === 'guard') return instruction.bounds.map((b) => b.term);
  return [];
}

function checkInstruction(kernel: Kernel, instruction: Instruction, place: number): void {
  const what = `instruction ${place} (${instruction.op})`;
  const space = [...kernel.rows, ...kernel.reduced];
  checkExprs(what, exprsOf(instruction), space, kernel.params.length);
  if ('access' in instruction) {
    checkAccess(what, kernel, instruction.access, space);
    const binding = kernel.bindings[instruction.access.binding]!;
    if (binding.dtype !== instruction.dtype) {
      throw new BackendError(`${what}: dtype ${instruction.dtype} differs from its binding's ${binding.dtype}.`);
    }
  }
  const refs: readonly number[] = 'args' in instruction ? instruction.args : [];
  for (const ref of refs) {
    if (!(ref >= 0 && ref < place)) throw new BackendError(`${what}: argument ${ref} does not come before it.`);
    if (kernel.body[ref]!.op === 'store')
      throw new BackendError(`${what}: argument ${ref} is a store, which has no value.`);
  }
  checkDtypes(what, kernel, instruction, refs);
}

function checkDtypes(what: string, kernel: Kernel, instruction: Instruction, refs: readonly number[]): void {
  const dtypes = refs.map((ref) => kernel.body[ref]!.dtype);
  const { op, dtype } = instruction;
  if (op === 'where' && (dtypes[0] !== 'bool' || dtypes[1] !== dtype || dtypes[2] !== dtype)) {
    throw new BackendError(`${what}: takes bool and twice ${dtype}, but has ${dtypes.join(', ')}.`);
  }
  if (isBinary(op)) {
    const result = op === 'eq' || op === 'lt' ? 'bool' : dtypes[0];
    if (dtypes[0] !== dtypes[1] || dtype !== result) {
      throw new BackendError(`${what}: operands are ${dtypes.join(' and ')}, the result ${dtype}.`);
    }
  }
  if ((op === 'store' || op === 'guard') && dtypes[0] !== dtype) {
    throw new BackendError(`${what}: ${dtype} of a value of ${dtypes[0]}.`);
  }
}

function checkRange(kernel: Kernel): void {
  const { range, producer, rows, body } = kernel;
  if (range === 1) return;
  const leading = [...(producer ? [splittableAxes(producer)[0]] : []), ...(body.length > 0 ? [rows[0]] : [])];
  if (leading.some((size) => size !== range)) {
    throw new BackendError(`range is ${range}, but the leading axes have sizes ${leading.join(' and ')}.`);
  }
}

function checkProducer(kernel: Kernel): void {
  const { producer } = kernel;
  if (!producer) return;
  for (const { access, space } of producerAccesses(producer)) checkAccess(producer.kind, kernel, access, space);
  if (!kernel.bindings[producer.out]) throw new BackendError(`binding ${producer.out} does not exist.`);
  if (producer.kind === 'contraction') {
    const { batch, m, n } = producer;
    const [mStart, nStart, kStart] = [batch.length, batch.length + m.length, batch.length + m.length + n.length];
    const mentions = (access: Access, from: number, to: number): boolean =>
      [...variablesOf(accessExprs(access))].some((v) => v >= from && v < to);
    if (mentions(producer.lhs, nStart, kStart)) throw new BackendError('the left operand depends on an n axis.');
    if (mentions(producer.rhs, mStart, nStart)) throw new BackendError('the right operand depends on an m axis.');
  }
}

/** What can be checked without running. */
export function checkKernel(kernel: Kernel): void {
  const seen = new Set<number>();
  for (const { slot } of kernel.bindings) {
    if (seen.has(slot)) throw new BackendError(`slot ${slot} is bound twice.`);
    seen.add(slot);
  }
  checkRange(kernel);
  checkProducer(kernel);
  kernel.body.forEach((instruction, place) => checkInstruction(kernel, instruction, place));
}

function paramValue(param: Param, elements: readonly Elements[], scalars: Float64Array): number {
  if (param.kind === 'element') {
    const value = elements[param.binding]!.read(param.offset);
    return Math.min(param.max, Math.max(param.min, value));
  }
  if (param.kind === 'constant') return param.value;
  if (param.index >= scalars.length) {
    throw new BackendError(`takes scalar ${param.index}, but the run has ${scalars.length}.`);
  }
  return scalars[param.index]!;
}

/** Prepares a kernel to be run. */
export function compileKernel(kernel: Kernel, strict: boolean): KernelRunner {
  if (strict) checkKernel(kernel);
  const producer = kernel.producer && compileProducer(kernel.producer);
  const body = compileBody(kernel);
  const count = kernel.reduced.reduce((a, b) => a * b, 1);
  const parts = strict ? Math.min(kernel.range, maxParts) : 1;
  return (elements, scalars, fault) => {
    if (strict) checkOverlaps(kernel.bindings, elements);
    const frame: Frame = {
      vars: [],
      params: kernel.params.map((param) => paramValue(param, elements, scalars)),
      bindings: elements.map(
        (e, i) => new BoundElements(e, kernel.bindings[i]!.mode, kernel.producer?.out === i, strict),
      ),
      chunk: 0,
      point: 1,
      element: 0,
      values: body.lines.map((line) => new Float64Array(line.perElement ? count : 1)),
      fault,
    };
    for (let part = parts - 1; part >= 0; part--) {
      frame.chunk = part;
      const begin = Math.floor((part * kernel.range) / parts);
      const end = Math.floor(((part + 1) * kernel.range) / parts);
      const inPart = (leading: number): boolean => parts === 1 || (leading >= begin && leading < end);
      producer?.(frame, inPart);
      if (kernel.body.length === 0) continue;
      forEachPoint(frame.vars, 0, kernel.rows, (row) => {
        if (inPart(frame.vars[0] ?? 0)) body.runRow(frame, row);
      });
    }
  };
}
