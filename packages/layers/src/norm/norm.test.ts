/** Normalisations: by hand, running statistics, second derivatives, edges and messages. Values against PyTorch are in test/. */
import { checkGradients, grad } from '@dl/autograd';
import {
  compile,
  profile,
  randn,
  ShapeError,
  setBackend,
  setSeed,
  type Tensor,
  tensor,
  ValueError,
  zeros,
} from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  BatchNorm1d,
  BatchNorm2d,
  BatchNorm3d,
  batchNorm,
  GroupNorm,
  groupNorm,
  InstanceNorm1d,
  InstanceNorm2d,
  InstanceNorm3d,
  instanceNorm,
  LayerNorm,
  LocalResponseNorm,
  layerNorm,
  localResponseNorm,
  normalize,
  Parameter,
  RMSNorm,
  rmsNorm,
  weightNorm,
} from '../index';

beforeAll(() => setBackend(referenceBackend()));
beforeEach(() => setSeed(1));

const exact = { eps: 0 };

async function close(x: Tensor, wanted: readonly number[], digits = 5): Promise<void> {
  const data = await x.data();
  expect(data.length).toBe(wanted.length);
  for (const [i, want] of wanted.entries()) expect(data[i]).toBeCloseTo(want, digits);
}

describe('batch normalisation', () => {
  test('by hand: mean 2 and variance 1 give −1 and 1', async () => {
    const { output } = batchNorm(
      tensor([
        [1, 0],
        [3, 4],
      ]),
      { training: true, ...exact },
    );
    await close(output, [-1, -1, 1, 1]);
  });

  test('running statistics move by the momentum, with the unbiased variance, and are used in evaluation', async () => {
    const norm = new BatchNorm1d(1, { momentum: 0.5 });
    norm.forward(tensor([[1], [3]]));
    await close(norm.runningMean!, [1]);
    await close(norm.runningVar!, [0.5 + 0.5 * 2]);
    expect(await norm.numBatchesTracked!.item()).toBe(1);
    norm.eval();
    await close(norm.forward(tensor([[1], [2.5]])), [0, 1.5 / Math.sqrt(1.5 + 1e-5)]);
    expect(await norm.numBatchesTracked!.item()).toBe(1);
  });

  test('without a momentum, the running mean is the mean of all batches', async () => {
    const norm = new BatchNorm1d(1, { momentum: null });
    for (const centre of [1, 3, 8]) norm.forward(tensor([[centre - 1], [centre + 1]]));
    await close(norm.runningMean!, [4]);
    await close(norm.runningVar!, [2]);
  });

  test('a compiled step moves the statistics at each call', async () => {
    const [norm, eager] = [new BatchNorm2d(3), new BatchNorm2d(3)];
    const step = compile((x: Tensor) => norm.forward(x));
    for (let i = 0; i < 4; i++) {
      const x = randn([2, 3, 4, 4]);
      await close(step(x), [...(await eager.forward(x).data())]);
    }
    await close(norm.runningMean!, [...(await eager.runningMean!.data())]);
    await close(norm.runningVar!, [...(await eager.runningVar!.data())]);
    expect(await norm.numBatchesTracked!.item()).toBe(4);
  });

  test('keys are those of PyTorch; without affine and tracking there are none', () => {
    const keys = ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked'];
    expect(Object.keys(new BatchNorm2d(2).stateDict())).toEqual(keys);
    expect(new BatchNorm2d(2).parameters().length).toBe(2);
    expect(Object.keys(new BatchNorm3d(2, { affine: false, trackRunningStats: false }).stateDict())).toEqual([]);
  });

  test('without tracking, evaluation uses the batch too', async () => {
    const norm = new BatchNorm1d(1, { trackRunningStats: false, affine: false, eps: 0 }).eval();
    await close(norm.forward(tensor([[1], [3]])), [-1, 1]);
  });

  test('second derivatives', async () => {
    const run = (x: Tensor, weight: Tensor, bias: Tensor) => batchNorm(x, { weight, bias, training: true }).output;
    await checkGradients(run, [randn([3, 2, 2]), randn([2]), randn([2])], { order: 2, rtol: 1e-4, atol: 1e-5 });
  });

  test('a constant channel has gradient 0 and no NaN', async () => {
    const x = tensor([2, 2, 2], [3, 1], { requiresGrad: true });
    const { output } = batchNorm(x, { training: true });
    await close(output, [0, 0, 0]);
    await close(grad(output.square().sum(), x), [0, 0, 0]);
  });

  test('messages', () => {
    expect(() => new BatchNorm2d(3).forward(zeros([2, 4, 5, 5]))).toThrow(
      'BatchNorm2d: x is [2, 4, 5, 5], but data is [N, 3, H, W]. Channels are axis 1.',
    );
    expect(() => new BatchNorm1d(3).forward(zeros([3]))).toThrow('data is [N, 3] or [N, 3, L]');
    expect(() => new BatchNorm1d(3).forward(zeros([1, 3]))).toThrow(
      'batchNorm: x [1, 3] has one element a channel, whose variance is 0. Train on batches of at least two, or call eval().',
    );
    expect(() => batchNorm(zeros([2, 3]))).toThrow('there are no running statistics to use');
    expect(() => batchNorm(zeros([2, 3]), { weight: zeros([2]), training: true })).toThrow(
      'batchNorm: weight is [2], but x [2, 3] has 3 channels. Give one number a channel.',
    );
    expect(() => batchNorm(zeros([3]))).toThrow(ShapeError);
  });

  test('an empty batch', async () => {
    const norm = new BatchNorm1d(2).eval();
    expect(await norm.forward(zeros([0, 2])).array()).toEqual([]);
  });
});

describe('layer normalisation', () => {
  test('is one kernel, and its gradients two more', async () => {
    const [x, weight, bias] = [randn([32, 64]), randn([64]), randn([64])].map((value) => new Parameter(value)) as [
      Parameter,
      Parameter,
      Parameter,
    ];
    const step = compile((cotangent: Tensor) => {
      const y = layerNorm(x, [64], { weight, bias });
      return [y, ...grad(y, [x, weight, bias], { cotangent })];
    });
    const cotangent = randn([32, 64]).realize();
    step(cotangent);
    expect((await profile(() => step(cotangent))).kernels.length).toBeLessThanOrEqual(3);
  });

  test('by hand, over one axis and over two', async () => {
    await close(
      layerNorm(
        tensor([
          [1, 3],
          [10, 20],
        ]),
        [2],
        exact,
      ),
      [-1, 1, -1, 1],
    );
    await close(
      layerNorm(
        tensor([
          [1, 1],
          [3, 3],
        ]),
        [2, 2],
        exact,
      ),
      [-1, -1, 1, 1],
    );
  });

  test('as a layer', async () => {
    const norm = new LayerNorm([2], exact);
    norm.weight!.assign(tensor([2, 3]));
    norm.bias!.assign(tensor([0, 1]));
    await close(norm.forward(tensor([[1, 3]])), [-2, 4]);
    expect(Object.keys(norm.stateDict())).toEqual(['weight', 'bias']);
    expect(Object.keys(new LayerNorm(4, { bias: false }).stateDict())).toEqual(['weight']);
    expect(new LayerNorm(4, { elementwiseAffine: false }).parameters()).toEqual([]);
  });

  test('second derivatives', async () => {
    const run = (x: Tensor, weight: Tensor, bias: Tensor) => layerNorm(x, [4], { weight, bias });
    await checkGradients(run, [randn([2, 4]), randn([4]), randn([4])], { order: 2, rtol: 1e-4, atol: 1e-5 });
  });

  test('messages, and rows of none', async () => {
    expect(() => layerNorm(zeros([2, 3]), [2])).toThrow(
      'layerNorm: the last axes of x [2, 3] are not [2]. Give the shape that x ends with.',
    );
    expect(() => layerNorm(zeros([2, 3]), [])).toThrow(ShapeError);
    expect(() => layerNorm(zeros([2, 3]), [3], { weight: zeros([1]) })).toThrow(
      'layerNorm: weight is [1], but the normalised shape is [3]. Give both one shape.',
    );
    expect(await layerNorm(zeros([0, 3]), [3]).array()).toEqual([]);
  });
});

describe('RMS normalisation', () => {
  test('by hand: a root mean square of 5', async () => {
    await close(rmsNorm(tensor([[1, 7]]), [2], exact), [0.2, 1.4]);
    await close(new RMSNorm(2).forward(tensor([[0, 0]])), [0, 0]);
    await close(new RMSNorm(2, { eps: 25 }).forward(tensor([[1, 7]])), [1 / Math.sqrt(50), 7 / Math.sqrt(50)]);
  });

  test('second derivatives', async () => {
    await checkGradients((x, weight) => rmsNorm(x, [3], { weight }), [randn([2, 3]), randn([3])], {
      order: 2,
      rtol: 1e-4,
      atol: 1e-5,
    });
  });
});

describe('group and instance normalisation', () => {
  test('groups of channels, by hand', async () => {
    const x = tensor([1, 3, 10, 20], [1, 4, 1]);
    await close(groupNorm(x, 2, exact), [-1, 1, -1, 1]);
    const norm = new GroupNorm(2, 4, exact);
    norm.bias!.assign(tensor([0, 1, 2, 3]));
    await close(norm.forward(x), [-1, 2, 1, 4]);
  });

  test('one group is layer normalisation over all but the batch; as many as channels, instance normalisation', async () => {
    const x = randn([2, 4, 3]);
    await close(groupNorm(x, 1), [...(await layerNorm(x, [4, 3]).data())]);
    await close(groupNorm(x, 4), [...(await instanceNorm(x).output.data())]);
  });

  test('running statistics of instances are means over samples', async () => {
    const norm = new InstanceNorm1d(1, { trackRunningStats: true, momentum: 1 });
    norm.forward(tensor([1, 3, 5, 9], [2, 1, 2]));
    await close(norm.runningMean!, [4.5]);
    await close(norm.runningVar!, [(2 + 8) / 2]);
    expect(Object.keys(new InstanceNorm2d(3).stateDict())).toEqual([]);
  });

  test('instances of volumes: each channel of each sample by itself', async () => {
    const norm = new InstanceNorm3d(2, { affine: true, eps: 0 });
    norm.weight!.assign(tensor([1, 2]));
    norm.bias!.assign(tensor([0, 5]));
    const x = tensor([1, 3, 10, 30], [1, 2, 1, 1, 2]);
    await close(norm.forward(x), [-1, 1, 3, 7]);
    expect(() => norm.forward(zeros([1, 2, 3, 4]))).toThrow('InstanceNorm3d: x is [1, 2, 3, 4], but data has 5 axes');
  });

  test('messages', () => {
    expect(() => groupNorm(zeros([1, 4, 2]), 3)).toThrow(
      'groupNorm: 3 groups do not divide the 4 channels of x [1, 4, 2]. Choose a divisor.',
    );
    expect(() => new GroupNorm(3, 4)).toThrow(ValueError);
    expect(() => instanceNorm(zeros([2, 3, 1]))).toThrow(
      'instanceNorm: x [2, 3, 1] has one position a channel, whose variance is 0. Give it at least two.',
    );
    expect(() => new InstanceNorm2d(3).forward(zeros([2, 3, 4]))).toThrow(
      'InstanceNorm2d: x is [2, 3, 4], but data has 4 axes and 3 channels, which are axis 1.',
    );
    expect(() => instanceNorm(zeros([2, 3, 4]), { useInputStats: false })).toThrow('no running statistics');
  });
});

describe('local response normalisation', () => {
  test('by hand, with neighbours on both sides and zeros beyond', async () => {
    const x = tensor([1, 2, 3], [1, 3, 1]);
    const y = localResponseNorm(x, 3, { alpha: 3, beta: 1, k: 1 });
    await close(y, [1 / (1 + 5), 2 / (1 + 14), 3 / (1 + 13)]);
    await close(new LocalResponseNorm(1, { alpha: 1, beta: 0.5 }).forward(x), [
      1 / Math.SQRT2,
      2 / Math.sqrt(5),
      3 / Math.sqrt(10),
    ]);
  });

  test('messages', () => {
    expect(() => localResponseNorm(zeros([1, 3, 1]), 0)).toThrow('size is a whole number of at least 1, not 0.');
    expect(() => localResponseNorm(zeros([3]), 3)).toThrow('localResponseNorm: x is [3]');
  });
});

describe('vectors of length 1', () => {
  test('by hand', async () => {
    await close(
      normalize(
        tensor([
          [3, 4],
          [0, 2],
        ]),
      ),
      [0.6, 0.8, 0, 1],
    );
    await close(normalize(tensor([[1, 3]]), -1, { p: 1 }), [0.25, 0.75]);
    await close(normalize(tensor([[1, -4]]), 1, { p: Number.POSITIVE_INFINITY }), [0.25, -1]);
  });

  test.each([1, 2, 3, Number.POSITIVE_INFINITY])(
    'a zero vector stays one, with a finite gradient (p = %d)',
    async (p) => {
      const x = tensor([0, 0], [1, 2], { requiresGrad: true });
      const y = normalize(x, 1, { p });
      await close(y, [0, 0]);
      expect([...(await grad(y.sum(), x).data())].every(Number.isFinite)).toBe(true);
    },
  );

  test('weights from a length and a direction', async () => {
    await close(
      weightNorm(
        tensor([
          [3, 4],
          [0, 2],
        ]),
        tensor([[10], [1]]),
      ),
      [6, 8, 0, 1],
    );
    await close(
      weightNorm(
        tensor([
          [3, 0],
          [4, 2],
        ]),
        tensor([[10, 1]]),
        1,
      ),
      [6, 0, 8, 1],
    );
    await close(weightNorm(tensor([[3, 4]]), tensor(10), null), [6, 8]);
    await checkGradients((v, g) => weightNorm(v, g), [randn([2, 3]), randn([2, 1])], {
      order: 2,
      rtol: 1e-4,
      atol: 1e-5,
    });
  });

  test('messages', () => {
    expect(() => normalize(zeros([1, 2]), 1, { p: 0 })).toThrow('normalize: p is above 0, not 0.');
    expect(() => weightNorm(zeros([2, 3]), zeros([2]))).toThrow(
      'weightNorm: g is [2], but v [2, 3] has norms [2, 1] beside axis 0. Reshape g.',
    );
    expect(() => weightNorm(zeros([2, 3]), zeros([2]), 2)).toThrow(ShapeError);
  });
});
