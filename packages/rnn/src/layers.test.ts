import { checkGradients, grad } from '@dl/autograd';
import { cpu } from '@dl/backend-cpu';
import type { Module } from '@dl/layers';
import {
  compile,
  concat,
  rand,
  ShapeError,
  setBackend,
  setSeed,
  type Tensor,
  tensor,
  ValueError,
  zeros,
} from '@dl/tensor';
import { compareGolden, type GoldenCase, readGolden } from '@dl/testing';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  CoupledLSTM,
  GRU,
  GRUCell,
  gru,
  LSTM,
  LSTMCell,
  lstm,
  PeepholeLSTM,
  RNN,
  RNNCell,
  type RnnOptions,
  TextbookGRU,
} from '.';

beforeAll(async () => setBackend(await cpu()));
beforeEach(() => setSeed(1));

const tensorOf = (golden: GoldenCase, name: string): Tensor => {
  const { data, shape, dtype } = golden.inputs[name]!;
  return tensor(data, shape, { dtype });
};

async function expectGolden(golden: GoldenCase, name: string, got: Tensor): Promise<void> {
  const value = { shape: got.shape, dtype: got.dtype, data: Float64Array.from(await got.data()) };
  expect(compareGolden(value, golden.outputs[name]!, golden)).toBeUndefined();
}

/** A state dict as PyTorch would save it, under the prefix of a model. */
const stateDict = (golden: GoldenCase): Record<string, Tensor> =>
  Object.fromEntries(
    Object.keys(golden.inputs)
      .filter((name) => /^(weight|bias)_/.test(name))
      .map((name) => [`encoder.rnn.${name}`, tensorOf(golden, name)]),
  );

describe("PyTorch's state dicts load and give PyTorch's outputs", () => {
  test.each(['rnn', 'lstm', 'gru'])('%s', async (op) => {
    const cases = readGolden('rnn').filter((golden) => golden.op === op);
    expect(cases.length).toBe(9 + (op === 'rnn' ? 2 : 0));
    for (const golden of cases) {
      const { attrs } = golden;
      const options: RnnOptions = {
        numLayers: Number(attrs['num_layers']),
        bidirectional: attrs['bidirectional'] === true,
        batchFirst: attrs['batch_first'] === true,
        bias: attrs['bias'] === true,
      };
      const nonlinearity = attrs['nonlinearity'] === 'relu' ? 'relu' : 'tanh';
      const [input, hidden] = [Number(attrs['input_size']), Number(attrs['hidden_size'])];
      const make = {
        rnn: () => new RNN(input, hidden, { ...options, nonlinearity }),
        gru: () => new GRU(input, hidden, options),
      };
      const lengths = golden.inputs['lengths'] ? { lengths: [...golden.inputs['lengths'].data] } : {};
      const h = golden.inputs['h0'] ? tensorOf(golden, 'h0') : null;
      const load = (module: Module) =>
        module.loadStateDict(stateDict(golden), { rename: (key) => key.replace('encoder.rnn.', '') });
      if (op === 'lstm') {
        const layer = new LSTM(input, hidden, options);
        load(layer);
        const state = h ? { state: { h, c: tensorOf(golden, 'c0') } } : {};
        const result = layer.forward(tensorOf(golden, 'x'), { ...lengths, ...state });
        await expectGolden(golden, 'out', result.output);
        await expectGolden(golden, 'hn', result.state.h);
        await expectGolden(golden, 'cn', result.state.c);
      } else {
        const layer = make[op as 'rnn' | 'gru']();
        load(layer);
        const result = layer.forward(tensorOf(golden, 'x'), { ...lengths, ...(h ? { state: h } : {}) });
        await expectGolden(golden, 'out', result.output);
        await expectGolden(golden, 'hn', result.state);
      }
    }
  });
});

test('has the state keys of PyTorch, in its order', () => {
  const keys = (module: Module): string[] => module.namedParameters().map(([key]) => key);
  expect(keys(new LSTM(3, 4, { numLayers: 2, bidirectional: true, projSize: 2 })).slice(0, 11)).toEqual([
    'weight_ih_l0',
    'weight_hh_l0',
    'bias_ih_l0',
    'bias_hh_l0',
    'weight_hr_l0',
    'weight_ih_l0_reverse',
    'weight_hh_l0_reverse',
    'bias_ih_l0_reverse',
    'bias_hh_l0_reverse',
    'weight_hr_l0_reverse',
    'weight_ih_l1',
  ]);
  expect(keys(new GRUCell(3, 4))).toEqual(['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh']);
  expect(keys(new GRUCell(3, 4, { bias: false }))).toEqual(['weight_ih', 'weight_hh']);
  const wide = new LSTM(3, 4, { numLayers: 2, bidirectional: true, projSize: 2 });
  expect(wide.namedParameters().find(([key]) => key === 'weight_ih_l1')![1].shape).toEqual([16, 4]);
});

test('a cell called in a loop is the layer', async () => {
  const x = rand([5, 2, 3]);
  const rename = (key: string): string => key.replace('_l0', '');
  const gruLayer = new GRU(3, 4);
  const gruCell = new GRUCell(3, 4);
  gruCell.loadStateDict(gruLayer.stateDict(), { rename });
  let h: Tensor | undefined;
  for (let t = 0; t < 5; t++) h = gruCell.forward(x.at(t), h);
  const all = await gruLayer.forward(x).output.array(3);
  const last = await h!.array(2);
  all[4]!.forEach((row, n) => row.forEach((v, j) => expect(last[n]![j]).toBeCloseTo(v, 5)));
  const lstmLayer = new LSTM(3, 4);
  const lstmCell = new LSTMCell(3, 4);
  lstmCell.loadStateDict(lstmLayer.stateDict(), { rename });
  let state = lstmCell.forward(x.at(0));
  for (let t = 1; t < 5; t++) state = lstmCell.forward(x.at(t), state);
  const { c } = lstmLayer.forward(x).state;
  expect((await state.c.sub(c.at(0)).abs().max().item()) < 1e-6).toBe(true);
  expect(new RNNCell(3, 4).forward(x.at(0, 0)).shape).toEqual([4]);
});

const layers = {
  RNN: (options: object) => new RNN(3, 4, options),
  GRU: (options: object) => new GRU(3, 4, options),
  TextbookGRU: (options: object) => new TextbookGRU(3, 4, options),
  LSTM: (options: object) => new LSTM(3, 4, options),
  'LSTM with a projection': (options: object) => new LSTM(3, 4, { ...options, projSize: 2 }),
  CoupledLSTM: (options: object) => new CoupledLSTM(3, 4, options),
  'PeepholeLSTM, diagonal': (options: object) => new PeepholeLSTM(3, 4, options),
  'PeepholeLSTM, full': (options: object) => new PeepholeLSTM(3, 4, { ...options, peephole: 'full' }),
};

describe.each(Object.entries(layers))('%s', (_, make) => {
  test('a batch of different lengths gives what each sequence gives alone', async () => {
    const layer = make({ numLayers: 2, bidirectional: true });
    const x = rand([4, 3, 3]);
    const lengths = [4, 2, 1];
    const batch = layer.trace(x, { lengths });
    for (const [n, length] of lengths.entries()) {
      const alone = layer.trace(x.slice([0, n, 0], [length, 1, 3]));
      const output = batch.output.slice([0, n, 0], [length, 1, layer.outputSize * 2]);
      expect(await output.sub(alone.output).abs().max().item()).toBeLessThan(1e-6);
      const past = batch.output.slice([length, n, 0], [4 - length, 1, layer.outputSize * 2]);
      expect((await past.data()).every((v) => v === 0)).toBe(true);
      for (const [i, state] of alone.state.entries())
        expect(await batch.state[i]!.narrow(1, n, 1).sub(state).abs().max().item()).toBeLessThan(1e-6);
    }
  });

  test('batch first, and one sequence without a batch, are the same numbers', async () => {
    const layer = make({});
    const first = make({ batchFirst: true });
    first.loadStateDict(layer.stateDict());
    const x = rand([4, 1, 3]);
    const { output } = layer.trace(x);
    expect(await first.trace(x.transpose(0, 1)).output.transpose(0, 1).array()).toEqual(await output.array());
    const single = layer.trace(x.squeeze(1));
    expect(single.output.shape).toEqual([4, layer.outputSize]);
    expect(await single.output.array()).toEqual(await output.squeeze(1).array());
    expect(single.state[0]!.shape).toEqual([1, layer.outputSize]);
  });
});

test('gradients of a projected LSTM of two layers and unequal lengths are those of differences', async () => {
  const layer = new LSTM(2, 3, { numLayers: 2, projSize: 2, dtype: 'f64' });
  const entries = layer.namedParameters();
  const lengths = [3, 2];
  const run = (x: Tensor, ...weights: Tensor[]): Tensor => {
    const named = Object.fromEntries(entries.map(([key], i) => [key, weights[i]!]));
    const { output, state } = lstm(x, named, { lengths });
    return concat([output.flatten(), state.h.flatten(), state.c.flatten()]);
  };
  const weights = await Promise.all(entries.map(async ([, p]) => tensor(await p.data(), p.shape)));
  const { checked } = await checkGradients(run, [rand([3, 2, 2], { dtype: 'f64' }), ...weights]);
  expect(checked).toBe(12 + entries.reduce((sum, [, p]) => sum + p.size, 0));
});

test('second derivatives of a GRU are those of differences', async () => {
  const names = ['weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0'];
  const shapes = [[6, 1], [6, 2], [6], [6]];
  const run = (...weights: Tensor[]): Tensor => {
    const x = tensor([0.3, -0.8], [2, 1, 1], { dtype: 'f64' });
    return gru(x, Object.fromEntries(names.map((name, i) => [name, weights[i]!]))).output;
  };
  const weights = shapes.map((shape) => rand(shape, { dtype: 'f64' }).sub(0.5));
  expect((await checkGradients(run, weights, { order: 2 })).checked).toBeGreaterThan(30);
});

test('dropout between layers while training, and only then', async () => {
  const layer = new LSTM(3, 4, { numLayers: 2, dropout: 0.5 });
  const x = rand([3, 2, 3]);
  const run = () => layer.forward(x).output.data();
  expect(await run()).not.toEqual(await run());
  layer.eval();
  expect(await run()).toEqual(await run());
});

test('compiled, a carried state is data: the program is recorded once', async () => {
  const layer = new GRU(3, 4);
  let recorded = 0;
  const step = compile((x: Tensor, state: Tensor) => {
    recorded++;
    return layer.forward(x, { state });
  });
  let state = layer.zeroState(2);
  const x = rand([2, 2, 3]);
  for (let i = 0; i < 4; i++) ({ state } = step(x, state));
  expect(recorded).toBe(2);
  expect(
    await state
      .sub(layer.forward(x.tile([4, 1, 1])).state)
      .abs()
      .max()
      .item(),
  ).toBeLessThan(1e-6);
});

describe('says what is wrong', () => {
  const layer = new LSTM(3, 4);
  const x = zeros([5, 2, 3]);
  test.each([
    ['features', () => layer.forward(zeros([5, 2, 7])), ShapeError, 'with 3 features, but got [5, 2, 7]'],
    ['rank', () => layer.forward(zeros([3])), ShapeError, '[T, N, I] or [T, I]'],
    ['an empty sequence', () => layer.forward(zeros([0, 2, 3])), ValueError, 'is empty'],
    [
      'the shape of h',
      () => layer.forward(x, { state: { h: zeros([1, 3, 4]), c: zeros([1, 2, 4]) } }),
      ShapeError,
      'h is [1, 3, 4], but must be [1, 2, 4]',
    ],
    [
      'the shape of c',
      () => layer.forward(x, { state: { h: zeros([1, 2, 4]), c: zeros([2, 4]) } }),
      ShapeError,
      'c is [2, 4]',
    ],
    [
      'a length of 0',
      () => layer.forward(x, { lengths: [5, 0] }),
      ValueError,
      'a length of 0, but each is a whole number from 1 to the 5',
    ],
    ['a length beyond the end', () => layer.forward(x, { lengths: [6, 1] }), ValueError, 'a length of 6'],
    ['too few lengths', () => layer.forward(x, { lengths: [5] }), ShapeError, '1 lengths for a batch of 2'],
    ['lengths of another shape', () => layer.forward(x, { lengths: zeros([3], 'i32') }), ShapeError, 'lengths are [3]'],
    ['a hidden size of 0', () => new LSTM(3, 0), ValueError, 'hiddenSize is 0'],
    ['a projection that is none', () => new LSTM(3, 4, { projSize: 4 }), ValueError, 'projSize is 4'],
    ['a dropout of 2', () => new GRU(3, 4, { dropout: 2 }), ValueError, 'dropout is a probability'],
    ["a cell's input", () => new GRUCell(3, 4).forward(zeros([2, 4])), ShapeError, 'GRUCell: the input is [N, 3]'],
    ["a cell's state", () => new GRUCell(3, 4).forward(zeros([2, 3]), zeros([2, 5])), ShapeError, 'must be [2, 4]'],
  ] as const)('%s', (_, call, type, message) => {
    expect(call).toThrow(type);
    expect(call).toThrow(message);
  });
});

test('the gradient reaches the initial state', async () => {
  const layer = new LSTM(2, 3);
  const h = tensor(new Float32Array(3).fill(0.5), [1, 1, 3], { requiresGrad: true });
  const { output } = layer.forward(rand([3, 1, 2]), { state: { h, c: zeros([1, 1, 3]) } });
  expect((await grad(output.sum(), h).abs().max().item()) > 0).toBe(true);
});
