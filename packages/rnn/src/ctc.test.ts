import { cpu } from '@dl/backend-cpu';
import { ctc } from '@dl/layers';
import { rand, setBackend, setSeed, type Tensor, tensor, zeros } from '@dl/tensor';
import { beforeAll, describe, expect, test } from 'vitest';
import { ctcBeamSearch, ctcGreedy } from '.';

beforeAll(async () => setBackend(await cpu()));

/** One sequence of frames with the given probabilities of classes. */
const frames = (rows: number[][]): Tensor => tensor(rows).log().unsqueeze(1);

/** Frames that are sure of the given classes. */
const sure = (classes: number, path: number[]): Tensor =>
  frames(path.map((c) => Array.from({ length: classes }, (_, i) => (i === c ? 0.9 : 0.1 / (classes - 1)))));

describe('greedy decoding', () => {
  test('merges repetitions, then removes blanks', async () => {
    expect(await ctcGreedy(sure(3, [1, 1, 0, 1, 2, 2, 0, 0]))).toEqual([[1, 1, 2]]);
    expect(await ctcGreedy(sure(3, [0, 0]))).toEqual([[]]);
  });

  test('with another blank, and only as many frames as count', async () => {
    expect(await ctcGreedy(sure(3, [2, 0, 0, 2, 1]), { blank: 2 })).toEqual([[0, 1]]);
    expect(await ctcGreedy(sure(3, [1, 0, 2]), { inputLengths: [1] })).toEqual([[1]]);
    expect(await ctcGreedy(sure(3, [1, 0, 2]), { inputLengths: [0] })).toEqual([[]]);
  });
});

describe('prefix beam search', () => {
  test('finds a labelling whose many paths outweigh the best one', async () => {
    // Paths: (a, a), (a, −), (−, a) give "a" 0.4·0.4 + 2·0.4·0.6 = 0.64; (−, −) gives "" 0.36 and is the best single path.
    const logProbs = frames([
      [0.6, 0.4],
      [0.6, 0.4],
    ]);
    expect(await ctcGreedy(logProbs)).toEqual([[]]);
    const [[first, second]] = (await ctcBeamSearch(logProbs)) as [
      [{ labels: number[]; logProb: number }, { labels: number[]; logProb: number }],
    ];
    expect(first.labels).toEqual([1]);
    expect(Math.exp(first.logProb)).toBeCloseTo(0.64, 6);
    expect(second.labels).toEqual([]);
    expect(Math.exp(second.logProb)).toBeCloseTo(0.36, 6);
  });

  test('with a beam that holds everything, probabilities are those of the loss and add up to 1', async () => {
    setSeed(2);
    const logProbs = rand([5, 1, 3]).mul(3).logSoftmax(2);
    const [decoded] = await ctcBeamSearch(logProbs, { beamWidth: 1000 });
    expect(decoded!.reduce((sum, d) => sum + Math.exp(d.logProb), 0)).toBeCloseTo(1, 5);
    for (const { labels, logProb } of decoded!.slice(0, 6).filter((d) => d.labels.length > 0)) {
      const targets = tensor([[...labels]], null, { dtype: 'i32' });
      const loss = ctc(logProbs, targets, {
        inputLengths: tensor([5], null, { dtype: 'i32' }),
        targetLengths: tensor([labels.length], null, { dtype: 'i32' }),
        reduction: 'sum',
      });
      expect(await loss.item()).toBeCloseTo(-logProb, 4);
    }
  });

  test('a label may be repeated only after a blank', async () => {
    const [twice] = await ctcBeamSearch(sure(2, [1, 0, 1]));
    expect(twice![0]!.labels).toEqual([1, 1]);
    const [once] = await ctcBeamSearch(sure(2, [1, 1, 1]));
    expect(once![0]!.labels).toEqual([1]);
  });

  test('a language model may change its mind', async () => {
    const logProbs = frames([[0.02, 0.5, 0.48]]);
    const [plain] = await ctcBeamSearch(logProbs);
    expect(plain![0]!.labels).toEqual([1]);
    const score = (prefix: readonly number[], label: number): number => (prefix.length === 0 && label === 2 ? 1 : 0);
    const [scored] = await ctcBeamSearch(logProbs, { score });
    expect(scored![0]!.labels).toEqual([2]);
    expect(scored![0]!.logProb).toBeCloseTo(Math.log(0.48) + 1, 5);
  });
});

test.each([
  ['the rank', () => ctcGreedy(zeros([3, 4])), '[T, N, C]'],
  ['the blank', () => ctcGreedy(zeros([3, 1, 4]), { blank: 4 }), 'blank is 4'],
  ['lengths', () => ctcGreedy(zeros([3, 1, 4]), { inputLengths: [5] }), 'inputLengths are [5]'],
  ['the beam', () => ctcBeamSearch(zeros([3, 1, 4]), { beamWidth: 0 }), 'beamWidth is 0'],
])('says what is wrong with %s', async (_, call, message) => {
  await expect(call()).rejects.toThrow(message);
});
