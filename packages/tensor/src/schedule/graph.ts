/**
 * The scheduler's own graph: the program's nodes after sharing and rewriting. Three operations are added to the recorded
 * ones: `copy`, an elementwise identity that says "this value must be written in just this shape"; `check`, an index that
 * is refused outside its range; and `windows`, the view whose reduction over its last axes is a window operation. Nodes are
 * in topological order: sources have smaller numbers.
 */
import type { DType } from '../dtype';
import type { MovementOp, Op, OpAttributes, ReduceOp, Window } from '../graph/node';
import { binaryOps, reduceOps, unaryOps } from '../graph/node';
import type { Shape } from '../shape';
import type { ProgramOutput } from './program';

export interface GraphAttributes extends OpAttributes {
  /** The value itself, elementwise. */
  copy: Readonly<Record<never, never>>;
  /** The index itself, elementwise; one outside 0 ≤ index < limit is a fault. */
  check: { readonly limit: number; readonly operation: string };
  /** [outer…, windows…, size…]: element i of window w, or `value` in the padding. */
  windows: Window & { readonly value: number };
}

export type GraphOp = keyof GraphAttributes;

interface NodeOf<O extends GraphOp> {
  readonly op: O;
  readonly sources: readonly number[];
  readonly attrs: GraphAttributes[O];
  readonly shape: Shape;
  readonly dtype: DType;
  /** As in `ProgramNode.args`. */
  readonly args: readonly number[];
}

/** One node; its `op` decides the type of `attrs`. */
export type GraphNode<O extends GraphOp = GraphOp> = { [P in O]: NodeOf<P> }[O];

/** A node with other sources. One literal for all, so that engines see one layout of objects. */
export function withSources({ op, attrs, shape, dtype, args }: GraphNode, sources: readonly number[]): GraphNode {
  return { op, sources, attrs, shape, dtype, args } as GraphNode;
}

export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly outputs: readonly ProgramOutput[];
}

/** What the passes ask about an operation. */
export type OpClass =
  /** Stored before the run. */
  | 'data'
  /** A number or position, known from the indices alone. */
  | 'index'
  | 'movement'
  | 'elementwise'
  | 'reduce'
  /** A kernel begins with it; its operands are read from storage. */
  | 'producer'
  /** Pieces that are written into one storage by those who compute them. */
  | 'concat';

/** Operations whose elements are made of those at their own place in every source: a part of one is that of its sources' parts. */
export const pointwise: ReadonlySet<GraphOp> = new Set([
  ...unaryOps,
  ...binaryOps,
  'cast',
  'bitcast',
  'where',
] as const);

const elementwise: readonly GraphOp[] = [...pointwise, 'copy', 'check', 'random', 'gather'];

function classes(): Readonly<Record<GraphOp, OpClass>> {
  const table: Partial<Record<GraphOp, OpClass>> = { data: 'data', constant: 'index', iota: 'index', concat: 'concat' };
  for (const op of elementwise) table[op] = 'elementwise';
  for (const op of reduceOps) table[op] = 'reduce';
  const movement: readonly (MovementOp | 'barrier' | 'windows')[] = [
    'reshape',
    'permute',
    'expand',
    'slice',
    'pad',
    'barrier',
    'windows',
  ];
  for (const op of movement) table[op] = 'movement';
  const producers: readonly Op[] = ['dot', 'convolution', 'scatter', 'scan', 'argsort', 'argtopk'];
  for (const op of producers) table[op] = 'producer';
  return table as Record<GraphOp, OpClass>;
}

/** The class of each operation; `window_*` and `custom` are gone once rewritten. */
export const classOf = classes();

const reductions: ReadonlySet<GraphOp> = new Set(reduceOps);

export const isReduce = (node: GraphNode): node is GraphNode<ReduceOp> => reductions.has(node.op);
export const isMovement = (node: GraphNode): boolean => classOf[node.op] === 'movement';

/** The node whose elements a chain of movement operations shows, following first sources. */
export function baseOf(nodes: readonly GraphNode[], index: number): number {
  while (isMovement(nodes[index]!)) index = nodes[index]!.sources[0]!;
  return index;
}
