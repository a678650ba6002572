import { randn, setBackend, setSeed, type Tensor, tensor, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { Conv2d, Dropout, Flatten, Linear, MaxPool2d, Module, Parameter, ReLU, relu, Sequential } from './index';

beforeEach(() => {
  setBackend(referenceBackend());
  setSeed(1);
});

test('calls layers in order; keys are places, or names', async () => {
  const model = new Sequential(new ReLU(), new Linear(2, 1));
  model.loadStateDict({ '1.weight': tensor([[1, 2]]), '1.bias': tensor([3]) });
  expect(await model.forward(tensor([[-5, 2]])).array()).toEqual([[7]]);
  expect(model.length).toBe(2);
  const named = new Sequential({ flatten: new Flatten(), hidden: new Linear(4, 2) });
  expect(Object.keys(named.stateDict())).toEqual(['hidden.weight', 'hidden.bias']);
});

test('refuses what is no module, and names that a module has', () => {
  expect(() => new Sequential(new ReLU(), relu as never)).toThrow('Sequential: layer 1 is no module.');
  expect(() => new Sequential({ train: new ReLU() })).toThrow("a layer cannot be called 'train'");
});

test('without layers it gives its input', () => {
  const x = tensor([1]);
  expect(new Sequential().forward(x)).toBe(x);
});

describe('summary', () => {
  const lenet = (): Sequential =>
    new Sequential(
      ...[new Conv2d(1, 6, 5, { padding: 2 }), new ReLU(), new MaxPool2d(2)],
      ...[new Conv2d(6, 16, 5), new ReLU(), new MaxPool2d(2), new Flatten()],
      ...[new Linear(400, 120), new ReLU(), new Linear(120, 84), new ReLU(), new Linear(84, 10)],
    );

  test('counts LeNet: 61,706 parameters; multiply-adds worked by hand', () => {
    const summary = lenet().summary([1, 1, 28, 28]);
    expect(summary.parameters).toBe(61706);
    expect(summary.rows[3]).toEqual({
      key: '3',
      layer: 'Conv2d',
      outputShape: [1, 16, 10, 10],
      parameters: 2416,
      multiplyAdds: 16 * 100 * 150,
    });
    expect(summary.multiplyAdds).toBe(28 * 28 * 6 * 25 + 10 * 10 * 16 * 150 + 400 * 120 + 120 * 84 + 84 * 10);
  });

  test('prints an aligned table', () => {
    const model = new Sequential(new Linear(3, 40), new ReLU());
    model[0]!.freeze();
    expect(String(model.summary([5, 3]))).toBe(
      [
        'layer               output shape  parameters  multiply-adds',
        '───────────────────────────────────────────────────────────',
        '0 Linear            [5, 40]              160            600',
        '1 ReLU              [5, 40]                0              0',
        '───────────────────────────────────────────────────────────',
        'total (160 frozen)                       160            600',
      ].join('\n'),
    );
  });

  test('computes nothing, draws no random numbers and leaves modes as they are', async () => {
    const backend = referenceBackend();
    setBackend(backend);
    const model = new Sequential(new Dropout(0.5), new Linear(2, 2));
    model.summary([1, 2]);
    expect(backend.memory().peak).toBe(0);
    expect(model.training).toBe(true);
    const after = await randn([2]).array();
    setSeed(1);
    new Linear(2, 2);
    expect(await randn([2]).array()).toEqual(after);
  });

  test('counts contractions of a model itself, and a layer that is called twice, once in parameters', () => {
    class Twice extends Module {
      readonly shared = new Linear(4, 4);
      forward(x: Tensor): Tensor {
        return this.shared.forward(this.shared.forward(x)).matmul(x.transpose());
      }
    }
    const { rows, parameters } = new Twice().summary([2, 4]);
    expect(rows.map(({ key, parameters, multiplyAdds }) => [key, parameters, multiplyAdds])).toEqual([
      ['', 0, 2 * 2 * 4],
      ['shared', 20, 2 * (2 * 4 * 4)],
    ]);
    expect(parameters).toBe(20);
  });

  test('takes a tensor where the input is not f32', () => {
    class Lookup extends Module {
      readonly table = new Parameter(zeros([5, 3]));
      forward(ids: Tensor): Tensor {
        return this.table.take(0, ids);
      }
    }
    expect(new Lookup().summary(zeros([2, 2], 'i32')).rows[0]!.outputShape).toEqual([2, 2, 3]);
  });
});
