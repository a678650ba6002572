/**
 * Memory stays flat: over training steps of a Transformer, compiled and eager, and over generation, with the key/value cache,
 * with a window, and with beams. DL_MEMORY_STEPS=5000 runs them for longer.
 */
import { backward } from '@dl/autograd';
import { cpu } from '@dl/backend-cpu';
import { crossEntropy, Embedding, linear, Module } from '@dl/layers';
import { SGD } from '@dl/optim';
import { compile, randint, setBackend, setSeed, type Tensor } from '@dl/tensor';
import { heldInHalves } from '@dl/testing';
import { beforeAll, expect, test, vi } from 'vitest';
import {
  beamSearch,
  CachedDecoding,
  type Decoding,
  DecodingCache,
  generate,
  LearnedPositions,
  TransformerEncoder,
  TransformerEncoderLayer,
  WindowDecoding,
} from '../src';

const steps = Number(process.env['DL_MEMORY_STEPS'] ?? 120);
const [VOCABULARY, CONTEXT, WIDTH] = [20, 32, 32];

vi.setConfig({ testTimeout: 60_000 + steps * 200 });

class Model extends Module {
  readonly tokens = new Embedding(VOCABULARY, WIDTH);
  readonly positions = new LearnedPositions(CONTEXT, WIDTH);
  readonly encoder = new TransformerEncoder(
    () => new TransformerEncoderLayer(WIDTH, 2, { dimFeedforward: 64, dropout: 0, batchFirst: true }),
    1,
  );

  forward(ids: Tensor, cache?: DecodingCache): Tensor {
    const x = this.positions.forward(this.tokens.forward(ids), cache ? { start: cache.length } : {});
    return linear(this.encoder.forward(x, { causal: true }, cache), this.tokens.weight);
  }
}

beforeAll(async () => {
  setBackend(await cpu());
  setSeed(0);
});

/** What a loop holds in the second half of its steps is what it held in the first. */
async function expectFlat(name: string, step: () => Promise<unknown>): Promise<void> {
  const [first, second] = await heldInHalves(steps, step);
  if (process.env['DL_MEMORY_STEPS']) console.log(`${name}: ${steps} steps, MB held at most`, { first, second });
  expect(second).toBeLessThan(first + 0.25);
}

test('training, compiled and eager', async () => {
  const model = new Model();
  const optimizer = new SGD(model.parameters(), { lr: 0.01 });
  const [ids, targets] = [randint(0, VOCABULARY, [8, CONTEXT]), randint(0, VOCABULARY, [8 * CONTEXT])].map((t) =>
    t.realize(),
  );
  const lossOf = (x: Tensor): Tensor => crossEntropy(model.forward(x).flatten(0, 1), targets!);
  const step = compile((x: Tensor) => {
    const loss = lossOf(x);
    optimizer.minimize(loss);
    return loss;
  });
  await expectFlat('compiled', () => step(ids!).item());
  await expectFlat('eager', async () => {
    const loss = lossOf(ids!);
    optimizer.zeroGrad();
    backward(loss);
    optimizer.step();
    await loss.item();
  });
});

/** Tokens without end: after a full context the next sequence begins. */
async function* endless(decoding: Decoding): AsyncGenerator<number, void, void> {
  for (;;) yield* generate(decoding, [1, 2, 3], { maxTokens: CONTEXT - 3 });
}

test('generation, with a cache, with a window, and with beams', async () => {
  const model = new Model();
  model.eval();
  const cached = (rows: number): CachedDecoding =>
    new CachedDecoding(
      { forward: (ids, cache) => model.forward(ids, cache) },
      new DecodingCache(1, { rows, numHeads: 2, capacity: CONTEXT, headDim: WIDTH / 2 }),
    );
  const windowed = new WindowDecoding({ forward: (ids) => model.forward(ids) }, { context: CONTEXT });
  for (const [name, decoding] of [
    ['with a cache', cached(1)],
    ['with a window', windowed],
  ] as const) {
    const tokens = endless(decoding);
    await expectFlat(name, () => tokens.next());
  }
  const beams = cached(4);
  async function* searches(): AsyncGenerator<unknown, void, void> {
    for (;;) yield* beamSearch(beams, [[1], [2]], { beams: 2, endId: 0, maxTokens: CONTEXT - 1 });
  }
  const found = searches();
  await expectFlat('with beams', () => found.next());
});
