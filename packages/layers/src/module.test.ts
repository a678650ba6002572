import { grad } from '@dl/autograd';
import { compile, full, setBackend, setSeed, type Tensor, tensor, ValueError, Variable, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { Dropout, Flatten, Linear, Module, Parameter, ReLU, Sequential, StateDictError } from './index';

beforeEach(() => {
  setBackend(referenceBackend());
  setSeed(1);
});

class Block extends Module {
  readonly inProj = new Linear(2, 2);
  readonly heads = [new Linear(2, 1), new Linear(2, 1)];
  readonly byName = { left: new Linear(2, 1), right: null };
  readonly runningMean = new Variable(zeros([2]));
  readonly weight_ih_l0 = new Parameter(zeros([1]));
  readonly K = new Parameter(zeros([1]));
  readonly #hidden = new Linear(2, 2);
  forward(x: Tensor): Tensor {
    return this.#hidden.forward(this.inProj.forward(x));
  }
}

describe('registration', () => {
  test('own fields, arrays and plain objects are registered in order, under PyTorch names; #private fields are not', () => {
    expect(new Block().namedVariables().map(([key]) => key)).toEqual([
      ...['in_proj.weight', 'in_proj.bias', 'heads.0.weight', 'heads.0.bias', 'heads.1.weight', 'heads.1.bias'],
      ...['by_name.left.weight', 'by_name.left.bias', 'running_mean', 'weight_ih_l0', 'K'],
    ]);
  });

  test('a variable that is no parameter is a buffer', () => {
    const block = new Block();
    expect(block.namedBuffers().map(([key]) => key)).toEqual(['running_mean']);
    expect(block.parameters()).not.toContain(block.runningMean);
    expect(block.parameters()).toHaveLength(10);
  });

  test('children are those of one level, modules all of them, each once', () => {
    const block = new Block();
    expect(block.namedChildren().map(([key]) => key)).toEqual(['in_proj', 'heads.0', 'heads.1', 'by_name.left']);
    const shared = new Linear(2, 2);
    const model = new Sequential(shared, new Sequential(shared, new ReLU()));
    expect(model.namedModules().map(([key]) => key)).toEqual(['', '0', '1', '1.1']);
    expect(model.children()).toHaveLength(2);
  });

  test('tied weights are one parameter under two keys', () => {
    class Tied extends Module {
      readonly embed = new Linear(2, 2, { bias: false });
      readonly out = new Linear(2, 2, { bias: false });
      constructor() {
        super();
        (this.out as { weight: Parameter }).weight = this.embed.weight;
      }
      forward(x: Tensor): Tensor {
        return this.out.forward(this.embed.forward(x));
      }
    }
    const model = new Tied();
    expect(model.parameters()).toHaveLength(1);
    expect(model.namedParameters()[0]![0]).toBe('embed.weight');
    expect(Object.keys(model.stateDict())).toEqual(['embed.weight', 'out.weight']);
  });

  test('a module within itself is refused, where a search would not end', () => {
    class Child extends Module {
      parent: Module | null = null;
      forward(x: Tensor): Tensor {
        return x;
      }
    }
    const [a, b] = [new Child(), new Child()];
    a.parent = b;
    b.parent = a;
    expect(() => a.parameters()).toThrow(
      'parent.parent: the Child is within itself. Keep a reference to a parent in a #private field.',
    );
  });

  test('forward as a field is refused', () => {
    class Field extends Module {
      override forward = (x: Tensor): Tensor => x;
    }
    expect(() => new Field().parameters()).toThrow('forward is a field. Write it as a method');
  });
});

describe('mode', () => {
  test('train and eval reach all modules within; inMode puts each back into its own', () => {
    const model = new Sequential(new Dropout(), new Sequential(new Dropout()));
    expect(model.training).toBe(true);
    model.eval();
    expect(model.modules().map((m) => m.training)).toEqual([false, false, false, false]);
    model[1]!.train();
    model.inMode(true, () => expect(model.training).toBe(true));
    expect(model.modules().map((m) => m.training)).toEqual([false, false, true, true]);
  });

  test('freezing stops gradients, unfreezing brings them back', async () => {
    const model = new Linear(1, 1);
    model.freeze();
    expect(model.forward(tensor([[1]])).requiresGrad).toBe(false);
    model.unfreeze();
    expect(await (grad(model.forward(tensor([[3]])), model.weight) as Tensor).array()).toEqual([[3]]);
  });

  test('a compiled function records anew when the mode, a child, a field or a frozen parameter changes, and not otherwise', async () => {
    let recordings = 0;
    class Scaled extends Module {
      factor = 2;
      inner: Module & { forward(x: Tensor): Tensor } = new Dropout(1);
      forward(x: Tensor): Tensor {
        recordings++;
        return this.inner.forward(x).mul(this.factor);
      }
    }
    const model = new Scaled().eval();
    const f = compile((x: Tensor) => model.forward(x));
    const run = async (): Promise<number> => f(tensor(1)).item();
    expect([await run(), await run(), await run()]).toEqual([2, 2, 2]);
    expect(recordings).toBe(2); // once, and once more to compare
    model.factor = 3;
    expect(await run()).toBe(3);
    model.train();
    expect(await run()).toBe(0);
    model.inner = new Flatten(0);
    expect(await (await f(tensor(1))).array()).toEqual([3]);
  });

  test('toggling between two modes gives each its number again', () => {
    const model = new Dropout();
    const training = model.version;
    const evaluating = model.eval().version;
    expect(evaluating).not.toBe(training);
    expect(model.train().version).toBe(training);
    expect(model.eval().version).toBe(evaluating);
  });

  test('a forward that changes a field is refused inside a compiled function', () => {
    class Counting extends Module {
      calls = 0;
      forward(x: Tensor): Tensor {
        this.calls++;
        return x.add(1);
      }
    }
    const model = new Counting();
    model.forward(tensor(1));
    expect(() => compile((x: Tensor) => model.forward(x))(tensor(1))).toThrow(
      'Counting.forward: it changes a field of the module',
    );
  });

  test('changing the mode inside a compiled function is refused', () => {
    const model = new Dropout();
    expect(() => compile((x: Tensor) => model.eval().forward(x))(tensor(1))).toThrow(ValueError);
  });
});

describe('hooks', () => {
  test('a hook sees module, inputs and output, may replace the output, and can be removed', async () => {
    const model = new Sequential(new ReLU(), new ReLU());
    const seen: unknown[] = [];
    const remove = model[0]!.onForward((module, inputs, output) => {
      seen.push(module, ...inputs, output);
      return (output as Tensor).add(1);
    });
    const x = tensor([-1, 2]);
    expect(await model.forward(x).array()).toEqual([1, 3]);
    expect(seen.slice(0, 2)).toEqual([model[0], x]);
    remove();
    expect(await model.forward(x).array()).toEqual([0, 2]);
  });

  test('adding a hook makes a compiled function record anew', async () => {
    const model = new ReLU();
    const f = compile((x: Tensor) => model.forward(x));
    expect(await f(tensor([-1])).array()).toEqual([0]);
    model.onForward((_, __, y) => (y as Tensor).sub(1));
    expect(await f(tensor([-1])).array()).toEqual([-1]);
  });

  test('super.forward does not call them twice', () => {
    class Base extends Module {
      forward(x: Tensor): Tensor {
        return x;
      }
    }
    class Derived extends Base {
      override forward(x: Tensor): Tensor {
        return super.forward(x).neg();
      }
    }
    const model = new Derived();
    let calls = 0;
    model.onForward(() => void calls++);
    model.forward(tensor(1));
    expect(calls).toBe(1);
  });
});

describe('state', () => {
  test('copies: later changes do not reach it, and it restores what was', async () => {
    const model = new Linear(2, 1);
    const state = model.stateDict();
    const before = await model.weight.array();
    model.weight.assign(model.weight.add(1));
    expect(await model.weight.array()).not.toEqual(before);
    expect(await state['weight']!.array()).toEqual(before);
    model.loadStateDict(state);
    expect(await model.weight.array()).toEqual(before);
  });

  test('throws missing, unexpected and misshapen keys in one error, and changes nothing', async () => {
    const model = new Linear(2, 1);
    const before = await model.bias!.array();
    const state = { bias: full([1], 7), wieght: zeros([1, 2]), weight: zeros([2, 2]) };
    const load = (): unknown => model.loadStateDict(state);
    expect(load).toThrow(StateDictError);
    expect(load).toThrow(
      'loadStateDict: the state does not fit the Linear: unexpected: wieght; misshapen: weight is [1, 2] here, [2, 2] in the state. ' +
        'Use rename to map keys, or strict: false to load what fits.',
    );
    expect(await model.bias!.array()).toEqual(before);
    expect(() => model.loadStateDict({})).toThrow('missing: weight, bias');
  });

  test('strict: false loads what fits and returns the rest', async () => {
    const model = new Linear(2, 1);
    const report = model.loadStateDict({ bias: full([1], 7), other: zeros([1]) }, { strict: false });
    expect(report).toEqual({ missing: ['weight'], unexpected: ['other'], misshapen: [] });
    expect(await model.bias!.array()).toEqual([7]);
  });

  test('rename maps keys, and null leaves an entry out', async () => {
    const model = new Linear(1, 1);
    const state = { 'module.weight': full([1, 1], 2), 'module.bias': full([1], 3), step: zeros([]) };
    model.loadStateDict(state, { rename: (key) => (key === 'step' ? null : key.replace('module.', '')) });
    expect(await model.forward(tensor([[1]])).array()).toEqual([[5]]);
  });
});
