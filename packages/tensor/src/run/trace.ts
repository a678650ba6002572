/**
 * The trace in progress, if there is one: what `compile` collects while it runs the user's function once. The rest of the
 * library asks here whether it may do what cannot be replayed, and reports what the trace depends on.
 */
import { ValueError } from '../errors';
import type { Counter, Node } from '../graph/node';
import type { Cell } from './cell';

/** Whoever changes what a traced function would record (a module's mode, an optimiser's groups) counts versions. */
export interface Versioned {
  readonly version: number;
}

/** Whatever a trace may set and must find cleared at its end, such as a tensor's gradient. */
export interface Holder {
  grad: object | null;
}

/** One recording of a compiled function. */
export class Trace {
  readonly assignments = new Map<Cell, Node>();
  /** The leaf that each assigned cell had before. */
  readonly before = new Map<Cell, Node<'data'>>();
  readonly versions = new Map<Versioned, number>();
  /** Where each generator's counter stood before the first draw. */
  readonly draws = new Map<Counter, number>();
  readonly grads = new Set<Holder>();

  constructor(readonly name: string) {}

  assign(cell: Cell, value: Node): void {
    if (!this.before.has(cell)) this.before.set(cell, cell.leaf);
    this.assignments.set(cell, value);
  }

  /** Puts every cell back to what it was: a trace only records. */
  restore(): void {
    for (const [cell, leaf] of this.before) cell.leaf = leaf;
  }
}

let current: Trace | null = null;

export const currentTrace = (): Trace | null => current;

/** Runs `body` as the trace. */
export function traced<T>(trace: Trace, body: () => T): T {
  current = trace;
  try {
    return body();
  } finally {
    current = null;
    trace.restore();
  }
}

/** @throws ValueError inside a compiled function, for what would happen once instead of at each call */
export function forbidInTrace(what: string, remedy: string): void {
  if (current)
    throw new ValueError(
      `${what}: inside the compiled function ${current.name} this would happen once, not at each call. ${remedy}.`,
    );
}

/** Makes a compiled function record anew when `owner.version` has changed. */
export function dependsOn(owner: Versioned): void {
  if (current && !current.versions.has(owner)) current.versions.set(owner, owner.version);
}

/** A generator is about to draw. */
export function drawing(generator: Counter): void {
  if (current && !current.draws.has(generator)) current.draws.set(generator, generator.counter);
}

/** A gradient was put on (or taken from) a tensor. */
export function gradSet(holder: Holder): void {
  current?.grads.add(holder);
}
