/** Whole training steps on the strict reference backend: compiled and replayed, they leave the parameters that eager steps do. */
import { Conv2d, crossEntropy, Flatten, Linear, MaxPool2d, type Parameter, ReLU, Sequential, Tanh } from '@dl/layers';
import { Adam } from '@dl/optim';
import { compile, setBackend, type Tensor, tensor } from '@dl/tensor';
import { beforeAll, describe, expect, it } from 'vitest';
import { referenceBackend } from '../src';
import { gpt, lstm, type Model } from './models';

beforeAll(() => setBackend(referenceBackend()));

/** Numbers without order, the same each time. */
function noise(shape: readonly number[], seed: number): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = Float32Array.from({ length: size }, (_, i) => Math.sin(12.9898 * (i + 1) + 78.233 * seed) * 0.6);
  return tensor(values).reshape(shape);
}

const labels = (shape: readonly number[], classes: number): Tensor => {
  const size = shape.reduce((a, b) => a * b, 1);
  return tensor(Int32Array.from({ length: size }, (_, i) => (i * 7 + 3) % classes)).reshape(shape);
};

interface Case {
  readonly parameters: Parameter[];
  loss(): Tensor;
}

/** The parameters after three steps of Adam. */
async function trained(make: () => Case, isCompiled: boolean): Promise<number[][]> {
  const { parameters, loss } = make();
  const optimizer = new Adam(parameters, { lr: 0.01 });
  const step = (): Tensor => {
    const value = loss();
    optimizer.minimize(value);
    return value;
  };
  const run = isCompiled ? compile(step) : step;
  for (let i = 0; i < 3; i++) await run().data();
  return Promise.all(parameters.map(async (p) => Array.from(await p.data(), Number)));
}

function filled(parameters: Parameter[]): Parameter[] {
  parameters.forEach((p, i) => {
    p.assign(noise(p.shape, i + 1));
  });
  return parameters;
}

function convolutional(): Case {
  const model = new Sequential(
    new Conv2d(1, 3, 3, { padding: 1 }),
    new Tanh(),
    new MaxPool2d(2),
    new Conv2d(3, 4, 3),
    new ReLU(),
    new Flatten(),
    new Linear(16, 5),
  );
  const [x, y] = [noise([4, 1, 8, 8], 20), labels([4], 5)];
  return { parameters: filled(model.parameters() as Parameter[]), loss: () => crossEntropy(model.forward(x), y) };
}

/** A language model on ids in no order. */
const languageModel = ({ parameters, loss }: Model, shape: readonly number[], vocabulary: number): Case => {
  const [x, y] = [labels(shape, vocabulary), labels(shape, vocabulary - 1)];
  return { parameters: filled([...parameters]), loss: () => loss(x, y) };
};

const recurrent = (layers: number): Case =>
  languageModel(lstm({ layers, vocabulary: 5, hidden: 4, time: 6, batch: 3 }), [6, 3], 5);

const attentive = (): Case =>
  languageModel(gpt({ vocabulary: 7, width: 8, layers: 1, heads: 2, time: 5, batch: 2 }), [2, 5], 7);

describe('compiled training steps agree with eager ones', () => {
  it.each([
    ['a convolutional network', convolutional],
    ['an LSTM', () => recurrent(1)],
    ['an LSTM of two layers', () => recurrent(2)],
    ['a GPT', attentive],
  ])('%s', async (_, make) => {
    const eager = await trained(make, false);
    const compiled = await trained(make, true);
    // Fused and joined sums round in another order; Adam divides by the root of small squares.
    compiled.forEach((values, p) => {
      values.forEach((v, i) => {
        expect(Math.abs(v - eager[p]![i]!)).toBeLessThan(2e-4);
      });
    });
  });
});
