import { checkGradients, grad, noGrad } from '@dl/autograd';
import { compile, randn, ShapeError, setBackend, setSeed, type Tensor, tensor, ValueError, zeros } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  AdditiveAttention,
  additiveAttention,
  DecodingCache,
  FeedForward,
  KeyValueCache,
  LearnedPositions,
  MultiheadAttention,
  NadarayaWatson,
  nadarayaWatson,
  rotary,
  SinusoidalPositions,
  scaledDotProductAttention,
  TransformerDecoder,
  TransformerDecoderLayer,
  TransformerEncoder,
  TransformerEncoderLayer,
} from '../src';

beforeEach(() => {
  setBackend(referenceBackend());
  setSeed(1);
});

const bool = (rows: number[][]): Tensor => tensor(rows, null, { dtype: 'bool' });
const numbers = async (x: Tensor): Promise<number[]> => [...(await x.data())];

describe('scaledDotProductAttention', () => {
  test('one query between two keys, by hand', async () => {
    const q = tensor([[1]]);
    const k = tensor([[0], [Math.log(3)]]);
    const v = tensor([[4], [8]]);
    const [value] = await numbers(scaledDotProductAttention(q, k, v, { scale: 1 }));
    expect(value).toBeCloseTo((4 + 3 * 8) / 4, 5);
  });

  test('a row whose mask hides everything gives zeros, and gradients without NaN', async () => {
    const [q, k, v] = [randn([2, 3]), randn([4, 3]), randn([4, 3])].map((x) => tensorOf(x)) as [Tensor, Tensor, Tensor];
    const hidden = [
      [0, 0, 0, 0],
      [1, 0, 1, 1],
    ];
    const float = tensor(hidden.map((row) => row.map((x) => (x === 1 ? 0 : Number.NEGATIVE_INFINITY))));
    for (const mask of [bool(hidden), float]) {
      const y = scaledDotProductAttention(q, k, v, { mask });
      expect((await y.array(2))[0]).toEqual([0, 0, 0]);
      const grads = grad(y.square().sum(), [q, k, v]) as Tensor[];
      for (const g of grads) expect((await numbers(g)).every(Number.isFinite)).toBe(true);
      expect((await grads[0]!.array(2))[0]).toEqual([0, 0, 0]);
    }
  });

  test('dropout keeps the mean of the weights', async () => {
    const [q, k] = [zeros([200, 2]), zeros([50, 2])];
    const y = await numbers(scaledDotProductAttention(q, k, zeros([50, 1]).add(1), { dropout: 0.3 }));
    expect(y.reduce((a, b) => a + b) / y.length).toBeCloseTo(1, 1);
    expect(Math.max(...y)).toBeGreaterThan(1);
  });

  test('gradients agree with differences, twice', async () => {
    const inputs = [randn([2, 3], { dtype: 'f64' }), randn([4, 3], { dtype: 'f64' }), randn([4, 2], { dtype: 'f64' })];
    const run = (q: Tensor, k: Tensor, v: Tensor) => scaledDotProductAttention(q, k, v, { causal: true }).square();
    await checkGradients(run, inputs, { order: 2, rtol: 1e-4 });
  });

  test('messages', () => {
    const [q, k] = [zeros([2, 3]), zeros([4, 3])];
    expect(() => scaledDotProductAttention(q, k, zeros([5, 3]))).toThrow(
      'scaledDotProductAttention: there are 4 keys, but 5 values ([4, 3], [5, 3]). Each key has one value.',
    );
    expect(() => scaledDotProductAttention(q, zeros([4, 2]), zeros([4, 3]))).toThrow(
      'queries have 3 features, but keys 2',
    );
    expect(() => scaledDotProductAttention(q, k, k, { mask: bool([[1, 1]]) })).toThrow(
      'attention: the mask is [1, 2], but the scores are [2, 4]. A mask broadcasts to [..., queries, keys].',
    );
    expect(() => scaledDotProductAttention(q, zeros([0, 3]), zeros([0, 3]))).toThrow(ShapeError);
    expect(() => scaledDotProductAttention(q, zeros([0, 3]), zeros([0, 3]))).toThrow('a sequence is empty');
  });
});

const tensorOf = (x: Tensor): Tensor => {
  const held = tensor(x.dataSync() as Float32Array, x.shape, { requiresGrad: true });
  return held;
};

describe('MultiheadAttention', () => {
  test('state keys are PyTorch’s', () => {
    const keys = (m: MultiheadAttention): string[] => Object.keys(m.stateDict());
    expect(keys(new MultiheadAttention(4, 2))).toEqual([
      'in_proj_weight',
      'in_proj_bias',
      'out_proj.weight',
      'out_proj.bias',
    ]);
    expect(keys(new MultiheadAttention(4, 2, { kdim: 3, bias: false }))).toEqual([
      'q_proj_weight',
      'k_proj_weight',
      'v_proj_weight',
      'out_proj.weight',
    ]);
  });

  test('a key that is projected once gives what the key gives', async () => {
    const m = new MultiheadAttention(4, 2, { batchFirst: true });
    const [q, k] = [randn([2, 3, 4]).realize(), randn([2, 5, 4]).realize()];
    expect(await numbers(m.forward(q, m.project(k)).output)).toEqual(await numbers(m.forward(q, k).output));
  });

  test('messages', () => {
    expect(() => new MultiheadAttention(6, 4)).toThrow(
      'MultiheadAttention: 6 features do not divide into 4 heads. Choose a divisor of 6.',
    );
    const m = new MultiheadAttention(4, 2, { batchFirst: true });
    const x = zeros([2, 3, 4]);
    expect(() => m.forward(zeros([3, 4]))).toThrow('data is [N, L, features], but got [3, 4]');
    expect(() => m.forward(zeros([2, 0, 4]))).toThrow('a sequence is empty');
    expect(() => m.forward(x, x, x, { attnMask: zeros([2, 2]) })).toThrow(
      'MultiheadAttention: the attention mask is [2, 2], but must be [3, 3] or [4, 3, 3].',
    );
    expect(() => m.forward(x, x, x, { keyPaddingMask: zeros([2, 4]) })).toThrow('It is [N, S].');
  });
});

describe('positions', () => {
  test('a sequence longer than the context, or empty, is an error', () => {
    for (const positions of [new SinusoidalPositions(4, 6), new LearnedPositions(4, 6)]) {
      expect(() => positions.forward(zeros([2, 5, 6]))).toThrow(
        'the sequence of [2, 5, 6] has 5 tokens, but the context is 4. Cut it, or make the model with a longer context.',
      );
      expect(() => positions.forward(zeros([2, 2, 6]), { start: 3 })).toThrow(ShapeError);
      expect(() => positions.forward(zeros([2, 0, 6]))).toThrow('is empty');
      expect(() => positions.forward(zeros([2, 3, 5]))).toThrow('must be [..., length, 6]');
    }
  });

  test('a start that is data gives what the number gives', async () => {
    const positions = new LearnedPositions(8, 2);
    const x = zeros([1, 3, 2]);
    const step = compile((start: Tensor) => positions.forward(x, { start }));
    for (const start of [0, 4, 5]) {
      const wanted = await numbers(positions.forward(x, { start }));
      expect(await numbers(step(tensor(start, [], { dtype: 'i32' })))).toEqual(wanted);
    }
    expect(Object.keys(new SinusoidalPositions(4, 6).stateDict())).toEqual([]);
  });

  test('after rotation, scores depend on distances alone', async () => {
    const [q, k] = [randn([1, 8]).realize(), randn([1, 8]).realize()];
    const at = (x: Tensor, position: number) => rotary(x, { positions: tensor([position], null, { dtype: 'i32' }) });
    const score = async (i: number, j: number) => (await numbers(at(q, i).mul(at(k, j)).sum()))[0]!;
    expect(await score(7, 3)).toBeCloseTo(await score(14, 10), 4);
    expect(() => rotary(zeros([2, 4]), { rotaryDim: 3 })).toThrow(ValueError);
  });
});

describe('stacks', () => {
  const options = { dimFeedforward: 8, dropout: 0, batchFirst: true } as const;
  const encoderLayer = (): TransformerEncoderLayer => new TransformerEncoderLayer(4, 2, options);

  test('one layer taken three times has the parameters of one, and is the layer three times', async () => {
    const shared = new TransformerEncoder(encoderLayer, 3, { distinctLayers: 1 });
    expect(shared.parameters()).toHaveLength(encoderLayer().parameters().length);
    expect(Object.keys(shared.stateDict())[0]).toBe('layers.0.self_attn.in_proj_weight');
    const x = randn([1, 3, 4]).realize();
    const [layer] = shared.layers;
    const thrice = layer!.forward(layer!.forward(layer!.forward(x)));
    expect(await numbers(shared.forward(x))).toEqual(await numbers(thrice));
    expect(() => new TransformerEncoder(encoderLayer, 2, { distinctLayers: 3 })).toThrow(ValueError);
  });

  test('with a cache, one token after the other gives what all at once give: encoder and decoder', async () => {
    const encoder = new TransformerEncoder(encoderLayer, 2).eval();
    const decoder = new TransformerDecoder(() => new TransformerDecoderLayer(4, 2, options), 2).eval();
    const [x, memory] = [randn([2, 5, 4]).realize(), randn([2, 3, 4]).realize()];
    const runs = {
      encoder: (y: Tensor, cache?: DecodingCache) => encoder.forward(y, { causal: true }, cache),
      decoder: (y: Tensor, cache?: DecodingCache) =>
        decoder.forward(y, cache ? decoder.project(memory) : memory, { causal: true }, cache),
    };
    for (const run of Object.values(runs)) {
      const wanted = await numbers(noGrad(() => run(x)));
      const cache = new DecodingCache(2, { rows: 2, numHeads: 2, capacity: 6, headDim: 2 });
      const step = compile((y: Tensor) => {
        const out = run(y, cache);
        cache.advance(1);
        return out;
      });
      for (let round = 0; round < 2; round++) {
        cache.reset(); // what is in it from before is not seen
        const got: number[][][] = [];
        for (let t = 0; t < 5; t++)
          got.push(
            (await step(x.narrow(1, t, 1))
              .squeeze(1)
              .array(2)) as number[][],
          );
        const flat = [0, 1].flatMap((n) => got.flatMap((rows) => rows[n]!));
        flat.forEach((value, i) => void expect(value).toBeCloseTo(wanted[i]!, 5));
      }
    }
  });

  test('attention to the memory is returned for each depth', async () => {
    const decoder = new TransformerDecoder(() => new TransformerDecoderLayer(4, 2, options), 2);
    const { weights } = decoder.attend(randn([1, 2, 4]), randn([1, 3, 4]));
    expect(weights.map((w) => w.shape)).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    for (const w of weights) (await numbers(w.sum(-1))).forEach((sum) => void expect(sum).toBeCloseTo(1, 5));
  });
});

describe('KeyValueCache', () => {
  test('writes at a position, keeps the rest, and reorders rows', async () => {
    const cache = new KeyValueCache({ rows: 2, numHeads: 1, capacity: 4, headDim: 1 });
    const at = (n: number): Tensor => tensor(n, [], { dtype: 'i32' });
    const heads = (values: number[], length: number) => {
      const x = tensor(values, [2, 1, length, 1]);
      return { k: x, v: x.mul(10) };
    };
    cache.put(heads([1, 2, 3, 4], 2), at(0));
    cache.put(heads([5, 6], 1), at(2));
    expect(await numbers(cache.keys)).toEqual([1, 2, 5, 0, 3, 4, 6, 0]);
    cache.reorder(tensor([1, 1], null, { dtype: 'i32' }));
    expect(await numbers(cache.values)).toEqual([30, 40, 60, 0, 30, 40, 60, 0]);
    expect(() => cache.put(heads([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 5), at(0))).toThrow(ShapeError);
  });
});

describe('other attention', () => {
  test('additive attention ignores masked keys; a row without keys is zero', async () => {
    const layer = new AdditiveAttention(2, 3, 4);
    expect(Object.keys(layer.stateDict())).toEqual(['w_q.weight', 'w_k.weight', 'w_v.weight']);
    const [q, k, v] = [randn([2, 1, 2]), randn([2, 3, 3]), randn([2, 3, 2])];
    const mask = tensor([1, 0, 0, 0, 0, 0], [2, 1, 3], { dtype: 'bool' });
    const { output, weights } = layer.forward(q, k, v, { mask });
    expect(await numbers(weights)).toEqual([1, 0, 0, 0, 0, 0]);
    expect((await numbers(output)).slice(2)).toEqual([0, 0]);
    const w = { query: zeros([4, 2]), key: zeros([4, 3]), score: zeros([4]) };
    expect(() => additiveAttention(zeros([1, 2]), k, v, w)).toThrow(ShapeError);
  });

  test('Nadaraya–Watson: a narrow kernel finds the nearest value; its width is learned', async () => {
    const [x, keys, values] = [tensor([0.1, 2.2]), tensor([0, 1, 2]), tensor([5, 6, 7])];
    (await numbers(nadarayaWatson(x, keys, values, { w: 50 }).output)).forEach(
      (value, i) => void expect(value).toBeCloseTo([5, 7][i]!, 4),
    );
    const far = nadarayaWatson(tensor([9]), keys, values, { kernel: 'epanechnikov' });
    expect(await numbers(far.output)).toEqual([0]);
    const layer = new NadarayaWatson();
    const g = grad(layer.forward(x, keys, values).sum(), layer.w) as Tensor;
    expect(Math.abs(await g.item())).toBeGreaterThan(0);
    expect(() => nadarayaWatson(x, zeros([0]), zeros([0]))).toThrow('give at least one key');
  });

  test('FeedForward is two layers, alike at each position', async () => {
    const layer = new FeedForward(4, 8, { activation: 'gelu', dropout: 0 });
    const x = randn([2, 3, 4]).realize();
    const all = (await layer.forward(x).array(3)) as number[][][];
    const alone = (await layer.forward(x.at(1, 2)).array(1)) as number[];
    all[1]![2]!.forEach((value, i) => void expect(value).toBeCloseTo(alone[i]!, 6));
    expect(() => new FeedForward(4, 8, { activation: 'tanh' as never })).toThrow(ValueError);
  });
});
