import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu } from '@dl/backend-cpu';
import { ArrayDataset, DataLoader, RandomStream } from '@dl/data';
import { crossEntropy, Dropout, Linear, Module, mse, ReLU, Sequential } from '@dl/layers';
import { Adam, cosine, Schedule, SGD } from '@dl/optim';
import { defaultGenerator, setBackend, setSeed, type Tensor, ValueError } from '@dl/tensor';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  Accuracy,
  type Callback,
  ConfusionMatrix,
  type FitOptions,
  type FitResult,
  fit,
  NonFiniteError,
  readCheckpoint,
} from './index';

type Batch = [Tensor, Tensor];

let folder: string;
beforeAll(async () => setBackend(await cpu()));
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dl-fit-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Points of two classes, on two sides of a line. */
function points(
  count: number,
  broken = -1,
): ArrayDataset<[{ data: Float32Array; shape: number[] }, { data: Int32Array }]> {
  const random = new RandomStream(1);
  const data = Float32Array.from({ length: 2 * count }, () => random.uniform(-1, 1));
  const labels = Int32Array.from({ length: count }, (_, i) => (data[2 * i]! + data[2 * i + 1]! > 0 ? 1 : 0));
  if (broken >= 0) data[2 * broken] = Number.NaN;
  return new ArrayDataset([{ data, shape: [count, 2] }, { data: labels }]);
}

interface Setup {
  readonly model: Sequential;
  readonly options: FitOptions<Batch>;
}

function setUp(more: Partial<FitOptions<Batch>> = {}): Setup {
  setSeed(3);
  const model = new Sequential(new Linear(2, 8), new ReLU(), new Dropout(0.1), new Linear(8, 2));
  const optimizer = new Adam(model.parameters(), { lr: 0.05 });
  const train = new DataLoader(points(64), { batchSize: 8, shuffle: true, seed: 2 }) as unknown as DataLoader<Batch>;
  const validation = new DataLoader(points(32), { batchSize: 8 }) as unknown as DataLoader<Batch>;
  const schedule = new Schedule(optimizer, cosine(24));
  const metrics = { accuracy: new Accuracy() };
  return {
    model,
    options: { train, validation, epochs: 3, optimizer, schedule, loss: crossEntropy, metrics, ...more },
  };
}

const weightsOf = async (model: Module): Promise<number[]> =>
  (await Promise.all(model.parameters().map((p) => p.data()))).flatMap((data) => [...data]);

/** Everything in a history but how long it took. */
const figuresOf = ({ history }: FitResult): unknown[] =>
  history.map(({ seconds: _, stepMsMedian: __, ...rest }) => rest);

/** A signal that is set after so many looks at it. */
const abortedAfter = (looks: number) => ({
  get aborted(): boolean {
    return looks-- <= 0;
  },
});

describe('training', () => {
  test('lowers the loss, and reports plain numbers for each epoch', async () => {
    const { model, options } = setUp();
    const result = await fit(model, options);
    expect(result.status).toBe('finished');
    expect(result.step).toBe(24);
    expect(result.history.map(({ epoch, epochs, step }) => [epoch, epochs, step])).toEqual([
      [1, 3, 8],
      [2, 3, 16],
      [3, 3, 24],
    ]);
    const [first, , last] = result.history;
    expect(last!.train.loss).toBeLessThan(first!.train.loss);
    expect(last!.validation!['accuracy']).toBeGreaterThan(0.9);
    expect(last!.lr).toBeCloseTo(0, 6);
    expect(structuredClone(result)).toEqual(result);
  });

  test('is the same for the same seed, and the same step by step without compile', async () => {
    const run = async (compiled: boolean): Promise<unknown> => {
      const { model, options } = setUp({ compiled });
      return [figuresOf(await fit(model, options)), await weightsOf(model)];
    };
    const first = await run(true);
    expect(await run(true)).toEqual(first);
    const [figures, weights] = (await run(false)) as [unknown[], number[]];
    expect(figures).toHaveLength(3);
    const wanted = (first as [unknown, number[]])[1];
    expect(weights.every((w, i) => Math.abs(w - wanted[i]!) < 1e-4)).toBe(true); // other kernels, other rounding
  });

  test('the running loss is the mean over samples, and a metric may give rows', async () => {
    const { model, options } = setUp({ epochs: 1, metrics: { confusion: new ConfusionMatrix(2) } });
    const { history } = await fit(model, options);
    const rows = history[0]!.validation!['confusion'] as number[][];
    expect(rows.flat().reduce((a, b) => a + b)).toBe(32);
  });

  test('validation neither trains nor drops', async () => {
    const { model, options } = setUp({ epochs: 1 });
    const { history } = await fit(model, options);
    const before = await weightsOf(model);
    const again = await fit(model, { ...options, train: [] as never, epochs: 1 });
    expect(await weightsOf(model)).toEqual(before);
    expect(again.history[0]!.validation).toEqual(history[0]!.validation);
  });

  test('takes records and several inputs by forward', async () => {
    const { model, options } = setUp({ epochs: 1 });
    const forward = ([x, y]: Batch) => ({ output: model.forward(x.mul(2)), target: y });
    expect((await fit(model, { ...options, forward })).status).toBe('finished');
  });
});

describe('resuming', () => {
  const file = (): string => join(folder, 'run.ckpt');

  test('wherever it was interrupted, a run ends with the same weights and figures, bit for bit', async () => {
    const whole = setUp();
    const wanted = [figuresOf(await fit(whole.model, whole.options)), await weightsOf(whole.model)];
    // Looks: one before each epoch's batches, one after each of 8 batches, one before each of 4 validation batches.
    for (const looks of [0, 1, 5, 9, 11, 14, 22, 38]) {
      const first = setUp({ checkpoint: file(), signal: abortedAfter(looks) });
      expect((await fit(first.model, first.options)).status).toBe('interrupted');
      const second = setUp({ resume: file() });
      setSeed(99);
      const result = await fit(second.model, second.options);
      expect([figuresOf(result), await weightsOf(second.model)], `after ${looks} looks`).toEqual(wanted);
    }
  });

  test('a checkpoint after every few steps is one to resume from, too', async () => {
    const whole = setUp();
    await fit(whole.model, whole.options);
    const first = setUp({ checkpoint: { file: file(), everySteps: 5, everyEpochs: 100 }, epochs: 3 });
    const stop: Callback = {
      onStep: ({ step }) => {
        if (step === 14) throw new Error('killed');
      },
    };
    await expect(fit(first.model, { ...first.options, callbacks: [stop], reportEvery: 1 })).rejects.toThrow('killed');
    expect((await readCheckpoint(file()))['progress']).toMatchObject({ step: 10, batch: 2, epoch: 1 });
    const second = setUp({ resume: file() });
    await fit(second.model, second.options);
    expect(await weightsOf(second.model)).toEqual(await weightsOf(whole.model));
  });

  test('a finished run that is given more epochs goes on', async () => {
    const first = setUp({ checkpoint: file(), epochs: 1 });
    await fit(first.model, first.options);
    const second = setUp({ resume: file(), epochs: 2 });
    expect((await fit(second.model, second.options)).history).toHaveLength(2);
  });

  test('batches that cannot be put back are refused in the middle of an epoch', async () => {
    const first = setUp({ checkpoint: file(), signal: abortedAfter(3) });
    await fit(first.model, first.options);
    const second = setUp({ resume: file() });
    const { train } = second.options;
    const plain = { [Symbol.asyncIterator]: () => train[Symbol.asyncIterator]() };
    await expect(fit(second.model, { ...second.options, train: plain })).rejects.toThrow('cannot be put back there');
  });
});

/** Gives 1/0 for inputs above a limit. */
class Fragile extends Module {
  constructor(readonly limit: number) {
    super();
  }
  forward(x: Tensor): Tensor {
    return x.div(x.abs().max().lt(this.limit).cast('f32'));
  }
}

describe('a loss that is not finite', () => {
  const failing = async ({ model, options }: Setup): Promise<NonFiniteError> =>
    fit(model, options).then(
      () => expect.fail('training did not stop'),
      (error: NonFiniteError) => error,
    );

  test('stops before its update; step, batch and weights are those before, though it looks only now and then', async () => {
    const train = new DataLoader(points(64, 43), { batchSize: 8 }) as unknown as DataLoader<Batch>;
    for (const checkEvery of [1, 25]) {
      const broken = setUp({ train, checkEvery });
      train.loadStateDict({ ...train.stateDict(), epoch: 0, batch: 0 });
      const error = await failing(broken);
      expect(error).toBeInstanceOf(NonFiniteError);
      expect(error).toBeInstanceOf(ValueError);
      expect([error.step, error.epoch, error.layer]).toEqual([6, 1, null]);
      expect(error.message).toContain(
        'fit: the loss is NaN at step 6 (epoch 1, batch 6); its update was not made. The batch itself holds values',
      );
      train.loadStateDict({ ...train.stateDict(), epoch: 0, batch: 0 });
      const sound = setUp({ train, signal: abortedAfter(5) });
      await fit(sound.model, sound.options);
      expect(await weightsOf(broken.model)).toEqual(await weightsOf(sound.model));
    }
  });

  test('names the first layer whose output is not finite', async () => {
    const setup = setUp({ epochs: 2 });
    const model = new Sequential({
      first: setup.model[0]!,
      block: new Sequential(new ReLU(), new Fragile(1.6)),
      last: setup.model[3]!,
    });
    const error = await failing({ ...setup, model });
    expect(error.layer).toBe('block.1 (Fragile)');
    expect(error.message).toContain(
      'The first layer whose output is not finite is block.1 (Fragile); its parameters are finite.',
    );
    expect((await weightsOf(model)).every(Number.isFinite)).toBe(true);
  });

  test('says so if the loss function makes the value', async () => {
    const error = await failing(setUp({ loss: (output) => output.sum().mul(0).log().neg() }));
    expect([error.step, error.layer]).toEqual([1, null]);
    expect(error.message).toContain('the loss is Infinity at step 1');
    expect(error.message).toContain("Every layer's output is finite; the loss function makes the value");
  });

  test('without compile and with batches that cannot be put back, too', async () => {
    const loader = new DataLoader(points(64, 43), { batchSize: 8 }) as unknown as DataLoader<Batch>;
    const train = { [Symbol.asyncIterator]: () => loader[Symbol.asyncIterator]() };
    const error = await failing(setUp({ train, compiled: false }));
    expect([error.step, error.epoch]).toEqual([6, 1]);
    expect(error.message).toContain('The batch itself');
  });

  test('keeps the last good checkpoint, and writes none with parameters that are not finite', async () => {
    const file = join(folder, 'run.ckpt');
    const fragile = setUp({ checkpoint: file, reportEvery: 1 });
    let steps = 0;
    const loss = (output: Tensor, target: Tensor): Tensor => crossEntropy(output, target);
    const poison: Callback = {
      onStep: ({ step }) => {
        steps = step;
        if (step === 16) (fragile.model[0] as Linear).weight.assign(Number.NaN);
      },
    };
    const error = await failing({ ...fragile, options: { ...fragile.options, loss, callbacks: [poison] } });
    expect(steps).toBe(16);
    expect(error.message).toContain(`0.weight is not finite after step 16; the checkpoint ${file} stays as it was.`);
    expect((await readCheckpoint(file))['progress']).toMatchObject({ step: 8, epoch: 1 });
  });

  test('a learning rate that is far too high is caught with finite weights', async () => {
    const { options } = setUp({ epochs: 20 });
    const model = new Sequential(new Linear(2, 8), new Linear(8, 2));
    const optimizer = new SGD(model.parameters(), { lr: 1e12 });
    const { schedule: _, ...rest } = options;
    const loss = (output: Tensor, target: Tensor): Tensor => mse(output.mean(1), target.cast('f32'));
    const error = await failing({ model: model as Sequential, options: { ...rest, optimizer, loss } });
    expect(error).toBeInstanceOf(NonFiniteError);
    expect((await weightsOf(model)).every(Number.isFinite)).toBe(true);
  });
});

describe('what it is given', () => {
  test('warns of parameters that the optimiser lacks', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const { model, options } = setUp({ epochs: 0 });
    const bigger = new Sequential({ known: model, forgotten: new Linear(2, 2) });
    await fit(bigger, options);
    expect(warn.mock.calls[0]![0]).toContain(
      "the optimiser lacks 2 of the model's parameters, which will not learn: forgotten.weight, forgotten.bias.",
    );
    warn.mockRestore();
  });

  test('messages', async () => {
    const { model, options } = setUp();
    const given = (more: object): Promise<FitResult> => fit(model, { ...options, ...more });
    await expect(given({ epochs: -1 })).rejects.toThrow('fit: epochs is a whole number of at least 0, not -1.');
    await expect(given({ metrics: { loss: new Accuracy() } })).rejects.toThrow("a metric cannot be called 'loss'");
    await expect(given({ resume: join(folder, 'none') })).rejects.toThrow('there is no file');
    const records = {
      async *[Symbol.asyncIterator]() {
        yield { x: 1 };
      },
    };
    await expect(given({ train: records })).rejects.toThrow('a batch is not a pair of tensors [input, target]');
  });

  test('leaves the random numbers of others alone', async () => {
    const { model, options } = setUp({ epochs: 1 });
    const before = defaultGenerator.counter;
    await fit(model, options);
    expect(defaultGenerator.counter).toBeGreaterThan(before);
    expect(await readFile(new URL('./fit.ts', import.meta.url), 'utf8')).not.toContain('Math.random');
  });
});
