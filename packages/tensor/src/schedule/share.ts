/**
 * Shares equal nodes: a node with the operation, sources, attributes and arguments of an earlier one is that one. A
 * `barrier` is never shared, so that what it protects is computed again (checkpointing). Every later pass emits its nodes
 * through the same builder, so that what a rewrite makes equal is shared too.
 */
import type { DType } from '../dtype';
import type { Shape } from '../shape';
import { type Graph, type GraphAttributes, type GraphNode, type GraphOp, withSources } from './graph';

/** A graph under construction; `emit` returns the number of a node with the given meaning. */
export class GraphBuilder {
  readonly nodes: GraphNode[] = [];
  /** Hash of a node to the last node with it; `previous` chains those before. */
  private readonly last = new Map<number, number>();
  private readonly previous: number[] = [];

  emit<O extends GraphOp>(
    op: O,
    sources: readonly number[],
    attrs: GraphAttributes[O],
    shape: Shape,
    dtype: DType,
    args: readonly number[] = [],
  ): number {
    return this.add({ op, sources, attrs, shape, dtype, args } as GraphNode);
  }

  /** A node equal to the given one, shared unless its kind forbids it. */
  add(node: GraphNode): number {
    if (node.op === 'barrier' || node.op === 'data') return this.addFresh(node);
    const hash = hashOf(node);
    const first = this.last.get(hash) ?? -1;
    for (let i = first; i >= 0; i = this.previous[i]!) if (sameNode(this.nodes[i]!, node)) return i;
    const index = this.addFresh(node);
    this.last.set(hash, index);
    this.previous[index] = first;
    return index;
  }

  /** A node of its own, though an equal one exists. */
  addFresh(node: GraphNode): number {
    return this.nodes.push(node) - 1;
  }
}

const opNumbers = new Map<string, number>();

function opNumber(op: string): number {
  let known = opNumbers.get(op);
  if (known === undefined) opNumbers.set(op, (known = opNumbers.size + 1));
  return known;
}

const mix = (hash: number, word: number): number => Math.imul(hash ^ word, 0x9e3779b1) ^ (hash >>> 15);

function hashOf(node: GraphNode): number {
  let hash = opNumber(node.op);
  for (const s of node.sources) hash = mix(hash, s);
  for (const n of node.shape) hash = mix(hash, n);
  for (const a of node.args) hash = mix(hash, a);
  return hash;
}

function sameNode(a: GraphNode, b: GraphNode): boolean {
  return (
    a.op === b.op &&
    a.dtype === b.dtype &&
    sameNumbers(a.sources, b.sources) &&
    sameNumbers(a.shape, b.shape) &&
    sameNumbers(a.args, b.args) &&
    sameValue(a.attrs, b.attrs)
  );
}

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Structural equality of attributes: numbers, strings, arrays and plain records. −0 and 0 differ, NaN equals itself. */
function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!sameValue(a[i], b[i])) return false;
    return true;
  }
  for (const key in a)
    if (!sameValue((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key])) return false;
  for (const key in b) if (!(key in a)) return false;
  return true;
}

/** The nodes that the outputs need, in their order, renumbered; `data` nodes stay, for a run binds them all. */
export function withoutUnused({ nodes, outputs }: Graph): Graph {
  const needed = new Uint8Array(nodes.length);
  for (const o of outputs) needed[o.node] = 1;
  const numbers = new Int32Array(nodes.length);
  for (let i = nodes.length - 1; i >= 0; i--) {
    if (nodes[i]!.op === 'data') needed[i] = 1;
    if (needed[i] === 1) for (const s of nodes[i]!.sources) needed[s] = 1;
  }
  const kept: GraphNode[] = [];
  for (let i = 0; i < nodes.length; i++) {
    if (needed[i] === 0) continue;
    const node = nodes[i]!;
    numbers[i] = kept.length;
    kept.push(
      node.sources.length === 0
        ? node
        : withSources(
            node,
            node.sources.map((s) => numbers[s]!),
          ),
    );
  }
  return {
    nodes: kept,
    outputs: outputs.map(({ node, into }) => ({ node: numbers[node]!, into: into === null ? null : numbers[into]! })),
  };
}
