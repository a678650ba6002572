import { cpu } from '@dl/backend-cpu';
import { embed, type Parameter } from '@dl/layers';
import { compile, setBackend, type Tensor, tensor, ValueError, Variable } from '@dl/tensor';
import { beforeAll, describe, expect, test } from 'vitest';
import { GRU, generate, randomNumbers, sampleToken } from '.';

beforeAll(async () => setBackend(await cpu()));

/** How often each token is drawn in 4,000 draws, as shares. */
function shares(logits: number[], options: object): number[] {
  const random = randomNumbers(3);
  const counts = logits.map(() => 0);
  for (let i = 0; i < 4000; i++) counts[sampleToken(logits, random, options)]!++;
  return counts.map((n) => n / 4000);
}

const logits = [Math.log(0.5), Math.log(0.3), Math.log(0.15), Math.log(0.05)];

describe('draws tokens', () => {
  test.each([
    ['by their probabilities', {}, [0.5, 0.3, 0.15, 0.05]],
    ['bolder at a low temperature', { temperature: 0.5 }, [0.6849, 0.2466, 0.0616, 0.0068]],
    ['evenly at a high one', { temperature: 1e6 }, [0.25, 0.25, 0.25, 0.25]],
    ['the likeliest at temperature 0', { temperature: 0 }, [1, 0, 0, 0]],
    ['from the k likeliest', { topK: 2 }, [0.625, 0.375, 0, 0]],
    ['from the fewest that reach p', { topP: 0.79 }, [0.625, 0.375, 0, 0]],
    ['from one if it reaches p alone', { topP: 0.1 }, [1, 0, 0, 0]],
    ['from the k likeliest, then p of those', { topK: 3, topP: 0.8 }, [0.625, 0.375, 0, 0]],
  ])('%s', (_, options, expected) => {
    const got = shares(logits, options);
    for (const [i, share] of expected.entries()) expect(Math.abs(got[i]! - share)).toBeLessThan(0.03); // 4σ of 4,000 draws
  });

  test('never one that is ruled out', () => {
    expect(shares([0, Number.NEGATIVE_INFINITY, 0], {})[1]).toBe(0);
  });

  test.each([
    [{ temperature: -1 }, 'temperature is -1'],
    [{ topK: 0 }, 'topK is 0'],
    [{ topP: 0 }, 'topP is 0'],
    [{ topP: 1.5 }, 'topP is 1.5'],
  ])('refuses %o', (options, message) => {
    expect(() => sampleToken(logits, randomNumbers(0), options)).toThrow(message);
  });

  test('refuses logits that are not finite', () => {
    expect(() => sampleToken([Number.NaN, Number.NaN], randomNumbers(0))).toThrow('not finite');
    expect(() => randomNumbers(-1)).toThrow(ValueError);
  });
});

/** A model without memory: after token i comes i + 1, from `size` on 0. */
const counting = (size: number) => (token: Tensor) =>
  tensor(
    Float32Array.from({ length: size * size }, (_, i) => ((Math.floor(i / size) + 1) % size === i % size ? 50 : 0)),
    [size, size],
  ).take(0, token);

const all = async (iterator: AsyncIterable<number>): Promise<number[]> => {
  const ids: number[] = [];
  for await (const id of iterator) ids.push(id);
  return ids;
};

describe('generates', () => {
  test('up to the length limit, after the prompt', async () => {
    expect(await all(generate(counting(5), [1, 2], { maxTokens: 4 }))).toEqual([3, 4, 0, 1]);
  });

  test('up to the end token, which is not given out', async () => {
    expect(await all(generate(counting(5), [1], { endToken: 4 }))).toEqual([2, 3]);
  });

  test('the same for the same seed, with a recurrent state in a variable', async () => {
    const gru = new GRU(4, 6);
    const table = gru.namedParameters()[0]![1] as Parameter; // any [18, 4] will do
    const state = new Variable(gru.zeroState(1));
    const step = compile((token: Tensor) => {
      const { output, state: next } = gru.forward(embed(token, table).unsqueeze(0), { state });
      state.assign(next);
      return output;
    });
    const run = (seed: number) => {
      state.assign(0);
      return all(generate(step, [0], { seed, maxTokens: 30 }));
    };
    const first = await run(1);
    expect(first.length).toBe(30);
    expect(await run(1)).toEqual(first);
    expect(await run(2)).not.toEqual(first);
  });

  test('as long as someone reads', async () => {
    let calls = 0;
    const step = (token: Tensor) => {
      calls++;
      return counting(5)(token);
    };
    for await (const id of generate(step, [0])) if (id === 3) break;
    expect(calls).toBe(3);
  });

  test('says what is wrong with a prompt', async () => {
    await expect(all(generate(counting(5), []))).rejects.toThrow('the prompt is empty');
    await expect(all(generate(counting(5), [1.5]))).rejects.toThrow('1.5 in the prompt is no token id');
    await expect(all(generate(counting(5), [1, 7]))).rejects.toThrow('outside the vocabulary of 5');
  });
});
