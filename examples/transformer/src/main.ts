/** `pnpm example transformer`: trains a GPT that writes, or a Transformer that translates, and says how good it is. */
import { heatMaps, loadText, lossCurve, type Outcome, runExample, type Session } from '@dl/example-kit';
import { attentionMap } from './attention-maps';
import { generationSpeed, writeSample } from './gpt-sample';
import { gptFigures, trainGpt } from './gpt-train';
import { kept, modes, type Options, options } from './options';
import { loadTranslation } from './translate-data';
import { trainTranslator, translateFigures, translateTest } from './translate-train';

async function gpt(settings: Options, session: Session): Promise<Outcome> {
  const text = await loadText(settings.data);
  const { size } = text.tokenizer.vocabulary;
  const lengths = `${text.train.length} characters to train on, ${text.validation.length} to validate`;
  console.log(`${lengths}, ${size} different ones`);
  const trained = await trainGpt(text, settings, session);
  if (trained.result.status === 'interrupted') return null;
  const speed = await generationSpeed(trained.model, text);
  const sample = await writeSample(trained.model, text, settings, (character) => void process.stdout.write(character));
  const figures = gptFigures(trained, settings, speed);
  return {
    figures,
    said: `\n\nvalidation loss ${figures.validationLoss} nats a character`,
    files: { 'loss.svg': lossCurve(trained.result.history, 'Loss, nats a character'), 'sample.txt': sample },
  };
}

/** How many attention maps are drawn, and translations printed. */
const SHOWN = 4;

async function translate(settings: Options, session: Session): Promise<Outcome> {
  const data = await loadTranslation(settings.data, settings.seed);
  const { size } = data.tokenizer.vocabulary;
  console.log(`${data.train.length} pairs to train on, ${data.test.length} to test, ${size} tokens`);
  const trained = await trainTranslator(data, settings, session);
  if (trained.result.status === 'interrupted') return null;
  const translations = await translateTest(trained.model, data, settings.beams);
  const figures = translateFigures(trained, settings, data, translations);
  const shown = data.test.slice(0, SHOWN).map(([source], i) => [source, translations[i]!] as const);
  for (const [source, translation] of shown) console.log(`${source}  →  ${translation}`);
  const maps = await Promise.all(shown.map(([a, b]) => attentionMap(trained.model, data.tokenizer, a, b)));
  const lines = data.test.map(([source, target], i) => `${source}\t${translations[i]}\t${target}\n`);
  return {
    figures,
    said: `exact matches ${(100 * figures.exactMatches).toFixed(2)} %, BLEU ${figures.bleu}`,
    files: {
      'loss.svg': lossCurve(trained.result.history, 'Loss, nats a token'),
      'attention.svg': heatMaps(maps),
      'translations.tsv': lines.join(''),
    },
  };
}

await runExample({
  name: 'transformer',
  about: 'Trains a GPT that continues a text, or a Transformer that translates.',
  options,
  kept,
  modes,
  run: (settings, session) => (settings.mode === 'gpt' ? gpt : translate)(settings, session),
});
