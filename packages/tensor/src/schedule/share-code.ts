/**
 * Makes one kernel of kernels that differ only in where they read and write. The steps of a recurrence do the same at other
 * places of the same storages, so their indices differ in constant terms. Each term that differs becomes a parameter; terms
 * that differ alike share one. A kernel that is alone keeps its constants, and with them whatever a backend makes of a
 * constant. Kernels that became one share the objects of their code, so that a backend can tell by identity.
 */
import type { Expr } from '../index/expression';
import { add, constant, parameter } from '../index/simplify';
import type { Access, Instruction, Kernel, Param, Producer, Step } from '../kernel';

/** The steps with parameters in the place of constants where kernels become equal by it, but for the parameters' values. */
export function shareCode(steps: readonly Step[]): Step[] {
  const alike = new Map<string, Alike[]>();
  steps.forEach((step, at) => {
    if (step.kind !== 'kernel') return;
    const offsets: number[] = [];
    const code = withIndices(step.kernel, (index) => {
      const offset = constantTerm(index);
      offsets.push(offset);
      return add(index, constant(-offset));
    });
    const key = keyOf(code);
    const entry = { at, kernel: step.kernel, code, offsets };
    const group = alike.get(key);
    if (group === undefined) alike.set(key, [entry]);
    else group.push(entry);
  });
  const shared = [...steps];
  for (const group of alike.values()) {
    if (group.length > 1)
      unify(group).forEach((kernel, i) => {
        shared[group[i]!.at] = { kind: 'kernel', kernel };
      });
  }
  return shared;
}

interface Alike {
  /** Its number among the steps. */
  readonly at: number;
  readonly kernel: Kernel;
  /** The kernel without the constant terms of its indices. */
  readonly code: Kernel;
  /** Those terms, in the order of `withIndices`. */
  readonly offsets: readonly number[];
}

/** What a kernel's code depends on. */
const keyOf = ({ bindings, params, producer, rows, reduced, body, range }: Kernel): string =>
  JSON.stringify([
    bindings.map((b) => [b.mode, b.dtype]),
    params.map((p) => (p.kind === 'element' ? p : p.kind)),
    producer,
    rows,
    reduced,
    body,
    range,
  ]);

/** Kernels of one code, each with its own bindings and parameters. */
function unify(group: readonly Alike[]): Kernel[] {
  const [first] = group as [Alike, ...Alike[]];
  const varying: { readonly param: number; readonly column: readonly number[] }[] = [];
  const indexOf = first.offsets.map((offset, place): Expr => {
    const column = group.map((g) => g.offsets[place]!);
    if (column.every((value) => value === offset)) return constant(offset);
    let known = varying.find((v) => v.column.every((value, i) => value - v.column[0]! === column[i]! - offset));
    if (known === undefined) varying.push((known = { param: first.kernel.params.length + varying.length, column }));
    const whole = parameter(known.param, Math.min(...known.column), Math.max(...known.column));
    return add(whole, constant(offset - known.column[0]!));
  });
  let place = 0;
  const code = withIndices(first.code, (index) => add(index, indexOf[place++]!));
  return group.map(({ kernel }, i): Kernel => {
    const added = varying.map((v): Param => ({ kind: 'constant', value: v.column[i]! }));
    return { ...code, name: kernel.name, bindings: kernel.bindings, params: [...kernel.params, ...added] };
  });
}

function constantTerm(e: Expr): number {
  const last = e.kind === 'add' ? e.terms.at(-1)! : e;
  return last.kind === 'const' ? last.value : 0;
}

/** The kernel with another expression for each place where it reads or writes and each position whose value it takes. */
function withIndices(kernel: Kernel, of: (index: Expr) => Expr): Kernel {
  const access = (a: Access): Access => ({ ...a, index: of(a.index) });
  return {
    ...kernel,
    producer: kernel.producer && producerWith(kernel.producer, access, of),
    body: kernel.body.map((i): Instruction => {
      if ('access' in i) return { ...i, access: access(i.access) };
      if (i.op === 'index') return { ...i, expr: of(i.expr) };
      return i.op === 'random' ? { ...i, index: of(i.index) } : i;
    }),
  };
}

function producerWith(producer: Producer, access: (a: Access) => Access, of: (index: Expr) => Expr): Producer {
  switch (producer.kind) {
    case 'contraction':
      return { ...producer, lhs: access(producer.lhs), rhs: access(producer.rhs) };
    case 'scatter': {
      const { base, index, updates } = producer;
      return { ...producer, base: base && access(base), index: access(index), updates: access(updates) };
    }
    case 'scan':
      return { ...producer, a: access(producer.a), b: access(producer.b), outIndex: of(producer.outIndex) };
    case 'sort':
      return { ...producer, input: access(producer.input), outIndex: of(producer.outIndex) };
  }
}
