/** `pnpm example lstm-lm`: trains a character language model, says how good it is, and lets it write. */
import { loadText, lossCurve, runExample } from '@dl/example-kit';
import { kept, options } from './options';
import { writeSample } from './sample';
import { figuresOf, trainModel } from './train';

await runExample({
  name: 'lstm-lm',
  about: 'Trains a character language model: an LSTM of 256 that learns to continue a text.',
  options,
  kept,
  async run(settings, session) {
    const text = await loadText(settings.data);
    const { size } = text.tokenizer.vocabulary;
    const lengths = `${text.train.length} characters to train on, ${text.validation.length} to validate`;
    console.log(`${lengths}, ${size} different ones`);
    const trained = await trainModel(text, settings, session);
    if (trained.result.status === 'interrupted') return null;
    const sample = await writeSample(
      trained.model,
      text,
      settings,
      (character) => void process.stdout.write(character),
    );
    const figures = figuresOf(trained, settings);
    return {
      figures,
      said: `\n\nvalidation loss ${figures.validationLoss} nats a character`,
      files: { 'loss.svg': lossCurve(trained.result.history, 'Loss, nats a character'), 'sample.txt': sample },
    };
  },
});
