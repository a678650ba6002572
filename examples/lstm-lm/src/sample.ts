/** Text that a trained model writes, character by character. */
import { noGrad } from '@dl/autograd';
import type { Text } from '@dl/example-kit';
import { generate } from '@dl/rnn';
import { compile, type Tensor } from '@dl/tensor';
import type { CharacterModel } from './model';
import type { Options } from './options';

/**
 * A sample that begins with a new line, or with the text's first character if it has none.
 *
 * @param write - sees each character as it comes
 */
export async function writeSample(
  model: CharacterModel,
  { tokenizer, train }: Text,
  { sample, temperature, seed }: Options,
  write: (character: string) => void,
): Promise<string> {
  model.eval();
  const state = model.states.sample;
  state.reset();
  const step = compile((token: Tensor) => model.forward(token.unsqueeze(0), state), { name: 'sample' });
  const newLine = tokenizer.vocabulary.tokens.indexOf('\n');
  const start = newLine >= 0 ? newLine : train[0]!;
  const characters: string[] = [];
  for await (const id of generate((token) => noGrad(() => step(token)), [start], {
    maxTokens: sample,
    temperature,
    seed,
  })) {
    const character = tokenizer.decode([id]);
    characters.push(character);
    write(character);
  }
  return characters.join('');
}
