/** Whole training steps on the strict reference backend: compiled and replayed, they leave the parameters that eager steps do. */
import {
  Conv2d,
  crossEntropy,
  Flatten,
  LayerNorm,
  Linear,
  MaxPool2d,
  Parameter,
  ReLU,
  Sequential,
  Tanh,
} from '@dl/layers';
import { Adam } from '@dl/optim';
import { compile, setBackend, stack, type Tensor, tensor, zeros } from '@dl/tensor';
import { beforeAll, describe, expect, it } from 'vitest';
import { referenceBackend } from '../src';

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

function recurrent(layers: number): Case {
  const [vocabulary, hidden, time, batch] = [5, 4, 6, 3];
  const make = (shape: readonly number[]): Parameter => new Parameter(zeros(shape));
  const embedding = make([vocabulary, hidden]);
  const cells = Array.from({ length: layers }, () => ({
    wi: make([4 * hidden, hidden]),
    wh: make([4 * hidden, hidden]),
    b: make([4 * hidden]),
  }));
  const head = make([vocabulary, hidden]);
  const [x, y] = [labels([time, batch], vocabulary), labels([time * batch], vocabulary - 1)];
  const loss = (): Tensor => {
    const embedded = embedding.take(0, x);
    let inputs = Array.from({ length: time }, (_, t) => embedded.at(t));
    for (const { wi, wh, b } of cells) {
      let [h, c]: [Tensor, Tensor] = [zeros([batch, hidden]), zeros([batch, hidden])];
      inputs = inputs.map((input) => {
        const sum = input
          .matmul(wi.transpose(0, 1))
          .add(h.matmul(wh.transpose(0, 1)))
          .add(b);
        const [i, f, g, o] = sum.chunk(1, 4) as [Tensor, Tensor, Tensor, Tensor];
        c = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh()));
        h = o.sigmoid().mul(c.tanh());
        return h;
      });
    }
    return crossEntropy(
      stack(inputs, 0)
        .reshape([time * batch, hidden])
        .matmul(head.transpose(0, 1)),
      y,
    );
  };
  return { parameters: filled([embedding, ...cells.flatMap((c) => Object.values(c)), head]), loss };
}

function attentive(): Case {
  const [width, heads, time, batch] = [8, 2, 5, 2];
  const norm = new LayerNorm(width);
  const make = (shape: readonly number[]): Parameter => new Parameter(zeros(shape));
  const [qkv, bias, out] = [make([3 * width, width]), make([3 * width]), make([width, width])];
  const [x, y] = [noise([batch, time, width], 30), labels([batch * time], width)];
  const loss = (): Tensor => {
    const split = (z: Tensor): Tensor => z.reshape([batch, time, heads, width / heads]).permute([0, 2, 1, 3]);
    const projected = norm.forward(x).matmul(qkv.transpose(0, 1)).add(bias);
    const [q, k, v] = projected.chunk(2, 3).map(split) as [Tensor, Tensor, Tensor];
    const mixed = q.matmul(k.transpose(-2, -1)).mul(0.5).softmax(-1).matmul(v);
    const h = mixed.permute([0, 2, 1, 3]).reshape([batch, time, width]).matmul(out.transpose(0, 1)).add(x);
    return crossEntropy(h.reshape([batch * time, width]), y);
  };
  return { parameters: filled([...(norm.parameters() as Parameter[]), qkv, bias, out]), loss };
}

describe('compiled training steps agree with eager ones', () => {
  it.each([
    ['a convolutional network', convolutional],
    ['an LSTM', () => recurrent(1)],
    ['an LSTM of two layers', () => recurrent(2)],
    ['attention', attentive],
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
