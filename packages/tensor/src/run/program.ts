/**
 * Writes the program of a run: the part of the recorded graph that its outputs need and that is not stored yet, in
 * canonical numbering, with the numbers that may change taken out. Equal computations give equal keys.
 */

import { withGrad } from '../graph/mode';
import type { Node } from '../graph/node';
import { isOp } from '../graph/node';
import type { Program, ProgramNode, ProgramOutput } from '../schedule/program';

/** A program, and what a run binds to it. */
export interface Written {
  readonly program: Program;
  /** The structure as a list of numbers and strings, to compare. */
  readonly key: readonly (number | string | object)[];
  readonly hash: number;
  /** The stored nodes that its `data` nodes stand for, in order. */
  readonly leaves: readonly Node[];
  /** The number of each recorded node's program node. */
  readonly numbers: ReadonlyMap<Node, number>;
  readonly recorded: readonly Node[];
  readonly scalars: Float64Array;
  /** For a random node: where its counter stands among the scalars. */
  readonly randoms: readonly { readonly node: Node<'random'>; readonly scalar: number }[];
}

export interface WantedOutput {
  readonly node: Node;
  /** A stored leaf to overwrite, or null. */
  readonly into: Node | null;
}

/**
 * Where a node's value comes from within a run: itself, the assigned value that a leaf stands for, or the primitives that a
 * custom operation is made of.
 */
export function resolve(node: Node): Node {
  let at = node;
  while (at.stored === null) {
    if (at.definition === null && isOp(at, 'custom')) at.definition = decomposed(at);
    if (at.definition === null) return at;
    at = at.definition;
  }
  return at;
}

const decomposed = (node: Node<'custom'>): Node =>
  withGrad(false, () => node.attrs.definition.decompose(node.sources, node.attrs.index));

const isStructural = (value: number): boolean => value === 0 || value === 1 || value === -1;

/** Nodes that a run must visit, sources first; stored ones and leaves end the walk. */
export function collect(roots: readonly Node[]): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  const stack: Node[] = [];
  for (const root of roots) {
    stack.push(resolve(root));
    while (stack.length > 0) {
      const node = stack[stack.length - 1]!;
      if (seen.has(node)) {
        stack.pop();
        continue;
      }
      const ready = node.stored !== null || pushUnseen(node, seen, stack) === 0;
      if (!ready) continue;
      seen.add(node);
      order.push(node);
      stack.pop();
    }
  }
  return order;
}

function pushUnseen(node: Node, seen: ReadonlySet<Node>, stack: Node[]): number {
  let pushed = 0;
  for (let i = node.sources.length - 1; i >= 0; i--) {
    const source = resolve(node.sources[i]!);
    if (!seen.has(source)) {
      stack.push(source);
      pushed++;
    }
  }
  return pushed;
}

export function writeProgram(
  wanted: readonly WantedOutput[],
  order = collect(wanted.flatMap((w) => (w.into === null ? [w.node] : [w.node, w.into]))),
): Written {
  const writer = new Writer();
  for (const node of order) writer.add(node);
  const outputs = wanted.map(
    ({ node, into }): ProgramOutput => ({
      node: writer.number(node),
      into: into === null ? null : writer.number(into),
    }),
  );
  for (const o of outputs) writer.put(o.node, o.into ?? -1);
  return writer.finish(outputs, order);
}

class Writer {
  readonly nodes: ProgramNode[] = [];
  readonly numbers = new Map<Node, number>();
  /** One number for each stored value, though several leaves may share it. */
  readonly values = new Map<object, number>();
  readonly leaves: Node[] = [];
  readonly key: (number | string | object)[] = [];
  readonly scalars: number[] = [];
  readonly randoms: { node: Node<'random'>; scalar: number }[] = [];
  hash = 0;

  number(node: Node): number {
    return this.numbers.get(resolve(node))!;
  }

  put(...parts: (number | string | object)[]): void {
    for (const p of parts) {
      this.key.push(p);
      const word =
        typeof p === 'number'
          ? p
          : typeof p === 'string'
            ? p.length * 31 + p.charCodeAt(0) + p.charCodeAt(p.length - 1) * 7
            : 1;
      this.hash = (Math.imul(this.hash ^ word, 0x9e3779b1) + 0x7f4a7c15) | 0;
    }
  }

  /** A number of the attributes: an argument, unless it is −1, 0 or 1. */
  argument(value: number): number {
    if (isStructural(value)) {
      this.put(value);
      return -1;
    }
    this.scalars.push(value);
    this.put('#');
    return this.scalars.length - 1;
  }

  add(node: Node): void {
    const isLeaf = node.stored !== null;
    const known = isLeaf ? this.values.get(node.stored!) : undefined;
    if (known !== undefined) {
      this.numbers.set(node, known);
      return;
    }
    if (isLeaf) this.values.set(node.stored!, this.nodes.length);
    const sources = isLeaf ? [] : node.sources.map((s) => this.number(s));
    this.put(isLeaf ? 'data' : node.op, node.dtype, node.shape.length, ...node.shape, sources.length, ...sources);
    const args = isLeaf ? [] : this.attributes(node);
    this.numbers.set(node, this.nodes.length);
    if (isLeaf) this.leaves.push(node);
    const { shape, dtype } = node;
    this.nodes.push(
      isLeaf
        ? { op: 'data', sources, attrs: {}, shape, dtype, args }
        : { op: node.op, sources, attrs: node.attrs, shape, dtype, args },
    );
  }

  attributes(node: Node): number[] {
    if (isOp(node, 'constant')) return [this.argument(node.attrs.value)];
    if (isOp(node, 'random')) return this.random(node);
    if (isOp(node, 'slice')) return this.slice(node);
    if ('operands' in node.attrs) return this.operands(node.attrs.operands);
    for (const value of Object.values(node.attrs)) this.structure(value);
    return [];
  }

  random(node: Node<'random'>): number[] {
    const first = this.scalars.length;
    this.scalars.push(node.attrs.key[0], node.attrs.key[1], node.attrs.counter);
    this.randoms.push({ node, scalar: first });
    return [first, first + 1, first + 2];
  }

  slice(node: Node<'slice'>): number[] {
    const { starts, sizes, steps } = node.attrs;
    const args: number[] = [];
    for (const s of starts) {
      if (typeof s === 'number') args.push(this.argument(s));
      else this.structure(s);
    }
    this.structure(sizes);
    this.structure(steps);
    return args;
  }

  operands(operands: readonly (number | null)[]): number[] {
    const args: number[] = [];
    for (const o of operands) {
      if (o === null) this.put('.');
      else args.push(this.argument(o));
    }
    return args;
  }

  structure(value: unknown): void {
    if (typeof value === 'number' || typeof value === 'string') this.put(value);
    else if (typeof value === 'boolean') this.put(value ? 1 : 0);
    else if (Array.isArray(value)) {
      this.put('[', value.length);
      for (const v of value) this.structure(v);
    } else if (value !== null && typeof value === 'object' && 'decompose' in value) this.put(value);
    else if (value !== null && typeof value === 'object') for (const v of Object.values(value)) this.structure(v);
  }

  finish(outputs: ProgramOutput[], recorded: readonly Node[]): Written {
    return {
      program: { nodes: this.nodes, outputs, scalars: this.scalars.length },
      key: this.key,
      hash: this.hash,
      leaves: this.leaves,
      numbers: this.numbers,
      recorded,
      scalars: Float64Array.from(this.scalars),
      randoms: this.randoms,
    };
  }
}

/** Whether two programs have the same structure. */
export function sameKey(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}
