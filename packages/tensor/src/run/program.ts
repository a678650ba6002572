/**
 * Writes the program of a run: the part of the recorded graph that its outputs need and that is not stored yet, in
 * canonical numbering, with the numbers that may change taken out. Equal computations give equal keys. Every eager run
 * passes here, so the walk marks nodes instead of keeping sets, keys are written into one buffer, and the program itself is
 * only made when no schedule is found under its key.
 */
import { dtypes } from '../dtype';
import { withGrad } from '../graph/mode';
import { isOp, type Node } from '../graph/node';
import type { Program, ProgramNode, ProgramOutput } from '../schedule/program';

/** What tells a program apart from others, and what a run binds to it. */
export interface Written {
  /** The structure as numbers. The buffer is the writer's own: `ownKey` copies it. */
  readonly key: Float64Array;
  /** How much of the buffer is the key. */
  readonly length: number;
  readonly hash: number;
  /** How many nodes the program has. */
  readonly count: number;
  /** The stored nodes that its `data` nodes stand for, in order. */
  readonly leaves: readonly Node[];
  readonly scalars: Float64Array;
  /** For a random node: where its key and counter stand among the scalars. */
  readonly randoms: readonly RandomNode[];
  /** The program. To be asked for before anything else is written. */
  program(): Program;
}

export interface RandomNode {
  readonly node: Node<'random'>;
  readonly scalar: number;
}

/** The new value of a variable. */
export interface Update {
  readonly node: Node;
  /** A stored leaf to overwrite, or null for a storage of its own. */
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

/** A mark that no node has yet. */
export const newMark = (): number => ++walks;

/** Nodes that a run must visit, sources first; stored ones and leaves end the walk. */
export function collect(roots: readonly Node[]): Node[] {
  const walk = newMark();
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

/**
 * The program that stores what is updated, and then the results.
 *
 * @param order - what `collect` found from both
 */
export function writeProgram(order: readonly Node[], updates: readonly Update[], results: readonly Node[]): Written {
  writer.begin();
  for (const node of order) writer.add(node);
  for (const { node, into } of updates) writer.output(node, into);
  for (const node of results) writer.output(node, null);
  return writer.finish(order, updates, results);
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
const none: readonly never[] = [];
const noNumbers = new Float64Array(0);
/** Shared: a list of the writer's own would take in the random nodes of the next program. */
const noRandoms: readonly RandomNode[] = [];

/** A list of numbers that is filled again and again. */
class Numbers {
  items = new Float64Array(1024);
  length = 0;

  push(value: number): void {
    if (this.length === this.items.length) {
      const longer = new Float64Array(2 * this.length);
      longer.set(this.items);
      this.items = longer;
    }
    this.items[this.length++] = value;
  }

  copy(): Float64Array {
    return this.length > 0 ? this.items.slice(0, this.length) : noNumbers;
  }
}

/** Writes one key after another, into the same buffers. */
class Writer {
  private readonly key = new Numbers();
  private count = 0;
  /** The place of each number of the attributes among the scalars, or −1; one node's after another's. */
  private readonly args = new Numbers();
  /** For each node, where its part of `args` ends. */
  private readonly argsEnd = new Numbers();
  private readonly scalars = new Numbers();
  private leaves: Node[] = [];
  private randoms: RandomNode[] = [];
  /** Marks the stored values of this program: several leaves may share one. */
  private mark = 0;

  begin(): void {
    this.count = this.key.length = this.args.length = this.argsEnd.length = this.scalars.length = 0;
    if (this.leaves.length > 0) this.leaves = [];
    if (this.randoms.length > 0) this.randoms = [];
    this.mark = newMark();
  }

  add(node: Node): void {
    const { stored, sources } = node;
    if (stored !== null) {
      if (stored.mark === this.mark) {
        node.slot = stored.slot;
        return;
      }
      stored.mark = this.mark;
      stored.slot = this.count;
      this.leaves.push(node);
      this.head('data', node, 0);
    } else {
      this.head(node.op, node, sources.length);
      for (const s of sources) this.key.push(resolve(s).slot);
      this.attributes(node);
    }
    node.slot = this.count++;
    this.argsEnd.push(this.args.length);
  }

  private head(op: string, { dtype, shape }: Node, sources: number): void {
    this.key.push(codeOf(op));
    this.key.push(codeOf(dtype));
    this.key.push(shape.length);
    this.key.push(sources);
    for (const n of shape) this.key.push(n);
  }

  /** A number of the attributes: an argument, unless it is −1, 0 or 1. */
  private argument(value: number): void {
    if (isStructural(value)) {
      this.key.push(value);
      this.args.push(-1);
    } else {
      this.key.push(word.argument);
      this.scalar(value);
    }
  }

  private scalar(value: number): void {
    this.args.push(this.scalars.length);
    this.scalars.push(value);
  }

  private attributes(node: Node): void {
    const { attrs } = node;
    if ('operands' in attrs) {
      for (const o of attrs.operands) {
        if (o === null) this.key.push(word.source);
        else this.argument(o);
      }
    } else if (isOp(node, 'constant')) this.argument(node.attrs.value);
    else if (isOp(node, 'random')) this.random(node);
    else if (isOp(node, 'slice')) this.slice(node);
    else for (const name in attrs) this.structure((attrs as Record<string, unknown>)[name]);
  }

  private random(node: Node<'random'>): void {
    this.randoms.push({ node, scalar: this.scalars.length });
    const { key, counter } = node.attrs;
    for (const value of [key[0], key[1], counter]) this.scalar(value);
  }

  private slice(node: Node<'slice'>): void {
    const { starts, sizes, steps } = node.attrs;
    for (const s of starts) {
      if (typeof s === 'number') this.argument(s);
      else {
        this.key.push(word.source);
        this.key.push(s.source);
      }
    }
    for (const n of sizes) this.key.push(n);
    for (const n of steps) this.key.push(n);
  }

  /** Attributes that belong to the structure, whatever their form. */
  private structure(value: unknown): void {
    if (typeof value === 'number') this.key.push(value);
    else if (typeof value === 'string') this.key.push(codeOf(value));
    else if (typeof value === 'boolean') this.key.push(value ? 1 : 0);
    else if (Array.isArray(value)) {
      this.key.push(word.list);
      this.key.push(value.length);
      for (const v of value) this.structure(v);
    } else for (const name in value as object) this.structure((value as Record<string, unknown>)[name]);
  }

  output(node: Node, into: Node | null): void {
    this.key.push(resolve(node).slot);
    this.key.push(into === null ? -1 : into.slot);
  }

  finish(order: readonly Node[], updates: readonly Update[], results: readonly Node[]): Written {
    const { key, count, leaves, mark } = this;
    const randoms = this.randoms.length > 0 ? this.randoms : noRandoms;
    this.leaves = []; // or the writer would hold the last run's values
    const program = (): Program => {
      if (this.mark !== mark) throw new Error('internal: a program is asked for after another was written.');
      return this.program(order, updates, results);
    };
    const { items, length } = key;
    return {
      key: items,
      length,
      hash: hashOf(items, length),
      count,
      leaves,
      scalars: this.scalars.copy(),
      randoms,
      program,
    };
  }

  private program(order: readonly Node[], updates: readonly Update[], results: readonly Node[]): Program {
    const nodes: ProgramNode[] = [];
    let from = 0;
    for (const node of order) {
      const { op, attrs, shape, dtype, stored } = node;
      if (node.slot !== nodes.length) continue; // another leaf of a value that has its node
      const end = this.argsEnd.items[nodes.length]!;
      if (stored !== null) nodes.push({ op: 'data', sources: none, attrs: {}, shape, dtype, args: none });
      else {
        const sources = node.sources.map((s) => resolve(s).slot);
        const args = end > from ? [...this.args.items.subarray(from, end)] : none;
        nodes.push({ op, sources, attrs, shape, dtype, args });
      }
      from = end;
    }
    const slotOf = (node: Node): number => resolve(node).slot;
    const outputs: ProgramOutput[] = [
      ...updates.map(({ node, into }) => ({ node: slotOf(node), into: into === null ? null : into.slot })),
      ...results.map((node) => ({ node: slotOf(node), into: null })),
    ];
    return { nodes, outputs, scalars: this.scalars.length };
  }
}

const writer = new Writer();

function hashOf(key: Float64Array, length: number): number {
  let hash = length;
  for (let i = 0; i < length; i++) hash = (Math.imul(hash ^ (key[i]! | 0), 0x9e3779b1) + 0x7f4a7c15) | 0;
  return hash;
}

/** The key, to keep. */
export const ownKey = ({ key, length }: Written): Float64Array => key.slice(0, length);

/** Whether a program has the structure with this key. */
export function hasKey(written: Written, key: Float64Array): boolean {
  if (written.length !== key.length) return false;
  for (let i = 0; i < key.length; i++) {
    const a = written.key[i]!;
    const b = key[i]!;
    if (a !== b && !(Number.isNaN(a) && Number.isNaN(b))) return false;
  }
  return true;
}
