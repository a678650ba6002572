/** `pnpm example attention-seq2seq`: trains the model, says how many dates it gets right, and draws where it looked. */
import { heatMaps, lossCurve, runExample } from '@dl/example-kit';
import { loadDates } from './data';
import { kept, options } from './options';
import { figuresOf, trainModel } from './train';
import { alignment, translateAll } from './translate';

/** How many dates are printed and drawn. */
const SHOWN = 4;

await runExample({
  name: 'attention-seq2seq',
  about: 'Trains two recurrent networks with attention between them to write dates as YYYY-MM-DD.',
  options,
  kept,
  async run(settings, session) {
    const dates = loadDates(settings.count, settings.seed);
    const { test, tokenizer } = dates;
    console.log(`${dates.train.length} dates to train on, ${test.length} to test`);
    const trained = await trainModel(dates, settings, session);
    if (trained.result.status === 'interrupted') return null;
    const { model, result } = trained;
    const sources = test.map(([source]) => source);
    const translations = await translateAll(model, tokenizer, sources);
    const shown = sources.slice(0, SHOWN).map((source, i) => [source, translations[i]!] as const);
    for (const [source, translation] of shown) console.log(`${source}  →  ${translation}`);
    const maps = await Promise.all(shown.map(([a, b]) => alignment(model, tokenizer, a, b)));
    const figures = figuresOf(trained, settings, dates, translations);
    return {
      figures,
      said: `exact matches ${(100 * figures.exactMatches).toFixed(2)} %`,
      files: {
        'loss.svg': lossCurve(result.history, 'Loss, nats a character'),
        'alignment.svg': heatMaps(maps),
        'translations.tsv': test.map(([source, iso], i) => `${source}\t${translations[i]}\t${iso}\n`).join(''),
      },
    };
  },
});
