/**
 * The way back through the recorded graph: which nodes lie between a result and what it is differentiated with respect
 * to, and the cotangents that reach them. Walks keep their own lists instead of recursing, for graphs are thousands of
 * nodes deep, and take each node once, latest first: a node's sources always have smaller ids.
 */
import { type Node, Tensor, ValueError } from '@dl/tensor';
import { customRuleOf, dropCustomRule } from './custom-rule';
import { applyRule } from './rules';
import type { Cotangent, Step } from './rules/rule';

export interface Pulled {
  /** Of each node on the way, what was added up; absent where it is zero everywhere. */
  readonly cotangents: ReadonlyMap<Node, Tensor>;
  /** The wanted nodes that the result depends on. */
  readonly reached: readonly Node[];
  /** The nodes whose rules were applied. */
  readonly passed: readonly Node[];
}

/** What a node is made from, as far as gradients are concerned. */
const sourcesOf = (node: Node): readonly Node[] => customRuleOf(node)?.sources ?? node.sources;

/** Nodes that require gradients, from `root` down to `ends`, which are not passed; the latest first. */
function between(root: Node, isWanted: (node: Node) => boolean, ends: ReadonlySet<Node> | null): Node[] {
  const found = new Set<Node>([root]);
  const stack = [root];
  while (stack.length > 0) {
    const node = stack.pop()!;
    if (ends?.has(node)) continue;
    if (node.consumed && !isWanted(node)) throw consumed(node);
    for (const source of sourcesOf(node)) {
      if (!source.requiresGrad || found.has(source)) continue;
      found.add(source);
      stack.push(source);
    }
  }
  return [...found].sort((a, b) => b.id - a.id);
}

/** Those of `nodes` (latest first) that depend on a wanted one. */
function towards(nodes: readonly Node[], isWanted: (node: Node) => boolean): Set<Node> {
  const leading = new Set<Node>();
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    if (isWanted(node) || sourcesOf(node).some((s) => leading.has(s))) leading.add(node);
  }
  return leading;
}

/**
 * Takes the cotangent of `root` back to the wanted nodes.
 *
 * @param ends - nodes that the walk does not pass; null for none
 * @throws ValueError where an earlier `backward` consumed the graph
 */
export function pullBack(
  root: Node,
  cotangent: Tensor,
  isWanted: (node: Node) => boolean,
  ends: ReadonlySet<Node> | null = null,
): Pulled {
  const nodes = between(root, isWanted, ends);
  const leading = towards(nodes, isWanted);
  const cotangents = new Map<Node, Tensor>([[root, cotangent]]);
  const passed: Node[] = [];
  for (const node of nodes) {
    if (!leading.has(node) || ends?.has(node)) continue;
    const sources = sourcesOf(node);
    if (!sources.some((s) => leading.has(s))) continue;
    passed.push(node);
    const g = cotangents.get(node);
    if (g === undefined) continue;
    const parts = cotangentsOf(node, sources, g, leading);
    for (const [i, source] of sources.entries()) add(cotangents, leading, source, parts[i] ?? null);
  }
  return { cotangents, reached: nodes.filter((n) => leading.has(n) && isWanted(n)), passed };
}

function add(cotangents: Map<Node, Tensor>, leading: ReadonlySet<Node>, source: Node, part: Cotangent): void {
  if (part === null || !leading.has(source)) return;
  const sum = cotangents.get(source);
  cotangents.set(source, sum === undefined ? part : sum.add(part));
}

function cotangentsOf(
  node: Node,
  sources: readonly Node[],
  g: Tensor,
  leading: ReadonlySet<Node>,
): readonly Cotangent[] {
  const custom = customRuleOf(node);
  if (custom) return custom.apply(g);
  const step: Step = {
    node,
    attrs: node.attrs,
    x: sources.map((s) => new Tensor(s)),
    y: new Tensor(node),
    g,
    wants: (i) => leading.has(sources[i]!),
    through,
  };
  return applyRule(step);
}

/** Partial derivatives: cotangents of `sources`, none of which is passed on the way to another. */
export function through(result: Node, g: Tensor, sources: readonly Node[]): Cotangent[] {
  const ends = new Set(sources);
  const { cotangents } = pullBack(result, g, (n) => ends.has(n), ends);
  return sources.map((s) => cotangents.get(s) ?? null);
}

const consumed = (node: Node): ValueError =>
  new ValueError(
    `backward: this graph was consumed by an earlier backward or minimize (at the operation ${node.op}). Pass { retainGraph: true } to the earlier one, or record the loss again.`,
  );

/** Marks nodes as passed for good; what is stored forgets where it came from. */
export function consume(nodes: readonly Node[]): void {
  for (const node of nodes) {
    node.consumed = true;
    dropCustomRule(node);
    if (node.stored !== null) node.sources = [];
  }
}
