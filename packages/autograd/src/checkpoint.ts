/**
 * Checkpoints: a part of the graph whose intermediate values are not kept for the way back, but computed again there. What
 * the function recorded serves as a template. Its value is computed from a copy that requires no gradient, so that no run
 * keeps anything of it; its gradient walks a second copy, behind barriers, so that the two are not shared.
 */
import { Node, Tensor, withGrad } from '@dl/tensor';
import { withRule } from './custom-rule';
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
  const outside = [...new Set(inside.flatMap((n) => n.sources))].filter((n) => n.id <= before);
  const sources = outside.filter((n) => n.requiresGrad);
  const ends = [...sources, ...inside.filter((n) => n.op === 'data' && n.requiresGrad)];
  const value = new Tensor(copied(inside, new Map(), false).get(template)!);
  return withRule(value, { sources: ends, apply: (g) => again({ inside, outside, template, ends }, g) });
}

interface Segment {
  readonly inside: readonly Node[];
  /** What the inside reads. */
  readonly outside: readonly Node[];
  readonly template: Node;
  /** Where gradients go on to. */
  readonly ends: readonly Node[];
}

/** Recomputes behind barriers, and takes the cotangent back through the copy. Weights need no barrier: what meets them has one. */
function again({ inside, outside, template, ends }: Segment, g: Tensor) {
  const isBarred = (n: Node): boolean => n.op !== 'constant' && !(n.op === 'data' && n.requiresGrad);
  const barred = new Map(outside.map((n) => [n, isBarred(n) ? barrier(n) : n]));
  for (const n of ends) if (!barred.has(n)) barred.set(n, n);
  const copies = withGrad(true, () => copied(inside, barred, true));
  return through(
    copies.get(template)!,
    g,
    ends.map((n) => barred.get(n)!),
  );
}

const barrier = (node: Node): Node => new Node('barrier', [node], {}, node.shape, node.dtype, node.requiresGrad);

/** What a node was made of since the node of a given id, sources first. */
function recordedSince(before: number, root: Node): Node[] {
  const found = new Set([root]);
  const stack = [root];
  while (stack.length > 0) {
    for (const s of stack.pop()!.sources) {
      if (s.id <= before || found.has(s)) continue;
      found.add(s);
      stack.push(s);
    }
  }
  return [...found].sort((a, b) => a.id - b.id);
}

/** Records the nodes once more, on other sources where `map` has them. */
function copied(nodes: readonly Node[], map: ReadonlyMap<Node, Node>, requiresGrad: boolean): Map<Node, Node> {
  const copies = new Map(map);
  for (const node of nodes) {
    if (copies.has(node)) continue;
    copies.set(node, copyOf(node, copies, requiresGrad));
  }
  return copies;
}

function copyOf(node: Node, copies: ReadonlyMap<Node, Node>, requiresGrad: boolean): Node {
  const { op, attrs, shape, dtype } = node;
  if (op === 'data') return node;
  const sources = node.sources.map((s) => copies.get(s) ?? s);
  const copy = new Node(op, sources, attrs, shape, dtype, requiresGrad && node.requiresGrad);
  // Without sources there is no barrier before it, and equal nodes would be shared.
  return requiresGrad && op === 'random' ? barrier(copy) : copy;
}
