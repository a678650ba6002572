/**
 * Gradients of indexing by data, which are indexing again (a gather's adds up by scatter, a scatter's gathers), and of the
 * linear recurrence, which is one that runs the other way. Orders have none; the values they select are a gather.
 */
import { inOperation, type Op, type Tensor, zerosLike } from '@dl/tensor';
import { type Cotangent, each, none, type Rule, type Step } from './rule';

const gather = ({ attrs: { axis, operation = 'gather' }, g, x }: Step<'gather'>): Cotangent[] => [
  inOperation(operation, () => zerosLike(x[0]!).scatterAdd(axis, x[1]!, g)),
];

function scatter({ attrs: { axis, mode, operation = 'scatter' }, g, x, wants }: Step<'scatter'>): Cotangent[] {
  const index = x[1]!;
  return inOperation(operation, () => {
    const ofBase = mode === 'add' ? g : wants(0) ? g.scatter(axis, index, zerosLike(x[2]!)) : null;
    return [ofBase, null, wants(2) ? g.gather(axis, index) : null];
  });
}

/** The neighbour `by` places back along an axis (ahead if negative), 0 at the end. */
function neighbour(x: Tensor, axis: number, by: 1 | -1): Tensor {
  const at = (n: number): number[] => each(x.rank, 0).with(axis, n);
  return x.pad(at(by), at(-by));
}

/** λ_t = g_t + a_{t+1} · λ_{t+1} is the cotangent of b_t, and λ_t · h_{t−1} that of a_t. */
function scan({ attrs: { axis, reverse }, g, x, y, wants }: Step<'scan'>): Cotangent[] {
  if (g.size === 0) return [];
  const back = reverse ? -1 : 1;
  const next = neighbour(x[0]!, axis, reverse ? 1 : -1);
  const ofTerms = next.linearScan(g, axis, { reverse: !reverse });
  return [wants(0) ? ofTerms.mul(neighbour(y, axis, back)) : null, ofTerms];
}

export const indexingRules = {
  gather,
  scatter,
  scan,
  argsort: none,
  argtopk: none,
} as const satisfies { readonly [O in Op]?: Rule<O> };
