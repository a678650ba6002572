/**
 * Lowers a cluster to a kernel: the producer, then the members as instructions in single-assignment form, then canonical
 * loops. What is stored where was decided before; here every access becomes an index expression.
 */
import type { Bound, Expr } from '../index/expression';
import { sameExpr } from '../index/simplify';
import type { Access, Instruction, Kernel, Producer } from '../kernel';
import { isReduce } from './graph';
import { KernelBuilder, type Layout, type Place } from './kernel-builder';
import { canonicalNest, leadRunsAsOne, type Nest, withLead } from './loops';
import { lowerProducer } from './producers';

/** What one kernel computes. */
export interface KernelPlan {
  /** The node that it begins with, or −1. */
  readonly producer: number;
  /** Nodes of the body in topological order. */
  readonly members: readonly number[];
  readonly rows: readonly number[];
  readonly reduced: readonly number[];
  /** How many of the first rows are, in order, the first dimensions of the producer's result. */
  readonly leading: number;
  /** The indices at which a member is computed; for a reduction, those of its source. */
  coordsOf(member: number): readonly Expr[];
  /** Where a member is written, or null. */
  placeOf(member: number): Place | null;
}

export function lowerKernel(plan: KernelPlan, layout: Layout): Kernel {
  const builder = new KernelBuilder(layout);
  // The producer's result is read where it is written.
  // Stores come last: a place that is written may be a leaf that is read, or stand in for the producer's result.
  const stores = plan.members.map((member) => lowerMember(builder, plan, member));
  for (const store of stores) store();
  const body = collectUsed(builder.body);
  const exprs: Expr[] = [];
  for (const i of body) collectExprs(i, exprs);
  const nest: Nest = { groups: body.length === 0 ? [[], []] : [plan.rows, plan.reduced], exprs };
  const lowered = plan.producer < 0 ? null : lowerProducer(builder, plan.producer, leadSizes(plan, nest));
  const shared = lowered === null || lowered.range <= 1 ? null : withLead(nest, lowered.range);
  const tidy = canonicalNest(shared ?? nest, shared === null ? 0 : 1 + leadIndex(shared));
  let from = 0;
  const next = (): Expr => tidy.exprs[from++]!;
  const whole = lowered === null ? (tidy.groups[0]![0] ?? 1) : body.length === 0 || shared !== null ? lowered.range : 1;
  return withUsedBindings({
    name: nameOf(plan, builder),
    bindings: builder.bindings,
    params: builder.params,
    producer: lowered?.producer ?? null,
    rows: tidy.groups[0]!,
    reduced: tidy.groups[1]!,
    body: tidy.exprs === exprs ? body : body.map((i) => withNext(i, next)),
    range: whole,
  });
}

const leadIndex = ({ groups }: Nest): number => groups.flat().findIndex((n) => n > 1);

/** The sizes that the leading loop may have, in the body, if the producer can have it too; best first. */
function leadSizes(plan: KernelPlan, { groups, exprs }: Nest): number[] {
  const sizes: number[] = [];
  const rows = groups[0]!;
  for (let count = Math.min(plan.leading, rows.length); count > 0; count--) {
    if (leadRunsAsOne(exprs, rows, count)) sizes.push(rows.slice(0, count).reduce((a, b) => a * b, 1));
  }
  return sizes;
}

/** Adds the instructions of a member; what is returned adds its store. */
function lowerMember(builder: KernelBuilder, plan: KernelPlan, member: number): () => void {
  const node = builder.layout.graph.nodes[member]!;
  let coords = plan.coordsOf(member);
  let ref: number;
  if (isReduce(node)) {
    const source = builder.value(node.sources[0]!, coords);
    ref = builder.push({ op: node.op, dtype: node.dtype, args: [source] } as Instruction);
    coords = coords.filter((_, i) => !node.attrs.axes.includes(i));
  } else ref = builder.compute(member, coords);
  builder.define(member, coords, ref);
  const place = plan.placeOf(member);
  return () => {
    if (place !== null) builder.store(ref, node.dtype, place, coords);
  };
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
    kept.push(
      'args' in instruction
        ? ({ ...instruction, args: instruction.args.map((a) => numbers[a]!) } as unknown as Instruction)
        : instruction,
    );
  });
  return kept;
}

/** The kernel without bindings that nothing mentions. */
function withUsedBindings(kernel: Kernel): Kernel {
  const used = new Uint8Array(kernel.bindings.length);
  const note = (b: number): number => (used[b] = 1);
  mapBindings(kernel, note);
  if (used.every((u) => u === 1)) return kernel;
  const numbers: number[] = [];
  const bindings = kernel.bindings.filter((_, i) => {
    if (used[i] === 1) numbers[i] = numbers.filter((n) => n !== undefined).length;
    return used[i] === 1;
  });
  return { ...mapBindings(kernel, (b) => numbers[b]!), bindings };
}

function mapBindings(kernel: Kernel, of: (binding: number) => number): Kernel {
  const access = (a: Access): Access => ({ ...a, binding: of(a.binding) });
  const { producer } = kernel;
  let mapped: Producer | null = producer;
  if (producer?.kind === 'contraction')
    mapped = { ...producer, lhs: access(producer.lhs), rhs: access(producer.rhs), out: of(producer.out) };
  else if (producer?.kind === 'scan')
    mapped = { ...producer, a: access(producer.a), b: access(producer.b), out: of(producer.out) };
  else if (producer?.kind === 'sort') mapped = { ...producer, input: access(producer.input), out: of(producer.out) };
  else if (producer?.kind === 'scatter') {
    const { base, index, updates, out } = producer;
    mapped = { ...producer, base: base && access(base), index: access(index), updates: access(updates), out: of(out) };
  }
  return {
    ...kernel,
    producer: mapped,
    params: kernel.params.map((p) => (p.kind === 'element' ? { ...p, binding: of(p.binding) } : p)),
    body: kernel.body.map((i) => ('access' in i ? { ...i, access: access(i.access) } : i)),
  };
}

/** Adds the index expressions of an instruction, in the order in which `withNext` takes them back. */
function collectExprs(instruction: Instruction, exprs: Expr[]): void {
  if ('access' in instruction) {
    exprs.push(instruction.access.index);
    for (const b of instruction.access.bounds) exprs.push(b.term);
  } else if (instruction.op === 'guard') for (const b of instruction.bounds) exprs.push(b.term);
  else if (instruction.op === 'index') exprs.push(instruction.expr);
  else if (instruction.op === 'random') exprs.push(instruction.index);
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

/** Its operations, after what the user called where that has indices which are checked: `embedding in gather+add`. */
function nameOf(plan: KernelPlan, { layout, checked }: KernelBuilder): string {
  const ops = [...(plan.producer < 0 ? [] : [plan.producer]), ...plan.members].map((m) =>
    layout.graph.nodes[m]!.op.replace('_reduce', ''),
  );
  const named = new Set(ops.filter((op) => op !== 'copy'));
  const name = [...(named.size > 0 ? named : new Set(ops))].join('+');
  const short = name.length <= longestName ? name : `${name.slice(0, longestName - 1)}…`;
  return [...checked].every((operation) => named.has(operation)) ? short : `${[...checked].join(' or ')} in ${short}`;
}
