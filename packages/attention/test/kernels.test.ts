/** What a training step of a small GPT costs: how many kernels, and that it learns. */
import { cpu } from '@dl/backend-cpu';
import { crossEntropy, Embedding, LayerNorm, linear, Module, normal } from '@dl/layers';
import { AdamW } from '@dl/optim';
import { compile, profile, randint, setBackend, setSeed, type Tensor } from '@dl/tensor';
import { expect, test } from 'vitest';
import { LearnedPositions, TransformerEncoder, TransformerEncoderLayer } from '../src';

/** nanoGPT on a CPU: 4 layers, 4 heads, width 128, context 64. */
class Gpt extends Module {
  readonly tokens = new Embedding(65, 128, { weightInit: normal(0, 0.02) });
  readonly positions = new LearnedPositions(64, 128);
  readonly encoder = new TransformerEncoder(() => new TransformerEncoderLayer(128, 4, options), 4, {
    norm: new LayerNorm(128, { bias: false }),
  });

  forward(ids: Tensor): Tensor {
    const x = this.positions.forward(this.tokens.forward(ids));
    return linear(this.encoder.forward(x, { causal: true }), this.tokens.weight);
  }
}

const options = {
  dimFeedforward: 512,
  activation: 'gelu',
  dropout: 0,
  normFirst: true,
  batchFirst: true,
  bias: false,
} as const;

test('a training step of a GPT of 4 layers is at most 165 kernels', async () => {
  setBackend(await cpu());
  setSeed(0);
  const model = new Gpt();
  const optimizer = new AdamW(model.parameters(), { lr: 1e-3, betas: [0.9, 0.99] });
  const step = compile((ids: Tensor, targets: Tensor) => {
    const loss = crossEntropy(model.forward(ids).flatten(0, 1), targets.flatten());
    optimizer.minimize(loss);
    return loss;
  });
  const [ids, targets] = [randint(0, 65, [12, 64]).realize(), randint(0, 65, [12, 64]).realize()];
  const first = await step(ids, targets).item();
  expect(first).toBeCloseTo(Math.log(65), 0);
  for (let i = 0; i < 10; i++) step(ids, targets);
  const { kernels, result } = await profile(() => step(ids, targets));
  expect(kernels.length).toBeLessThanOrEqual(165);
  expect(await result.item()).toBeLessThan(first - 0.5);
});
