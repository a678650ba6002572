import { cpu } from '@dl/backend-cpu';
import { Embedding, LayerNorm, linear, Module, normal } from '@dl/layers';
import { iota, profile, setBackend, setSeed, type Tensor, ValueError } from '@dl/tensor';
import { beforeEach, expect, test } from 'vitest';
import {
  beamSearch,
  CachedDecoding,
  type Decoding,
  DecodingCache,
  generate,
  generateRows,
  type Hypothesis,
  LearnedPositions,
  TransformerEncoder,
  TransformerEncoderLayer,
  WindowDecoding,
} from '../src';
import { argmaxOf, choose, logProbabilities } from '../src/choose';

const CONTEXT = 24;
const VOCABULARY = 11;

class Model extends Module {
  readonly tokens = new Embedding(VOCABULARY, 16);
  readonly positions = new LearnedPositions(CONTEXT, 16, { weightInit: normal() });
  readonly encoder = new TransformerEncoder(
    () => new TransformerEncoderLayer(16, 2, { dimFeedforward: 32, dropout: 0, normFirst: true, batchFirst: true }),
    2,
    { norm: new LayerNorm(16) },
  );

  forward(ids: Tensor, cache?: DecodingCache): Tensor {
    const start = cache ? { start: cache.length } : {};
    const x = this.positions.forward(this.tokens.forward(ids), start);
    return linear(this.encoder.forward(x, { causal: true }, cache), this.tokens.weight);
  }
}

const cached = (model: Model, rows = 1): CachedDecoding =>
  new CachedDecoding(
    { forward: (ids, cache) => model.forward(ids, cache) },
    new DecodingCache(2, { rows, numHeads: 2, capacity: CONTEXT, headDim: 8 }),
    { vocabulary: VOCABULARY },
  );
const windowed = (model: Model, rows = 1): WindowDecoding =>
  new WindowDecoding({ forward: (ids) => model.forward(ids) }, { rows, context: CONTEXT, vocabulary: VOCABULARY });

let model: Model;
beforeEach(async () => {
  setBackend(await cpu());
  setSeed(3);
  model = new Model();
  model.eval();
});

async function all<T>(iterator: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of iterator) found.push(each);
  return found;
}

test('with and without the cache, the same tokens, greedy and sampled', async () => {
  for (const options of [{ temperature: 0 }, { temperature: 0.9, topK: 5 }, { topP: 0.8 }]) {
    const runs: number[][] = [];
    for (const decoding of [cached(model), windowed(model)]) {
      setSeed(5);
      runs.push(await all(generate(decoding, [1, 2, 3], { ...options, maxTokens: 15 })));
    }
    expect(runs[0]).toHaveLength(15);
    expect(runs[1]).toEqual(runs[0]);
  }
});

test('the same seed draws the same tokens, another seed others', async () => {
  const run = async (seed: number): Promise<number[]> => {
    setSeed(seed);
    return all(generate(cached(model), [1], { temperature: 3, maxTokens: 12 }));
  };
  const first = await run(1);
  expect(await run(1)).toEqual(first);
  expect(await run(2)).not.toEqual(first);
});

test('a token costs the same wherever it is, and after the first no kernel is made', async () => {
  const decoding = cached(model);
  decoding.begin([[1, 2]]);
  const counts: string[] = [];
  for (let i = 0; i < 12; i++) {
    const { kernels, allocatedBytes, runs } = await profile(() => decoding.next([i % VOCABULARY], null).realize());
    counts.push(`${kernels.map((k) => k.name).join()} ${allocatedBytes} ${runs}`);
  }
  expect(new Set(counts.slice(2)).size).toBe(1);
});

test('a window holds the last tokens, padded to few lengths', async () => {
  const [context, base] = [150, 7];
  const lengths = new Set<number>();
  // The next token is the sum of those in the window, modulo 7, plus 1.
  const forward = (tokens: Tensor): Tensor => {
    const [rows, length] = tokens.dims(2);
    lengths.add(length);
    const sums = tokens.cast('f32').cumsum(1).mod(base).add(1).reshape([rows, length, 1]);
    return sums.eq(iota([rows, length, base + 1], 2).cast('f32')).cast('f32');
  };
  const found = await all(
    generate(new WindowDecoding({ forward }, { context }), [1], { temperature: 0, maxTokens: 160 }),
  );
  const tokens = [1];
  while (tokens.length <= 160) tokens.push((tokens.slice(-context).reduce((a, b) => a + b) % base) + 1);
  expect([1, ...found]).toEqual(tokens);
  expect([...lengths]).toEqual([64, 128, 150]);
});

/** Every continuation of a prompt, by brute force. */
async function bestOf(
  decoding: Decoding,
  prompt: number[],
  length: number,
): Promise<{ tokens: number[]; score: number }> {
  let found = [{ tokens: [] as number[], score: 0 }];
  for (let i = 0; i < length; i++) {
    const longer: typeof found = [];
    for (const { tokens, score } of found) {
      const row = logProbabilities(await decoding.begin([[...prompt, ...tokens]]).data('f32'));
      row.forEach((p, token) => void longer.push({ tokens: [...tokens, token], score: score + p }));
    }
    found = longer;
  }
  return found.reduce((a, b) => (b.score > a.score ? b : a));
}

test('a beam as wide as the vocabulary finds the best of all continuations of two tokens', async () => {
  const wanted = await bestOf(windowed(model), [4], 2);
  const options = { beams: VOCABULARY, endId: 99, maxTokens: 2, lengthPenalty: 0 };
  const steps = await all(beamSearch(cached(model, VOCABULARY), [[4]], options));
  const found = steps.at(-1)![0]![0]!;
  expect(found.tokens).toEqual(wanted.tokens);
  expect(found.score).toBeCloseTo(wanted.score, 4);
});

test('several sentences at once are searched as each alone, with and without the cache', async () => {
  const options = { beams: 3, endId: 0, maxTokens: 9 };
  const alone: (readonly Hypothesis[])[] = [];
  for (const prompt of [
    [1, 2],
    [7, 5],
  ]) {
    const steps = await all(beamSearch(cached(model, 3), [prompt], options));
    alone.push(steps.at(-1)![0]!);
  }
  for (const decoding of [cached(model, 6), windowed(model, 6)]) {
    const together = (
      await all(
        beamSearch(
          decoding,
          [
            [1, 2],
            [7, 5],
          ],
          options,
        ),
      )
    ).at(-1)!;
    expect(together.map((s) => s.map((h) => h.tokens))).toEqual(alone.map((s) => s.map((h) => h.tokens)));
  }
});

test('a beam of one is greedy', async () => {
  const greedy = await all(generate(cached(model), [3], { temperature: 0, maxTokens: 8 }));
  const steps = await all(beamSearch(cached(model, 1), [[3]], { beams: 1, endId: 99, maxTokens: 8 }));
  expect(steps.at(-1)![0]![0]!.tokens).toEqual(greedy);
});

test('a row ends after the end token', async () => {
  const greedy = await all(generate(cached(model), [3], { temperature: 0, maxTokens: 8 }));
  const endId = greedy[2]!;
  const until = greedy.slice(0, greedy.indexOf(endId) + 1);
  expect(await all(generate(cached(model), [3], { temperature: 0, maxTokens: 8, endId }))).toEqual(until);
});

test('tokens are chosen as their probabilities say', () => {
  const logits = Float32Array.from([0, 3, 1, 2]);
  expect(argmaxOf(logits)).toBe(1);
  expect(choose(logits, { temperature: 0 }, 0.99)).toBe(1);
  expect(choose(logits, { topK: 2 }, 0.999)).toBe(3);
  expect(choose(logits, { topP: 0.6 }, 0.999)).toBe(1); // e³ is 0.64 of the sum
  expect(choose(logits, { topP: 0.7 }, 0.999)).toBe(3);
  expect(choose(logits, {}, 0.9999)).toBe(0);
});

test('messages', async () => {
  const start = (prompt: number[], options = {}) => all(generate(cached(model), prompt, options));
  await expect(start([])).rejects.toThrow(ValueError);
  await expect(start([])).rejects.toThrow('generate: the prompt is empty. Begin with at least one token.');
  await expect(start([1, VOCABULARY])).rejects.toThrow(
    'generate: token 1 of the prompt is 11, but the vocabulary has ids from 0 to 10.',
  );
  await expect(start([1, 2], { maxTokens: 30 })).rejects.toThrow(
    'generate: 2 tokens of prompt and 30 more are longer than the context of 24. Ask for at most 23.',
  );
  await expect(start([1], { temperature: -1 })).rejects.toThrow('generate: temperature is -1');
  await expect(start([1], { topP: 0 })).rejects.toThrow('generate: topP is 0');
  await expect(all(generate(windowed(model), [1]))).rejects.toThrow('nothing limits the length');
  await expect(all(generateRows(cached(model, 2), [[1], [1, 2]]))).rejects.toThrow('differ in length');
  await expect(all(beamSearch(cached(model, 2), [[1]], { beams: 3, endId: 0 }))).rejects.toThrow('need 3 rows');
});
