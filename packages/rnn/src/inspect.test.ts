import { cpu } from '@dl/backend-cpu';
import { uniform } from '@dl/layers';
import { rand, setBackend, setSeed, type Tensor } from '@dl/tensor';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { GRU, gradientNorms, inspect, LSTM, RNN } from '.';
import type { Recurrent } from './layer';

beforeAll(async () => setBackend(await cpu()));
beforeEach(() => setSeed(0));

test('the gates are those that made the output', async () => {
  const lstm = new LSTM(3, 4, { numLayers: 2, bidirectional: true });
  const x = rand([5, 2, 3]);
  const { output, layers } = inspect(lstm, x);
  expect(layers.map((l) => [l.layer, l.isReverse])).toEqual([
    [0, false],
    [0, true],
    [1, false],
    [1, true],
  ]);
  const { gates, hidden } = layers[2]!;
  expect(Object.keys(gates)).toEqual(['i', 'f', 'g', 'o']);
  let c: Tensor = gates['i']!.at(0).mul(gates['g']!.at(0));
  for (let t = 1; t < 5; t++)
    c = gates['f']!.at(t)
      .mul(c)
      .add(gates['i']!.at(t).mul(gates['g']!.at(t)));
  const h = gates['o']!.at(4).mul(c.tanh());
  expect(
    await h
      .sub(output.at(4, ':', '0:4'))
      .abs()
      .max()
      .item(),
  ).toBeLessThan(1e-6);
  expect(await hidden[4]!.sub(h).abs().max().item()).toBeLessThan(1e-6);
  expect(await output.sub(lstm.forward(x).output).abs().max().item()).toBe(0);
});

/** ‖∂loss/∂h_t‖ for a loss of the last output alone, over 100 steps. */
async function normsOver100(layer: Recurrent): Promise<number[]> {
  const { output, layers } = inspect(layer, rand([100, 4, 8]));
  return gradientNorms(output.at(-1).sum(), layers[0]!.hidden).array(1);
}

test('over 100 steps the gradient vanishes in an RNN, less so in a GRU and an LSTM that remember', async () => {
  const hidden = 16;
  const rnn = await normsOver100(new RNN(8, hidden));
  const gru = new GRU(8, hidden);
  const lstm = new LSTM(8, hidden);
  // A large bias opens the gates that keep: z of the GRU, f of the LSTM.
  gru
    .namedParameters()
    .find(([key]) => key === 'bias_ih_l0')![1]
    .assign(uniform(0, 0)([48]).with([`${hidden}:${2 * hidden}`], 4));
  lstm
    .namedParameters()
    .find(([key]) => key === 'bias_ih_l0')![1]
    .assign(uniform(0, 0)([64]).with([`${hidden}:${2 * hidden}`], 4));
  const [kept, remembered] = [await normsOver100(gru), await normsOver100(lstm)];
  expect(rnn[99]!).toBeCloseTo(8, 5); // the gradient of the sum itself: √(4 · 16)
  expect(rnn[0]! / rnn[99]!).toBeLessThan(1e-6);
  expect(kept[0]! / kept[99]!).toBeGreaterThan(1e-3);
  expect(remembered[0]! / remembered[99]!).toBeGreaterThan(1e-4);
});
