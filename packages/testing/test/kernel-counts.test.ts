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
import { type Backend, compile, type Kernel, type Schedule, setBackend, type Tensor, zeros } from '@dl/tensor';
import { beforeEach, describe, expect, it } from 'vitest';
import { referenceBackend } from '../src';
import { gpt, lstm, type Model } from './models';

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

/** The schedule of one step of Adam. */
function adamStep({ parameters, loss: lossOf }: Model, ...batch: readonly [Tensor, Tensor]): Schedule {
  const optimizer = new Adam(parameters, { lr: 1e-3 });
  return scheduleOf(
    (x, y) => {
      const loss = lossOf(x!, y!);
      optimizer.minimize(loss);
      return loss;
    },
    ...batch,
  );
}

const classifier = (model: Sequential): Model => ({
  parameters: model.parameters(),
  loss: (x, y) => crossEntropy(model.forward(x), y),
});

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
    const step = adamStep(classifier(model), zeros([128, 784]), labels([128]));
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
    const step = adamStep(classifier(model), zeros([128, 1, 28, 28]), labels([128]));
    expect(step.steps.length).toBeLessThanOrEqual(30);
  });

  it.each([
    [1, 215, 30],
    [2, 350, 40],
  ])('an LSTM of %i layers over 64 steps: at most %i, %i of them distinct', (layers, most, distinct) => {
    const model = lstm({ layers, vocabulary: 64, hidden: 128, time: 64, batch: 32 });
    const step = adamStep(model, labels([64, 32]), labels([64, 32]));
    expect(step.steps.length).toBeLessThanOrEqual(most);
    expect(new Set(kernelsOf(step).map((k) => k.body)).size).toBeLessThanOrEqual(distinct);
  });

  it('a GPT of 4 layers trained by Adam: at most 120', () => {
    const model = gpt({ vocabulary: 65, width: 128, layers: 4, heads: 4, time: 64, batch: 16 });
    const step = adamStep(model, labels([16, 64]), labels([16, 64]));
    expect(step.steps.length).toBeLessThanOrEqual(120);
    const scores = kernelsOf(step).filter(
      (k) => k.producer !== null && k.body.some((i) => i.op === 'exp' && k.reduced.length > 0),
    );
    // Scores, mask and softmax are one kernel in each layer; the loss is the fifth.
    expect(scores.length).toBe(5);
  });
});
