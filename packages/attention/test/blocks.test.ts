/** Attention in blocks: that it is the attention of all scores at once, and that its memory grows with the length only. */
import { backward, checkGradients, checkpoint, grad } from '@dl/autograd';
import { cpu } from '@dl/backend-cpu';
import {
  compile,
  Generator,
  profile,
  randn,
  type Shape,
  setBackend,
  setSeed,
  type Tensor,
  tensor,
  ValueError,
  Variable,
} from '@dl/tensor';
import { beforeAll, describe, expect, test } from 'vitest';
import { type AttentionOptions, MultiheadAttention, scaledDotProductAttention } from '../src';

type Inputs = [Tensor, Tensor, Tensor];

beforeAll(async () => {
  setBackend(await cpu());
  setSeed(1);
});

/** A leaf whose gradient can be asked for. */
const leafOf = (shape: Shape): Tensor => new Variable(randn(shape).realize(), { requiresGrad: true });
const inputsOf = (batch: Shape, queries: number, keys: number): Inputs => [
  leafOf([...batch, queries, 3]),
  leafOf([...batch, keys, 3]),
  leafOf([...batch, keys, 2]),
];

/** The value, first gradients, and gradients of what the first ones are. */
function slopes(inputs: Inputs, leaves: readonly Tensor[], options: AttentionOptions): Tensor[] {
  const y = scaledDotProductAttention(...inputs, options);
  const first = grad(y.square().sum(), leaves);
  const second = grad(
    first.reduce((sum, g) => sum.add(g.square().sum()), tensor(0)),
    leaves,
  );
  return [y, ...first, ...second];
}

async function expectAlike(got: readonly Tensor[], want: readonly Tensor[]): Promise<void> {
  const values = await Promise.all(want.map((t) => t.data()));
  for (const [i, t] of got.entries()) {
    expect(t.shape).toEqual(want[i]!.shape);
    const size = Math.max(1, ...values[i]!.map(Math.abs));
    (await t.data()).forEach((x, j) => void expect(Math.abs(x - values[i]![j]!) / size).toBeLessThan(2e-5));
  }
}

const masks: Readonly<Record<string, () => AttentionOptions>> = {
  none: () => ({}),
  causal: () => ({ causal: true }),
  'a scale': () => ({ scale: 0.3 }),
  'a bool mask': () => ({ mask: randn([2, 1, 7, 7]).gt(-0.5) }),
  'a bool mask that hides some rows whole': () => ({
    mask: randn([7, 1])
      .gt(0)
      .and(randn([7, 7]).gt(-1)),
  }),
  'a causal mask and hidden keys': () => ({ mask: randn([7]).gt(-0.5), causal: true }),
  'an additive mask': () => ({ mask: randn([7, 7]).realize() }),
};

describe('in blocks, values and gradients of both orders are those of all scores at once', () => {
  for (const [name, options] of Object.entries(masks)) {
    test(`with ${name}`, async () => {
      const inputs = inputsOf([2, 2], 7, 7);
      const call = options();
      const want = slopes(inputs, inputs, { ...call, blockSize: 7 });
      await expectAlike(slopes(inputs, inputs, { ...call, blockSize: 3 }), want);
    });
  }

  test('with more keys than queries, fewer, and operands that broadcast', async () => {
    for (const [queries, keys] of [
      [5, 8],
      [8, 5],
    ] as const)
      for (const causal of [false, true]) {
        const inputs: Inputs = [leafOf([2, 1, queries, 3]), leafOf([3, keys, 3]), leafOf([keys, 2])];
        const want = slopes(inputs, inputs, { causal, blockSize: 100 });
        await expectAlike(slopes(inputs, inputs, { causal, blockSize: 3 }), want);
      }
  });

  test('with masks that are learnt, whatever they are stretched along', async () => {
    for (const shape of [[7, 7], [2, 1, 7, 7], [1, 7], [7, 1], [7], [2, 1, 1, 7]]) {
      const inputs = inputsOf([2, 2], 7, 7);
      const mask = leafOf(shape);
      const leaves = [...inputs, mask];
      const want = slopes(inputs, leaves, { mask, causal: true, blockSize: 7 });
      await expectAlike(slopes(inputs, leaves, { mask, causal: true, blockSize: 3 }), want);
    }
  });

  test('inside a checkpoint', async () => {
    const inputs = inputsOf([2], 7, 7);
    const run = (blockSize: number) => (q: Tensor, k: Tensor, v: Tensor) =>
      scaledDotProductAttention(q.sin(), k, v, { causal: true, blockSize }).square();
    const want = grad(run(7)(...inputs).sum(), inputs);
    await expectAlike(grad(checkpoint(run(2), ...inputs).sum(), inputs), want);
  });
});

test('dropout takes the same weights on the way back', async () => {
  const inputs = [
    randn([2, 6, 3], { dtype: 'f64' }),
    randn([2, 6, 3], { dtype: 'f64' }),
    randn([2, 6, 2], { dtype: 'f64' }),
  ];
  const run = (q: Tensor, k: Tensor, v: Tensor): Tensor =>
    scaledDotProductAttention(q, k, v, {
      dropout: 0.4,
      blockSize: 4,
      causal: true,
      generator: new Generator(5),
    }).square();
  await checkGradients(run, inputs, { order: 2, rtol: 1e-4 });
  const values = await run(...(inputs as Inputs)).data();
  expect(values.some((x) => x === 0)).toBe(true); // a row all of whose weights were taken
  const all = (await scaledDotProductAttention(...(inputs as Inputs), {
    dropout: 1,
    blockSize: 4,
  }).data()) as Float64Array;
  expect([...all]).toEqual([...all].map(() => 0));
});

test('a compiled step draws other weights at each call, and their gradients', async () => {
  const v = new Variable(
    tensor(
      [...Array(40).keys()].map((i) => i % 7),
      [40, 1],
    )
      .cast('f32')
      .realize(),
    { requiresGrad: true },
  );
  const [q, k] = [randn([6, 2]).realize(), randn([40, 2]).realize()];
  const step = compile(() => {
    const y = scaledDotProductAttention(q, k, v, { dropout: 0.5, blockSize: 4 });
    return [y, grad(y.sum(), v)] as const;
  });
  const runs = [step(), step()];
  const [a, b] = await Promise.all(
    runs.map(async ([y, g]) => ({ y: await y.sum().item(), dot: await g.mul(v).sum().item() })),
  );
  expect(a!.y).not.toBeCloseTo(b!.y, 2);
  for (const { y, dot } of [a!, b!]) expect(dot).toBeCloseTo(y, 3); // attention is linear in the values
});

describe('memory', () => {
  /** Bytes of intermediate values, forward and with gradients, for each length. */
  async function arenas(
    options: AttentionOptions,
    lengths: readonly number[],
  ): Promise<{ forward: number; slopes: number }[]> {
    const found: { forward: number; slopes: number }[] = [];
    for (const length of lengths) {
      const inputs = [1, 2, 3].map(() => leafOf([2, length, 8])) as Inputs;
      const forward = await profile(() =>
        scaledDotProductAttention(...inputs, options)
          .sum()
          .item(),
      );
      const way = compile(() =>
        grad(
          scaledDotProductAttention(...inputs, options)
            .square()
            .sum(),
          inputs,
        ),
      );
      const back = await profile(() => way());
      found.push({ forward: forward.arenaBytes, slopes: back.arenaBytes });
    }
    return found;
  }

  for (const options of [{}, { causal: true }, { dropout: 0.1 }])
    test(`of long sequences grows with the length: ${JSON.stringify(options)}`, async () => {
      const [short, middle, long] = await arenas(options, [512, 1024, 2048]);
      for (const kind of ['forward', 'slopes'] as const) {
        expect(middle![kind]).toBeLessThan(2.2 * short![kind]);
        expect(long![kind]).toBeLessThan(2.2 * middle![kind]);
        expect(long![kind]).toBeLessThan(2 * 2048 * 2048 * 4 * 0.5); // all scores take 32 MB
      }
    });

  test('of a layer, eagerly', async () => {
    const peak = async (length: number): Promise<number> => {
      const layer = new MultiheadAttention(16, 2, { batchFirst: true });
      const x = leafOf([1, length, 16]);
      const { arenaBytes, allocatedBytes } = await profile(async () => {
        backward(layer.forward(x, x, null, { causal: true }).output.square().sum());
        await x.grad!.data();
      });
      return arenaBytes + allocatedBytes;
    };
    const [short, long] = [await peak(1024), await peak(2048)];
    expect(long).toBeLessThan(2.3 * short);
  });

  test('of few scores is that of all at once: they are fewer kernels', async () => {
    const kernelsOf = async (length: number): Promise<number> => {
      const inputs = inputsOf([1], length, length);
      return (await profile(() => scaledDotProductAttention(...inputs).realize())).kernels.length;
    };
    expect(await kernelsOf(256)).toBeLessThanOrEqual(4);
    expect(await kernelsOf(512)).toBeGreaterThanOrEqual(8);
  });
});

test('says what is wrong', () => {
  const [q, k, v] = inputsOf([1], 6, 6);
  expect(() => scaledDotProductAttention(q, k, v, { blockSize: 0 })).toThrow(ValueError);
  expect(() => scaledDotProductAttention(q, k, v, { blockSize: 2.5 })).toThrow('blockSize is 2.5');
  expect(() => scaledDotProductAttention(q, k, v, { blockSize: 2, dropout: 2 })).toThrow('from 0 to 1, not 2');
  expect(() => scaledDotProductAttention(q, k, v, { blockSize: 2, mask: randn([5, 6]) })).toThrow(
    'the mask is [5, 6], but the scores are [1, 6, 6]',
  );
});
