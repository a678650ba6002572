/**
 * Checkpoints: a part of the graph whose intermediate values are not kept for the way back, but computed again there. What
 * the function recorded serves as a template. Its value is computed from a copy that requires no gradient, so that no run
 * keeps anything of it; its gradient walks a second copy, behind barriers, so that the two are not shared.
 */
import { Node, Tensor, withGrad } from '@dl/tensor';
import { type CustomRule, customRuleOf, setCustomRule, withRule } from './custom-rule';
import { through } from './walk';

/**
 * The value of `fn(...inputs)`, whose intermediate values are computed again when gradients are taken: memory for time.
 * Random numbers are the same both times. A step keeps the ends of the checkpoints and the inside of one at a time: n equal
 * layers in √n checkpoints take 2 √n activations instead of n (32 layers in sixes: 11 instead of 33), for one more way forward.
 *
 * @param fn - may also use variables and tensors from outside, which get their gradients
 * @returns the value
 */
export function checkpoint<A extends readonly Tensor[]>(fn: (...inputs: A) => Tensor, ...inputs: A): Tensor {
  const { id: before } = new Node('constant', [], { value: 0 }, [], 'f32', false);
  const template = fn(...inputs).node;
  if (!template.requiresGrad || template.id <= before) return new Tensor(template);
  const inside = recordedSince(before, template);
  const outside = [...new Set(inside.flatMap(sourcesOf))].filter((n) => n.id <= before);
  const sources = outside.filter((n) => n.requiresGrad);
  const ends = [...sources, ...inside.filter((n) => n.op === 'data' && n.requiresGrad)];
  const value = new Tensor(copied(inside, new Map(), null).get(template)!);
  return withRule(value, { sources: ends, apply: (g) => again({ before, inside, outside, template, ends }, g) });
}

interface Segment {
  /** The id of the last node before it. */
  readonly before: number;
  readonly inside: readonly Node[];
  /** What the inside reads. */
  readonly outside: readonly Node[];
  readonly template: Node;
  /** Where gradients go on to. */
  readonly ends: readonly Node[];
}

/** Recomputes behind barriers, and takes the cotangent back through the copy. Weights need no barrier: what meets them has one. */
function again({ before, inside, outside, template, ends }: Segment, g: Tensor) {
  const isBarred = (n: Node): boolean => n.op !== 'constant' && !(n.op === 'data' && n.requiresGrad);
  const barred = new Map(outside.map((n) => [n, isBarred(n) ? barrier(n) : n]));
  for (const n of ends) if (!barred.has(n)) barred.set(n, n);
  const copies = withGrad(true, () => copied(inside, barred, before));
  return through(
    copies.get(template)!,
    g,
    ends.map((n) => barred.get(n)!),
  );
}

const barrier = (node: Node): Node => new Node('barrier', [node], {}, node.shape, node.dtype, node.requiresGrad);

/** What a node is made of, for computing and for the way back. */
const sourcesOf = (node: Node): readonly Node[] => {
  const rule = customRuleOf(node);
  return rule ? [...node.sources, ...rule.sources] : node.sources;
};

/** What nodes were made of since the node of a given id, sources first. */
function recordedSince(before: number, ...roots: readonly Node[]): Node[] {
  const found = new Set(roots);
  const stack = [...roots];
  while (stack.length > 0) {
    for (const s of sourcesOf(stack.pop()!)) {
      if (s.id <= before || found.has(s)) continue;
      found.add(s);
      stack.push(s);
    }
  }
  return [...found].sort((a, b) => a.id - b.id);
}

/**
 * Records the nodes once more, on other sources where `map` has them.
 *
 * @param before - the id of the last node before all that is copied, for copies that require gradients as the nodes do; null for
 *   copies that require none
 */
function copied(nodes: readonly Node[], map: ReadonlyMap<Node, Node>, before: number | null): Map<Node, Node> {
  const copies = new Map(map);
  for (const node of nodes) {
    if (copies.has(node)) continue;
    copies.set(node, copyOf(node, copies, before));
  }
  return copies;
}

function copyOf(node: Node, copies: ReadonlyMap<Node, Node>, before: number | null): Node {
  const { op, attrs, shape, dtype } = node;
  if (op === 'data') return node;
  const sources = node.sources.map((s) => copies.get(s) ?? s);
  const copy = new Node(op, sources, attrs, shape, dtype, before !== null && node.requiresGrad);
  if (before === null) return copy;
  const rule = customRuleOf(node);
  if (rule) setCustomRule(copy, moved(rule, copies, before));
  // Without sources there is no barrier before it, and equal nodes would be shared.
  return op === 'random' ? barrier(copy) : copy;
}

/** The rule for the copy of a node: what it records refers to the nodes that were copied, and is copied itself. */
function moved(rule: CustomRule, copies: ReadonlyMap<Node, Node>, before: number): CustomRule {
  return {
    sources: rule.sources.map((s) => copies.get(s) ?? s),
    apply: (g) => {
      const slopes = rule.apply(g);
      const roots = slopes.flatMap((slope) => (slope === null ? [] : [slope.node]));
      const all = new Map([...copies, [g.node, g.node]]);
      const found = copied(recordedSince(before, ...roots), all, before);
      return slopes.map((slope) => slope && new Tensor(found.get(slope.node)!));
    },
  };
}
