/**
 * Writes the program of a run: the part of the recorded graph that its outputs need and that is not stored yet, in
 * canonical numbering, with the numbers that may change taken out. Equal computations give equal keys. Every eager run
 * passes here, so the walk marks nodes instead of keeping sets.
 */
import { dtypes } from '../dtype';
import { withGrad } from '../graph/mode';
import { isOp, type Node } from '../graph/node';
import type { Program, ProgramNode, ProgramOutput } from '../schedule/program';

/** A program, and what a run binds to it. */
export interface Written {
  readonly program: Program;
  /** The structure as a list of numbers, to compare. */
  readonly key: readonly number[];
  readonly hash: number;
  /** The stored nodes that its `data` nodes stand for, in order. */
  readonly leaves: readonly Node[];
  readonly scalars: Float64Array;
  /** For a random node: where its key and counter stand among the scalars. */
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

let walks = 0;

/** Nodes that a run must visit, sources first; stored ones and leaves end the walk. */
export function collect(roots: readonly Node[]): Node[] {
  const walk = ++walks;
  const order: Node[] = [];
  const stack: Node[] = [];
  for (const root of roots) {
    stack.push(resolve(root));
    while (stack.length > 0) {
      const node = stack[stack.length - 1]!;
      if (node.mark === walk) {
        stack.pop();
      } else if (node.stored !== null || !pushUnseen(node, walk, stack)) {
        node.mark = walk;
        order.push(node);
        stack.pop();
      }
    }
  }
  return order;
}

function pushUnseen(node: Node, walk: number, stack: Node[]): boolean {
  const before = stack.length;
  for (let i = node.sources.length - 1; i >= 0; i--) {
    const source = resolve(node.sources[i]!);
    if (source.mark !== walk) stack.push(source);
  }
  return stack.length > before;
}

const rootsOf = (wanted: readonly WantedOutput[]): Node[] =>
  wanted.flatMap(({ node, into }) => (into === null ? [node] : [node, into]));

/** The program that computes the wanted outputs; `order` is what `collect` found from them. */
export function writeProgram(wanted: readonly WantedOutput[], order = collect(rootsOf(wanted))): Written {
  const writer = new Writer();
  for (const node of order) writer.add(node);
  const outputs = wanted.map(({ node, into }): ProgramOutput => {
    const output = { node: resolve(node).slot, into: into === null ? null : into.slot };
    writer.key.push(output.node, output.into ?? -1);
    return output;
  });
  return writer.finish(outputs);
}

/** Words of keys that are no numbers of the program. */
const word = { argument: -7001, source: -7002, list: -7003 };

const codes = new Map<string, number>(dtypes.map((dtype, i) => [dtype, i]));

/** A number for a name, the same for the life of the process. */
function codeOf(name: string): number {
  let code = codes.get(name);
  if (code === undefined) {
    code = codes.size;
    codes.set(name, code);
  }
  return code;
}

/** −0 is an argument, for keys compare it as equal to 0. */
const isStructural = (value: number): boolean => (value === 0 && 1 / value > 0) || value === 1 || value === -1;
const none: readonly number[] = [];

class Writer {
  readonly nodes: ProgramNode[] = [];
  /** One number for each stored value, though several leaves may share it. */
  readonly values = new Map<object, number>();
  readonly leaves: Node[] = [];
  readonly key: number[] = [];
  readonly scalars: number[] = [];
  readonly randoms: { node: Node<'random'>; scalar: number }[] = [];

  add(node: Node): void {
    if (node.stored !== null) this.addLeaf(node);
    else {
      const sources = node.sources.map((s) => resolve(s).slot);
      this.head(node.op, node);
      for (const s of sources) this.key.push(s);
      const args = this.attributes(node);
      node.slot = this.nodes.length;
      this.nodes.push({ op: node.op, sources, attrs: node.attrs, shape: node.shape, dtype: node.dtype, args });
    }
  }

  addLeaf(node: Node): void {
    const known = this.values.get(node.stored!);
    node.slot = known ?? this.nodes.length;
    if (known !== undefined) return;
    this.values.set(node.stored!, node.slot);
    this.head('data', node);
    this.leaves.push(node);
    this.nodes.push({ op: 'data', sources: none, attrs: {}, shape: node.shape, dtype: node.dtype, args: none });
  }

  head(op: string, { dtype, shape, sources }: Node): void {
    this.key.push(codeOf(op), codeOf(dtype), shape.length, op === 'data' ? 0 : sources.length);
    for (const n of shape) this.key.push(n);
  }

  /** A number of the attributes: an argument, unless it is −1, 0 or 1. */
  argument(value: number): number {
    if (isStructural(value)) {
      this.key.push(value);
      return -1;
    }
    this.key.push(word.argument);
    return this.scalars.push(value) - 1;
  }

  attributes(node: Node): readonly number[] {
    if (isOp(node, 'constant')) return [this.argument(node.attrs.value)];
    if (isOp(node, 'random')) return this.random(node);
    if (isOp(node, 'slice')) return this.slice(node);
    if ('operands' in node.attrs) return this.operands(node.attrs.operands);
    for (const name in node.attrs) this.structure((node.attrs as Record<string, unknown>)[name]);
    return none;
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
      else this.key.push(word.source, s.source);
    }
    for (const n of sizes) this.key.push(n);
    for (const n of steps) this.key.push(n);
    return args;
  }

  operands(operands: readonly (number | null)[]): number[] {
    const args: number[] = [];
    for (const o of operands) {
      if (o === null) this.key.push(word.source);
      else args.push(this.argument(o));
    }
    return args;
  }

  /** Attributes that belong to the structure, whatever their form. */
  structure(value: unknown): void {
    if (typeof value === 'number') this.key.push(value);
    else if (typeof value === 'string') this.key.push(codeOf(value));
    else if (typeof value === 'boolean') this.key.push(value ? 1 : 0);
    else if (Array.isArray(value)) {
      this.key.push(word.list, value.length);
      for (const v of value) this.structure(v);
    } else for (const name in value as object) this.structure((value as Record<string, unknown>)[name]);
  }

  finish(outputs: ProgramOutput[]): Written {
    const { nodes, key, leaves, scalars, randoms } = this;
    const program = { nodes, outputs, scalars: scalars.length };
    return { program, key, hash: hashOf(key), leaves, scalars: Float64Array.from(scalars), randoms };
  }
}

function hashOf(key: readonly number[]): number {
  let hash = key.length;
  for (let i = 0; i < key.length; i++) hash = (Math.imul(hash ^ (key[i]! | 0), 0x9e3779b1) + 0x7f4a7c15) | 0;
  return hash;
}

/** Whether two programs have the same structure. */
export function sameKey(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i] && !Object.is(a[i], b[i])) return false;
  return true;
}
