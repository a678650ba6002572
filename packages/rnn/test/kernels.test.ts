import { cpu } from '@dl/backend-cpu';
import { crossEntropy, Linear, Module, Parameter } from '@dl/layers';
import { Adam } from '@dl/optim';
import {
  compile,
  type Kernel,
  randint,
  randn,
  type Schedule,
  setBackend,
  setSeed,
  type Tensor,
  Variable,
} from '@dl/tensor';
import { expect, test } from 'vitest';
import { LSTM } from '../src';

/** A character model: embedding, one LSTM layer, logits. */
class Model extends Module {
  readonly embedding = new Parameter(randn([65, 128]));
  readonly lstm: LSTM;
  readonly head = new Linear(256, 65);

  constructor(numLayers: number) {
    super();
    this.lstm = new LSTM(128, 256, { numLayers });
  }

  forward(ids: Tensor, state: { h: Tensor; c: Tensor }) {
    const { output, state: next } = this.lstm.forward(this.embedding.take(0, ids), { state });
    return { logits: this.head.forward(output).flatten(0, 1), next };
  }
}

/** What the code of a kernel depends on: all but the storages and numbers that it is run with. */
const structureOf = ({ bindings, params, producer, rows, reduced, body }: Kernel): string =>
  JSON.stringify([
    bindings.map((b) => [b.mode, b.dtype]),
    params.map((p) => (p.kind === 'element' ? p : 0)),
    [producer, rows, reduced, body],
  ]);

async function scheduleOfTraining(numLayers: number): Promise<Schedule> {
  const backend = await cpu();
  const schedules: Schedule[] = [];
  const prepare = backend.prepare.bind(backend);
  backend.prepare = (schedule) => {
    schedules.push(schedule);
    return prepare(schedule);
  };
  setBackend(backend);
  setSeed(0);
  const model = new Model(numLayers);
  const optimizer = new Adam(model.parameters(), { lr: 1e-3 });
  const zero = model.lstm.zeroState(32);
  const [h, c] = [new Variable(zero.h), new Variable(zero.c)];
  const step = compile((ids: Tensor, targets: Tensor) => {
    const { logits, next } = model.forward(ids, { h, c });
    const loss = crossEntropy(logits, targets.flatten());
    optimizer.minimize(loss);
    h.assign(next.h);
    c.assign(next.c);
    return loss;
  });
  const ids = randint(0, 65, [64, 32]);
  expect(await step(ids, ids).item()).toBeCloseTo(Math.log(65), 0);
  return schedules.reduce((a, b) => (a.steps.length > b.steps.length ? a : b));
}

test.each([
  [1, 160],
  [2, 300],
])('a step of training over 64 time steps, %i layers, is at most %i kernels', async (numLayers, most) => {
  const { steps } = await scheduleOfTraining(numLayers);
  const kernels = steps.flatMap((step) => (step.kind === 'kernel' ? [step.kernel] : []));
  const distinct = new Set(kernels.map(structureOf)).size;
  expect(steps.length).toBeLessThanOrEqual(most);
  expect(distinct).toBeLessThanOrEqual(30);
});
