/*
 * Which instructions of a kernel have a value for each element of a row, and in which pass over the row each is known: an
 * instruction of pass p uses results of reductions of passes before p.
 */
import type { Expr, Instruction, Kernel } from '@dl/tensor';
import { isReduction } from './instructions';

export interface Levels {
  /** Whether an instruction has one value an element, not one a row. */
  readonly element: readonly boolean[];
  readonly pass: readonly number[];
}

/** Whether an expression mentions a variable from `from` on. */
export function mentions(e: Expr, from: number): boolean {
  switch (e.kind) {
    case 'var':
      return e.index >= from && e.size > 1;
    case 'add':
      return e.terms.some((t) => mentions(t, from));
    case 'const':
    case 'param':
      return false;
    default:
      return mentions(e.term, from);
  }
}

/** The expressions in which an instruction mentions its place. */
export function placesOf(instruction: Instruction): Expr[] {
  const places: Expr[] = [];
  if ('access' in instruction) places.push(instruction.access.index, ...instruction.access.bounds.map((b) => b.term));
  if ('bounds' in instruction) places.push(...instruction.bounds.map((b) => b.term));
  if (instruction.op === 'index') places.push(instruction.expr);
  if (instruction.op === 'random') places.push(instruction.index);
  return places;
}

export const argsOf = (instruction: Instruction): readonly number[] => ('args' in instruction ? instruction.args : []);

export function levelsOf({ body, rows }: Kernel): Levels {
  const element: boolean[] = [];
  const pass: number[] = [];
  for (const instruction of body) {
    const args = argsOf(instruction);
    const known = (ref: number): number => pass[ref]! + (isReduction(body[ref]!.op) ? 1 : 0);
    pass.push(Math.max(0, ...args.map(known)));
    element.push(
      !isReduction(instruction.op) &&
        (args.some((ref) => element[ref]) || placesOf(instruction).some((e) => mentions(e, rows.length))),
    );
  }
  return { element, pass };
}
