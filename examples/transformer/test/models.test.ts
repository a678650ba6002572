/** The models and figures by themselves: sizes, kernels of a step, BLEU, translation with and without beams. */
import { cpu } from '@dl/backend-cpu';
import { CharacterTokenizer, SPECIAL_TOKENS } from '@dl/data';
import { setBackend, setSeed, tensor } from '@dl/tensor';
import { beforeAll, expect, test } from 'vitest';
import { attentionMap } from '../src/attention-maps';
import { Gpt } from '../src/gpt-model';
import { BeamTranslator } from '../src/translate';
import { Translator } from '../src/translator';

beforeAll(async () => {
  setBackend(await cpu());
  setSeed(0);
});

test('nanoGPT has 0.80 million parameters and gives logits for each token', () => {
  const model = new Gpt(65);
  expect(model.parameters().reduce((sum, p) => sum + p.size, 0)).toBe(804_096);
  expect(model.forward(tensor([[1, 2, 3]], null, { dtype: 'i32' })).shape).toEqual([1, 3, 65]);
  expect(() => model.forward(tensor([Array(65).fill(0)], null, { dtype: 'i32' }))).toThrow('the context is 64');
});

test('texts are translated alike alone and side by side; maps have a row for each token written', async () => {
  const tokenizer = CharacterTokenizer.train('0123456789-', { specials: SPECIAL_TOKENS });
  const size = { vocabulary: tokenizer.vocabulary.size, width: 16, heads: 2, layers: 1, dropout: 0, context: 16 };
  const model = new Translator(size).eval();
  const options = { beams: 2, sourceLength: 8, maxTokens: 6 };
  const texts = ['12-3', '4', '567'];
  const together = await new BeamTranslator(model, tokenizer, { ...options, sentences: 2 }).translate(texts);
  const alone = await new BeamTranslator(model, tokenizer, { ...options, sentences: 1 }).translate(texts);
  expect(together).toEqual(alone);
  const translator = new BeamTranslator(model, tokenizer, { ...options, sentences: 1 });
  await expect(translator.translate(['0123456789'])).rejects.toThrow('a sequence has 11 tokens, but the length is 8');
  const map = await attentionMap(model, tokenizer, '12-3', '7');
  expect([map.columns, map.rows]).toEqual([
    ['1', '2', '-', '3', '<eos>'],
    ['7', '<eos>'],
  ]);
  for (const row of map.weights) expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
});
