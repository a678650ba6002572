/**
 * From a kernel to stages: a stage has one result, one number a cell, which is what gpu.js can run. Reductions become stages of
 * their own, whose results the elements of the row load again; several stores become several stages; what only the host can
 * do (`reasons.ts`) becomes a stage on the host. Nothing is written to the kernel's bindings before all stages have run, so a
 * kernel that updates in place reads its old values in each of them.
 */
import type { Access, Expr, Instruction, Kernel, Ref } from '@dl/tensor';
import { accessExprs, flatIndex, visitExpr } from './expression';
import { instructionRanges, isExact, type Range } from './ranges';
import { hostReason, leafOps } from './reasons';

/** Whether there is one value for each row, or for each element of a row. */
export type Level = 'row' | 'element';

/** One result: the value of the last instruction of `body` in each cell. */
export interface Stage {
  readonly name: string;
  /** Why it runs on the host; null for a gpu.js kernel. */
  readonly hosted: string | null;
  readonly level: Level;
  readonly rows: readonly number[];
  readonly reduced: readonly number[];
  /** Loads from binding `bindings + i` load the result of stage i. */
  readonly body: readonly Instruction[];
  /** How many bindings the kernel has. */
  readonly bindings: number;
}

/** The result of a stage goes to a binding. */
export interface Placement {
  readonly stage: number;
  readonly access: Access;
  readonly level: Level;
}

export interface Plan {
  readonly stages: readonly Stage[];
  readonly placements: readonly Placement[];
  /** Whose last instruction is a `gather` or `check` with an index that may be out of range. They have no result. */
  readonly checks: readonly Stage[];
}

/** How many cells a stage has. */
export const cellsOf = ({ level, rows, reduced }: Pick<Stage, 'level' | 'rows' | 'reduced'>): number =>
  [...rows, ...(level === 'element' ? reduced : [])].reduce((a, b) => a * b, 1);

const reductions: ReadonlySet<string> = new Set(['sum', 'prod', 'max_reduce', 'min_reduce', 'argmax']);
export const isReduction = ({ op }: Instruction): boolean => reductions.has(op);

/** The bindings and results that a stage reads, in order. */
export function inputsOf({ body }: Stage): number[] {
  const found = new Set<number>();
  for (const instruction of body) if ('access' in instruction) found.add(instruction.access.binding);
  return [...found].sort((a, b) => a - b);
}

const argsOf = (instruction: Instruction): readonly Ref[] => ('args' in instruction ? instruction.args : []);

/** The expressions of an instruction. */
function exprsOf(instruction: Instruction): Expr[] {
  if ('access' in instruction) return accessExprs(instruction.access);
  if ('bounds' in instruction) return instruction.bounds.map((b) => b.term);
  if (instruction.op === 'index') return [instruction.expr];
  return instruction.op === 'random' ? [instruction.index] : [];
}

/** For each instruction, whether it has a value for each element: it mentions a reduced axis, or uses a value that does. */
export function elementLevels(body: readonly Instruction[], rank: number): boolean[] {
  const found: boolean[] = [];
  for (const instruction of body) {
    let mentions = false;
    for (const expr of exprsOf(instruction)) {
      visitExpr(expr, (part) => {
        if (part.kind === 'var' && part.index >= rank) mentions = true;
      });
    }
    found.push(!isReduction(instruction) && (mentions || argsOf(instruction).some((ref) => found[ref])));
  }
  return found;
}

class Planner {
  readonly stages: Stage[] = [];
  private readonly made = new Map<string, number>();
  private readonly perElement: readonly boolean[];
  private readonly ranges: readonly (Range | null)[];
  private readonly reasons: readonly (string | null)[];
  /** Whether an instruction stands for floating-point work, which a stage on the host leaves to another stage. */
  private readonly heavy: boolean[] = [];

  constructor(private readonly kernel: Kernel) {
    this.perElement = elementLevels(kernel.body, kernel.rows.length);
    this.ranges = instructionRanges(kernel);
    this.reasons = kernel.body.map((_, ref) => hostReason(kernel, ref, this.ranges));
    kernel.body.forEach((instruction, ref) => {
      const works = instruction.dtype === 'f32' && !leafOps.has(instruction.op) && instruction.op !== 'cast';
      this.heavy.push(works || (!this.reasons[ref] && argsOf(instruction).some((arg) => this.heavy[arg])));
    });
  }

  plan(): Plan {
    const placements: Placement[] = [];
    const checks: Stage[] = [];
    this.kernel.body.forEach((instruction, ref) => {
      if (instruction.op === 'store') placements.push(this.placement(instruction, ref));
      if ((instruction.op === 'gather' || instruction.op === 'check') && this.mayFault(instruction)) {
        checks.push(this.check(ref));
      }
    });
    return { stages: this.stages, placements, checks };
  }

  private levelOf(ref: Ref): Level {
    return this.perElement[ref] ? 'element' : 'row';
  }

  private placement(store: Instruction & { op: 'store' }, ref: Ref): Placement {
    const level = this.levelOf(ref);
    return { stage: this.stageOf(this.unrounded(store.args[0]), level), access: store.access, level };
  }

  /** What is stored as f16 is rounded where it is stored: the cast before it need not run. */
  private unrounded(ref: Ref): Ref {
    const { body } = this.kernel;
    const instruction = body[ref]!;
    if (instruction.op !== 'cast' || instruction.dtype !== 'f16') return ref;
    const [source] = instruction.args;
    return body[source]!.dtype === 'f32' ? source : ref;
  }

  private mayFault({ args, limit }: Instruction & { op: 'gather' | 'check' }): boolean {
    const range = this.ranges[args[0]];
    return !range || range.min < 0 || range.max >= limit;
  }

  /** The number of the stage that computes an instruction. */
  private stageOf(ref: Ref, level: Level): number {
    const key = `${ref} ${level}`;
    const known = this.made.get(key);
    if (known !== undefined) return known;
    const instruction = this.kernel.body[ref]!;
    const hosted = this.reasons[ref] ?? (isExact(this.ranges[ref]!) ? null : hostedLeaf);
    const stage = this.stage(ref, level, hosted, `${instruction.op} of ${instruction.dtype}`);
    this.stages.push(stage);
    this.made.set(key, this.stages.length - 1);
    return this.stages.length - 1;
  }

  private stage(ref: Ref, level: Level, hosted: string | null, name: string): Stage {
    const { rows, reduced, bindings } = this.kernel;
    const body = this.cone(ref, hosted !== null);
    return { name, hosted, level, rows, reduced, body, bindings: bindings.length };
  }

  /** A check looks only at the axes that its index depends on. */
  private check(ref: Ref): Stage {
    const { rows, reduced } = this.kernel;
    const stage = this.stage(ref, this.levelOf(ref), 'faults are found on the host', this.kernel.body[ref]!.op);
    const body = stage.body.map((i) => (i.op === 'gather' ? { ...i, access: { ...i.access, index: zero } } : i));
    const mentioned = new Set<number>();
    for (const instruction of body) {
      for (const expr of exprsOf(instruction)) {
        visitExpr(expr, (part) => part.kind === 'var' && mentioned.add(part.index));
      }
    }
    const kept = (from: number) => (size: number, axis: number) =>
      mentioned.has(from + axis) ? size : Math.min(size, 1);
    return { ...stage, body, rows: rows.map(kept(0)), reduced: reduced.map(kept(rows.length)) };
  }

  /** The instructions that `root` needs, itself last; what other stages compute is loaded. */
  private cone(root: Ref, hosted: boolean): Instruction[] {
    const body: Instruction[] = [];
    const numbers = new Map<Ref, Ref>();
    const visit = (ref: Ref): Ref => {
      const known = numbers.get(ref);
      if (known !== undefined) return known;
      const instruction = this.kernel.body[ref]!;
      if (ref !== root && this.isApart(ref, hosted)) body.push(this.loadOf(ref));
      else if ('args' in instruction) {
        const args = (instruction.args as readonly Ref[]).map(visit);
        body.push({ ...instruction, args } as unknown as Instruction);
      } else body.push(instruction);
      numbers.set(ref, body.length - 1);
      return body.length - 1;
    };
    visit(root);
    return body;
  }

  /** Whether a stage loads the value of an instruction instead of computing it. */
  private isApart(ref: Ref, hosted: boolean): boolean {
    if (isReduction(this.kernel.body[ref]!)) return true;
    return hosted ? this.reasons[ref] === null && this.heavy[ref]! : this.reasons[ref] !== null;
  }

  private loadOf(ref: Ref): Instruction {
    const { rows, reduced, bindings, body } = this.kernel;
    const level = this.levelOf(ref);
    const index = flatIndex(level === 'element' ? [...rows, ...reduced] : rows);
    const binding = bindings.length + this.stageOf(ref, level);
    return { op: 'load', dtype: body[ref]!.dtype, access: { binding, index, bounds: [] }, fill: 0 };
  }
}

const zero: Expr = { kind: 'const', value: 0 };
const hostedLeaf = 'its integers may pass 2^24, and gpu.js computes in f32';

/** The stages of a kernel that has no producer. */
export const planKernel = (kernel: Kernel): Plan => new Planner(kernel).plan();
