import { grad, noGrad } from '@dl/autograd';
import { cpu } from '@dl/backend-cpu';
import { rand, setBackend, setSeed, type Tensor, tensor, type Variable, zeros } from '@dl/tensor';
import { beforeAll, describe, expect, it } from 'vitest';
import { BasicBlock, Bottleneck, ResNet, resnet18, resnet34, resnet50 } from './resnet';

beforeAll(async () => {
  setBackend(await cpu());
  setSeed(1);
});

/** Numbers in [−scale, scale) from a counter, which were the same in PyTorch where the expected values are from. */
function hashed(count: number, seed: number, scale = 1): number[] {
  return Array.from({ length: count }, (_, i) => {
    let x = Math.imul((i + 1 + Math.imul(seed, 0x9e3779b1)) | 0, 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return (((x ^ (x >>> 16)) >>> 8) / 2 ** 23 - 1) * scale;
  });
}

const ofBatchNorm: Readonly<Record<string, (v: number) => number>> = {
  weight: (v) => 1 + 0.1 * v,
  bias: (v) => 0.1 * v,
  running_mean: (v) => 0.1 * v,
  running_var: (v) => 1 + 0.5 * Math.abs(v),
};

/** A state of such numbers, in the order of the keys. */
function stateOf(variables: readonly (readonly [string, Variable])[]): Record<string, Tensor> {
  let seed = 1000;
  const entries = variables
    .filter(([key]) => !key.endsWith('num_batches_tracked'))
    .map(([key, { shape }]) => {
      const count = shape.reduce((a, b) => a * b, 1);
      const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
      if (key.startsWith('fc')) return [key, tensor(hashed(count, seed++, 512 ** -0.5), shape)] as const;
      if (shape.length === 4) return [key, tensor(hashed(count, seed++, Math.sqrt(6 / fanIn)), shape)] as const;
      return [key, tensor(hashed(count, seed++).map(ofBatchNorm[key.split('.').at(-1)!]!), shape)] as const;
    });
  return Object.fromEntries(entries);
}

const elements = (model: ResNet): number => model.parameters().reduce((n, p) => n + p.size, 0);

describe('ResNet', () => {
  it("has torchvision's keys and sizes", () => {
    const small = resnet18();
    const keys = small.namedVariables().map(([key]) => key);
    expect(keys).toHaveLength(122);
    expect(keys.slice(0, 6)).toEqual([
      'conv1.weight',
      'bn1.weight',
      'bn1.bias',
      'bn1.running_mean',
      'bn1.running_var',
      'bn1.num_batches_tracked',
    ]);
    expect(keys).toContain('layer1.1.bn2.running_var');
    expect(keys).toContain('layer2.0.downsample.0.weight');
    expect(keys).toContain('layer2.0.downsample.1.bias');
    expect(keys.slice(-2)).toEqual(['fc.weight', 'fc.bias']);
    expect(keys.some((key) => key.startsWith('layer1.0.downsample'))).toBe(false);
    expect(elements(small)).toBe(11_689_512);
  });

  it('is as large as in torchvision with 34 and 50 layers', () => {
    expect(elements(resnet34())).toBe(21_797_672);
    const large = resnet50();
    expect(elements(large)).toBe(25_557_032);
    const keys = large.namedVariables().map(([key]) => key);
    expect(keys).toHaveLength(320);
    expect(keys).toContain('layer1.0.downsample.1.running_mean');
    expect(keys).toContain('layer4.2.conv3.weight');
  });

  it('agrees with PyTorch in evaluation and in training, running statistics included', async () => {
    const model = resnet18();
    const { missing } = model.loadStateDict(stateOf(model.namedVariables()), { strict: false });
    expect(missing.every((key) => key.endsWith('num_batches_tracked'))).toBe(true);
    const x = tensor(hashed(2 * 3 * 40 * 33, 1), [2, 3, 40, 33]);
    const y = await noGrad(() => model.eval().forward(x)).data();
    expect(y).toHaveLength(2000);
    // 18 layers of f32 sums in another order.
    [2.5831551, 1.1043539, 1.2981087, 0.4700419].forEach((v, i) => expect(y[i]!).toBeCloseTo(v, 4));
    [0.2754987, 2.0215423].forEach((v, i) => expect(y[1998 + i]!).toBeCloseTo(v, 4));

    const trained = await noGrad(() => model.train().forward(x)).data();
    [0.5054657, 0.1328434, 0.1981228, 0.4194297].forEach((v, i) => expect(trained[i]!).toBeCloseTo(v, 3));
    const mean = await model.bn1.runningMean!.data();
    [0.0041502, -0.0079077].forEach((v, i) => expect(mean[i]!).toBeCloseTo(v, 6));
    const variance = await model.bn1.runningVar!.data();
    [1.2624847, 1.3957826].forEach((v, i) => expect(variance[i]!).toBeCloseTo(v, 5));
  });

  it('a block adds what its convolutions make to what comes in', async () => {
    const block = new BasicBlock(2, 2).eval();
    const x = tensor(hashed(2 * 4 * 4, 3), [1, 2, 4, 4]);
    block.bn2.weight!.assign(0);
    expect(await block.forward(x).array()).toEqual(await x.relu().array());
    block.bn2.bias!.assign(tensor([1, -1]));
    expect(await block.forward(x).array()).toEqual(
      await x
        .add(tensor([1, -1], [2, 1, 1]))
        .relu()
        .array(),
    );
    const wider = new BasicBlock(2, 6, 2);
    expect(wider.forward(x).shape).toEqual([1, 6, 2, 2]);
    expect(Object.keys(wider.stateDict()).filter((key) => key.startsWith('downsample'))).toContain(
      'downsample.0.weight',
    );
    expect(block.downsample).toBeNull();
  });

  it('gives a gradient to each parameter, of bottlenecks too', async () => {
    const model = new ResNet(Bottleneck, [1, 1, 1, 1], { numClasses: 3, inChannels: 1 });
    const parameters = model.parameters();
    const loss = (): Tensor =>
      model
        .forward(rand([2, 1, 48, 40]))
        .square()
        .sum();
    const gradients = grad(loss(), parameters);
    for (const [i, [key]] of model.namedParameters().entries()) {
      const largest = await gradients[i]!.abs().max().item();
      expect(largest, key).toBeGreaterThan(0);
      expect(Number.isFinite(largest), key).toBe(true);
    }
  });

  it('gives the maps of its stages, rounded up', () => {
    const shapes = noGrad(() =>
      resnet18({ inChannels: 1 })
        .eval()
        .features(zeros([1, 1, 65, 32])),
    ).map((m) => m.shape);
    expect(shapes).toEqual([
      [1, 64, 17, 8],
      [1, 128, 9, 4],
      [1, 256, 5, 2],
      [1, 512, 3, 1],
    ]);
  });

  it('says what is wrong', () => {
    expect(() => resnet18().forward(zeros([3, 32, 32]))).toThrow('ResNet: x is [3, 32, 32]. Images are [N, C, H, W]');
    expect(() => new ResNet(Bottleneck, [3, 4])).toThrow('ResNet: depths is [3, 4].');
  });
});
