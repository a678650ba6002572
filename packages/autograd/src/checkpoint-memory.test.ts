/** What checkpoints save: the memory of the intermediate values of a deep network's step, compiled, where the schedule knows all of it. */
import { compile, profile, randn, setBackend, setSeed, type Tensor, Variable } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkpoint, grad } from './index';

const depth = 32;
const [batch, width] = [64, 8];

beforeAll(() => setBackend(referenceBackend()));

type Layer = (x: Tensor) => Tensor;

/** tanh(x · w), over and over. The activations outweigh the weights, as they do in what needs checkpoints. */
function layers(): { weights: Variable[]; list: Layer[] } {
  setSeed(1);
  const weights = Array.from(
    { length: depth },
    () => new Variable(randn([width, width]).mul(0.3), { requiresGrad: true }),
  );
  return { weights, list: weights.map((w) => (x: Tensor) => x.matmul(w).tanh()) };
}

const chain =
  (list: readonly Layer[]): Layer =>
  (x) =>
    list.reduce((y, layer) => layer(y), x);

/** The network in checkpoints of `size` layers; all of it in one piece for 0. */
function network(list: readonly Layer[], size: number): Layer {
  if (size === 0) return chain(list);
  return (x) => {
    let y = x;
    for (let i = 0; i < list.length; i += size) y = checkpoint(chain(list.slice(i, i + size)), y);
    return y;
  };
}

/** Bytes of all intermediate values of a step, in activations of one layer. */
async function arenaOf(size: number): Promise<{ activations: number; slopes: number[] }> {
  const { weights, list } = layers();
  const run = network(list, size);
  const step = compile((x: Tensor) => grad(run(x).square().sum(), weights));
  const x = randn([batch, width]);
  await Promise.all([x, ...weights].map((t) => t.data()));
  const { result, arenaBytes } = await profile(() => step(x));
  return { activations: arenaBytes / (batch * width * 4), slopes: [...(await result[0]!.data())] };
}

describe('checkpoint', () => {
  it('in √n segments keeps √n ends and the inside of one segment, instead of n layers', async () => {
    const plain = await arenaOf(0);
    const checked = await arenaOf(6);
    checked.slopes.forEach((slope, i) => {
      expect(slope).toBeCloseTo(plain.slopes[i]!, 5);
    });
    expect(plain.activations).toBeGreaterThanOrEqual(depth);
    expect(checked.activations).toBeLessThanOrEqual(2 * Math.sqrt(depth) + 1);
  });
});
