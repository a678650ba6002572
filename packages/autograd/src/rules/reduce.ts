/**
 * Gradients of reductions. Elements that tie for the largest share its gradient evenly. The product's is that of all
 * other elements, from running products from both ends: there is no division, so zeros are right, also in higher orders.
 */
import { type Op, type Shape, type Tensor, withOnes } from '@dl/tensor';
import { axesOf, type Cotangent, each, none, type Rule, type Step } from './rule';

/** A reduced value at every element that it came from. */
const spread = (t: Tensor, axes: readonly number[], shape: Shape): Tensor =>
  t.reshape(withOnes(shape, axes)).expand(shape);

function extreme({ attrs: { axes }, g, x, y }: Step<'max_reduce' | 'min_reduce'>): Cotangent[] {
  const from = x[0]!;
  const ties = from.eq(spread(y, axes, from.shape));
  const share = g.div(ties.cast(g.dtype).sum(axes));
  return [ties.where(spread(share, axes, from.shape), 0)];
}

/** The products of all elements before each one, along the last axis. */
function before(x: Tensor): Tensor {
  const last = x.rank - 1;
  const by = (n: number): number[] => each(x.rank, 0).with(last, n);
  return x.pad(by(1), by(-1), { value: 1 }).cumprod(last);
}

function prod({ attrs: { axes }, g, x }: Step<'prod'>): Cotangent[] {
  const from = x[0]!;
  if (from.size === 0) return [null];
  const kept = axesOf(from.rank).filter((a) => !axes.includes(a));
  const order = [...kept, ...axes];
  const moved = from.permute(order); // [kept…, reduced…]
  const rows = moved.reshape([...g.shape, -1]); // [kept…, n]
  const others = before(rows).mul(before(rows.flip(-1)).flip(-1));
  const back = axesOf(from.rank).map((a) => order.indexOf(a));
  return [others.mul(g.unsqueeze(-1)).reshape(moved.shape).permute(back)];
}

export const reduceRules = {
  sum: ({ attrs: { axes }, g, x }) => [spread(g, axes, x[0]!.shape)],
  prod,
  max_reduce: extreme,
  min_reduce: extreme,
  argmax: none,
} as const satisfies { readonly [O in Op]?: Rule<O> };
