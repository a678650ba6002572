/**
 * Lowers a cluster to a kernel: the producer, then the members as instructions in single-assignment form, then canonical
 * loops. What is stored where was decided before; here every access becomes an index expression.
 */
import type { Expr } from '../index/expression';
import { sameExpr } from '../index/simplify';
import type { Bound } from '../index/expression';
import type { Instruction, Kernel } from '../kernel';
import { isReduce } from './graph';
import { KernelBuilder, type Layout, type Place } from './kernel-builder';
import { canonicalNest } from './loops';
import { lowerProducer } from './producers';

/** What one kernel computes. */
export interface KernelPlan {
  /** The node that it begins with, or −1. */
  readonly producer: number;
  /** Whether a convolution's images are columns of one product. */
  readonly merged: boolean;
  /** Nodes of the body in topological order. */
  readonly members: readonly number[];
  readonly rows: readonly number[];
  readonly reduced: readonly number[];
  /** The indices at which a member is computed; for a reduction, those of its source. */
  coordsOf(member: number): readonly Expr[];
  /** Where a member is written. */
  placesOf(member: number): readonly Place[];
}

export function lowerKernel(plan: KernelPlan, layout: Layout): Kernel {
  const builder = new KernelBuilder(layout);
  const hasBody = plan.members.length > 0;
  const lowered = plan.producer < 0 ? null : lowerProducer(builder, plan.producer, plan.merged, hasBody);
  for (const member of plan.members) lowerMember(builder, plan, member);
  const body = collectUsed(builder.body);
  const nest = canonicalBody(body, plan.rows, plan.reduced, lowered !== null);
  return {
    name: nameOf(plan, layout),
    bindings: builder.bindings,
    params: builder.params,
    producer: lowered?.producer ?? null,
    ...nest,
    range: lowered === null ? (nest.rows[0] ?? 1) : !hasBody || lowered.range === nest.rows[0] ? lowered.range : 1,
  };
}

function lowerMember(builder: KernelBuilder, plan: KernelPlan, member: number): void {
  const node = builder.layout.graph.nodes[member]!;
  let coords = plan.coordsOf(member);
  let ref: number;
  if (isReduce(node)) {
    const source = builder.value(node.sources[0]!, coords);
    ref = builder.push({ op: node.op, dtype: node.dtype, args: [source] } as Instruction);
    coords = coords.filter((_, i) => !node.attrs.axes.includes(i));
  } else ref = builder.compute(member, coords);
  builder.define(member, coords, ref);
  for (const place of plan.placesOf(member)) builder.store(ref, node.dtype, place, coords);
}

/** The instructions that a store needs, renumbered. */
function collectUsed(body: readonly Instruction[]): Instruction[] {
  const used = new Uint8Array(body.length);
  for (let i = body.length - 1; i >= 0; i--) {
    const instruction = body[i]!;
    if (instruction.op === 'store') used[i] = 1;
    if (used[i] === 1 && 'args' in instruction) for (const a of instruction.args) used[a] = 1;
  }
  if (used.every((u) => u === 1)) return [...body];
  const numbers: number[] = [];
  const kept: Instruction[] = [];
  body.forEach((instruction, i) => {
    if (used[i] === 0) return;
    numbers[i] = kept.length;
    kept.push('args' in instruction ? ({ ...instruction, args: instruction.args.map((a) => numbers[a]!) } as unknown as Instruction) : instruction);
  });
  return kept;
}

function canonicalBody(body: readonly Instruction[], rows: readonly number[], reduced: readonly number[], pinned: boolean): Pick<Kernel, 'rows' | 'reduced' | 'body'> {
  const exprs = body.flatMap(exprsOf);
  const lead = pinned ? 1 + rows.findIndex((n) => n > 1) : 0;
  const nest = canonicalNest({ groups: [rows, reduced], exprs }, lead);
  let from = 0;
  const next = (): Expr => nest.exprs[from++]!;
  return { rows: nest.groups[0]!, reduced: nest.groups[1]!, body: body.map((i) => withNext(i, next)) };
}

/** The index expressions of an instruction, in the order in which `withNext` takes them back. */
function exprsOf(instruction: Instruction): Expr[] {
  const exprs: Expr[] = [];
  if ('access' in instruction) exprs.push(instruction.access.index, ...instruction.access.bounds.map((b) => b.term));
  else if (instruction.op === 'guard') exprs.push(...instruction.bounds.map((b) => b.term));
  else if (instruction.op === 'index') exprs.push(instruction.expr);
  else if (instruction.op === 'random') exprs.push(instruction.index);
  return exprs;
}

function withNext(instruction: Instruction, next: () => Expr): Instruction {
  const bound = (b: Bound): Bound => {
    const term = next();
    return sameExpr(term, b.term) ? b : { ...b, term };
  };
  if ('access' in instruction) {
    const { access } = instruction;
    return { ...instruction, access: { ...access, index: next(), bounds: access.bounds.map(bound) } };
  }
  if (instruction.op === 'guard') return { ...instruction, bounds: instruction.bounds.map(bound) };
  if (instruction.op === 'index') return { ...instruction, expr: next() };
  return instruction.op === 'random' ? { ...instruction, index: next() } : instruction;
}

const longestName = 64;

function nameOf(plan: KernelPlan, { graph }: Layout): string {
  const ops = [...(plan.producer < 0 ? [] : [plan.producer]), ...plan.members].map((m) => graph.nodes[m]!.op.replace('_reduce', ''));
  const named = ops.filter((op) => op !== 'copy');
  const name = [...new Set(named.length > 0 ? named : ops)].join('+');
  return name.length <= longestName ? name : `${name.slice(0, longestName - 1)}…`;
}
