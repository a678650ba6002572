/** How many kernels whole training steps become: fusion that is promised is asserted here. */
import { grad } from '@dl/autograd';
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
import {
  arange,
  type Backend,
  compile,
  type Kernel,
  type Schedule,
  setBackend,
  stack,
  type Tensor,
  zeros,
} from '@dl/tensor';
import { beforeEach, describe, expect, it } from 'vitest';
import { referenceBackend } from '../src';

let prepared: Schedule[] = [];

/** A backend that keeps schedules and runs nothing. */
function recording(): Backend {
  const overrides = {
    prepare: (schedule: Schedule) => {
      prepared.push(schedule);
      return { dispose: () => {} };
    },
    run: () => {},
  };
  return Object.assign(Object.create(referenceBackend()) as Backend, overrides);
}

beforeEach(() => {
  setBackend(recording());
  prepared = [];
});

/** The schedule of a compiled function. */
function scheduleOf(fn: (...args: Tensor[]) => unknown, ...args: Tensor[]): Schedule {
  const compiled = compile(fn as (...args: Tensor[]) => Tensor);
  compiled(...args);
  return prepared.at(-1)!;
}

const kernelsOf = (schedule: Schedule): Kernel[] =>
  schedule.steps.flatMap((step) => (step.kind === 'kernel' ? [step.kernel] : []));

const parameter = (shape: readonly number[]): Parameter => new Parameter(zeros(shape));
const labels = (shape: readonly number[]): Tensor => zeros(shape, 'i32');

describe('kernels of', () => {
  it('softmax: one', () => {
    expect(scheduleOf((x) => x.softmax(-1), zeros([64, 100])).steps.length).toBe(1);
  });

  it('cross entropy, forward and backward: three', () => {
    const logits = parameter([128, 10]);
    const steps = scheduleOf(
      (y) => {
        const loss = crossEntropy(logits, y);
        return [loss, grad(loss, logits)];
      },
      labels([128]),
    ).steps;
    expect(steps.length).toBeLessThanOrEqual(3);
  });

  it('layer norm: one forward, three with its gradients', () => {
    const norm = new LayerNorm(256);
    const x = parameter([64, 256]);
    expect(scheduleOf((t) => norm.forward(t), zeros([64, 256])).steps.length).toBe(1);
    const both = scheduleOf(
      (t) => {
        const out = norm.forward(x);
        return [out, grad(out.mul(t).sum(), [x, ...norm.parameters()])];
      },
      zeros([64, 256]),
    );
    expect(both.steps.length).toBeLessThanOrEqual(3);
  });

  it('a multilayer perceptron trained by Adam: one for each parameter, layer and input gradient', () => {
    const model = new Sequential(
      new Flatten(),
      new Linear(784, 256),
      new ReLU(),
      new Linear(256, 128),
      new ReLU(),
      new Linear(128, 10),
    );
    const optimizer = new Adam(model.parameters(), { lr: 1e-3 });
    const step = scheduleOf(
      (x, y) => {
        const loss = crossEntropy(model.forward(x), y);
        optimizer.minimize(loss);
        return loss;
      },
      zeros([128, 784]),
      labels([128]),
    );
    expect(step.steps.length).toBeLessThanOrEqual(16);
    expect(step.steps.filter((s) => s.kind === 'copy')).toEqual([]);
  });

  it('LeNet trained by Adam: at most 30', () => {
    const model = new Sequential(
      new Conv2d(1, 6, 5, { padding: 2 }),
      new Tanh(),
      new MaxPool2d(2),
      new Conv2d(6, 16, 5),
      new Tanh(),
      new MaxPool2d(2),
      new Flatten(),
      new Linear(400, 120),
      new Tanh(),
      new Linear(120, 84),
      new Tanh(),
      new Linear(84, 10),
    );
    const optimizer = new Adam(model.parameters(), { lr: 1e-3 });
    const step = scheduleOf(
      (x, y) => {
        const loss = crossEntropy(model.forward(x), y);
        optimizer.minimize(loss);
        return loss;
      },
      zeros([128, 1, 28, 28]),
      labels([128]),
    );
    expect(step.steps.length).toBeLessThanOrEqual(30);
  });

  it.each([
    [1, 215, 30],
    [2, 350, 40],
  ])('an LSTM of %i layers over 64 steps: at most %i, %i of them distinct', (layers, most, distinct) => {
    const [vocabulary, hidden, time, batch] = [64, 128, 64, 32];
    const embedding = parameter([vocabulary, hidden]);
    const cells = Array.from({ length: layers }, () => ({
      wi: parameter([4 * hidden, hidden]),
      wh: parameter([4 * hidden, hidden]),
      bi: parameter([4 * hidden]),
      bh: parameter([4 * hidden]),
    }));
    const head = { w: parameter([vocabulary, hidden]), b: parameter([vocabulary]) };
    const optimizer = new Adam([embedding, ...cells.flatMap((c) => Object.values(c)), head.w, head.b], { lr: 1e-3 });
    const step = scheduleOf(
      (x, y) => {
        const embedded = embedding.take(0, x); // [T, B, H]
        let inputs = Array.from({ length: time }, (_, t) => embedded.at(t));
        for (const cell of cells) inputs = unrolled(cell, inputs, zeros([batch, hidden]));
        const states = stack(inputs, 0).reshape([time * batch, hidden]);
        const loss = crossEntropy(states.matmul(head.w.transpose(0, 1)).add(head.b), y.reshape([time * batch]));
        optimizer.minimize(loss);
        return loss;
      },
      labels([time, batch]),
      labels([time, batch]),
    );
    expect(step.steps.length).toBeLessThanOrEqual(most);
    expect(new Set(kernelsOf(step).map((k) => k.body)).size).toBeLessThanOrEqual(distinct);
  });

  it('a GPT of 4 layers trained by Adam: at most 120', () => {
    const step = gptStep();
    expect(step.steps.length).toBeLessThanOrEqual(120);
    const scores = kernelsOf(step).filter(
      (k) => k.producer !== null && k.body.some((i) => i.op === 'exp' && k.reduced.length > 0),
    );
    // Scores, mask and softmax are one kernel in each layer; the loss is the fifth.
    expect(scores.length).toBe(5);
  });
});

interface Cell {
  readonly wi: Tensor;
  readonly wh: Tensor;
  readonly bi: Tensor;
  readonly bh: Tensor;
}

function unrolled({ wi, wh, bi, bh }: Cell, inputs: readonly Tensor[], start: Tensor): Tensor[] {
  let [h, c] = [start, start];
  return inputs.map((x) => {
    const sum = x
      .matmul(wi.transpose(0, 1))
      .add(bi)
      .add(h.matmul(wh.transpose(0, 1)))
      .add(bh);
    const [i, f, g, o] = sum.chunk(1, 4) as [Tensor, Tensor, Tensor, Tensor];
    c = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh()));
    h = o.sigmoid().mul(c.tanh());
    return h;
  });
}

function gptStep(): Schedule {
  const [vocabulary, width, layers, heads, time, batch] = [65, 128, 4, 4, 64, 16];
  const linear = (inputs: number, outputs: number) => ({ w: parameter([outputs, inputs]), b: parameter([outputs]) });
  const blocks = Array.from({ length: layers }, () => ({
    norm1: new LayerNorm(width),
    qkv: linear(width, 3 * width),
    proj: linear(width, width),
    norm2: new LayerNorm(width),
    up: linear(width, 4 * width),
    down: linear(4 * width, width),
  }));
  const [embedding, positions, head] = [
    parameter([vocabulary, width]),
    parameter([time, width]),
    parameter([vocabulary, width]),
  ];
  const last = new LayerNorm(width);
  const weights = blocks.flatMap(({ norm1, norm2, ...linears }) => [
    ...norm1.parameters(),
    ...norm2.parameters(),
    ...Object.values(linears).flatMap(({ w, b }) => [w, b]),
  ]);
  const optimizer = new Adam([embedding, positions, head, ...last.parameters(), ...weights], { lr: 1e-3 });
  const apply = (x: Tensor, { w, b }: { w: Tensor; b: Tensor }): Tensor => x.matmul(w.transpose(0, 1)).add(b);
  return scheduleOf(
    (x, y) => {
      let h = embedding.take(0, x).add(positions); // [B, T, D]
      const place = arange(time);
      const future = place.reshape([time, 1]).lt(place.reshape([1, time]));
      for (const block of blocks) {
        const split = (z: Tensor): Tensor => z.reshape([batch, time, heads, width / heads]).permute([0, 2, 1, 3]);
        const [q, k, v] = apply(block.norm1.forward(h), block.qkv).chunk(2, 3).map(split) as [Tensor, Tensor, Tensor];
        const scores = q.matmul(k.transpose(-2, -1)).mul(1 / Math.sqrt(width / heads));
        const mixed = future.where(-Infinity, scores).softmax(-1).matmul(v);
        h = h.add(apply(mixed.permute([0, 2, 1, 3]).reshape([batch, time, width]), block.proj));
        const u = apply(block.norm2.forward(h), block.up);
        h = h.add(apply(u.mul(0.5).mul(u.mul(Math.SQRT1_2).erf().add(1)), block.down));
      }
      const logits = last
        .forward(h)
        .matmul(head.transpose(0, 1))
        .reshape([batch * time, vocabulary]);
      const loss = crossEntropy(logits, y.reshape([batch * time]));
      optimizer.minimize(loss);
      return loss;
    },
    labels([batch, time]),
    labels([batch, time]),
  );
}
