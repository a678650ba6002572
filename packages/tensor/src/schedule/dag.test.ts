import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClusterOrder } from './dag';

/** Whether a path leads from one node to another through at least one more. */
function reachesAround(edges: readonly (readonly [number, number])[], from: number, to: number): boolean {
  const seen = new Set<number>([from]);
  const stack = edges.filter(([a, b]) => a === from && b !== to).map(([, b]) => b);
  while (stack.length > 0) {
    const at = stack.pop()!;
    if (at === to) return true;
    if (seen.has(at)) continue;
    seen.add(at);
    for (const [a, b] of edges) if (a === at) stack.push(b);
  }
  return false;
}

describe('cluster order', () => {
  it('merges just what no path through others joins, and keeps an order', () => {
    const graphs = fc.record({
      count: fc.integer({ min: 2, max: 12 }),
      edges: fc.array(fc.tuple(fc.nat(11), fc.nat(11)), { maxLength: 24 }),
      merges: fc.array(fc.tuple(fc.nat(11), fc.nat(11)), { maxLength: 12 }),
    });
    fc.assert(
      fc.property(graphs, ({ count, edges, merges }) => {
        const order = new ClusterOrder();
        for (let i = 0; i < count; i++) order.add();
        const rising = edges.filter(([a, b]) => a < b && b < count);
        for (const [a, b] of rising.sort((x, y) => x[1] - y[1])) order.need(a, b);
        const present = () =>
          rising.map(([a, b]) => [order.find(a), order.find(b)] as const).filter(([a, b]) => a !== b);
        for (const [i, j] of merges) {
          const [a, b] = [order.find(i % count), order.find(j % count)];
          if (a === b) continue;
          const blocked = reachesAround(present(), a, b) || reachesAround(present(), b, a);
          expect(order.merge(a, b) < 0).toBe(blocked);
          for (const [x, y] of present()) expect(order.orderOf(x)).toBeLessThan(order.orderOf(y));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('keeps its order through many moves to one place', () => {
    const order = new ClusterOrder();
    const [first, last] = [order.add(), 200];
    for (let i = 1; i <= last; i++) order.add();
    for (let i = 2; i <= last; i += 2) {
      order.need(i - 1, i);
      expect(order.merge(order.find(first), i)).toBeGreaterThanOrEqual(0);
      expect(order.orderOf(i - 1)).toBeLessThan(order.orderOf(order.find(first)));
    }
  });
});
