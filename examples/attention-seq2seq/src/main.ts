/** `pnpm example attention-seq2seq`: trains the model, says how many dates it gets right, and draws where it looked. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cpu } from '@dl/backend-cpu';
import { lossCurve } from '@dl/example-transformer/curve';
import { heatMaps } from '@dl/example-transformer/heat-map';
import { DlError, setBackend } from '@dl/tensor';
import { interruptSignal, readCheckpoint } from '@dl/train';
import { type Dates, loadDates } from './data';
import { defaults, type Options, type RunOptions, readOptions, UsageError, usage } from './options';
import { figuresOf, type Trained, trainModel } from './train';
import { alignment, translateAll } from './translate';

/** As shells report a program that Ctrl-C ended. */
const INTERRUPTED = 130;
/** How many dates are printed and drawn. */
const SHOWN = 4;

/** The options of a run: those given, else those of the checkpoint, else the defaults. */
async function complete(given: Partial<Options>): Promise<Options> {
  if (given.resume == null) return { ...defaults, ...given };
  const { options } = await readCheckpoint(given.resume);
  return { ...defaults, ...(options as unknown as RunOptions), ...given };
}

async function writeResults(
  out: string,
  { model, result }: Trained,
  { test, tokenizer }: Dates,
  translations: readonly string[],
): Promise<string[]> {
  const maps = test.slice(0, SHOWN).map(([source], i) => alignment(model, tokenizer, source, translations[i]!));
  const files = {
    'loss.svg': lossCurve(result.history, 'Loss, nats a character'),
    'alignment.svg': heatMaps(await Promise.all(maps)),
    'translations.tsv': test.map(([source, iso], i) => `${source}\t${translations[i]}\t${iso}\n`).join(''),
  };
  await mkdir(out, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(out, name), content);
  return Object.keys(files).map((name) => join(out, name));
}

async function run(args: readonly string[]): Promise<number> {
  const given = readOptions(args);
  if (given === null) {
    console.log(usage);
    return 0;
  }
  const signal = interruptSignal();
  setBackend(await cpu());
  const options = await complete(given);
  const dates = loadDates(options.count, options.seed);
  console.log(`${dates.train.length} dates to train on, ${dates.test.length} to test`);
  const trained = await trainModel(dates, options, signal);
  if (trained.result.status === 'interrupted') {
    console.log(`go on with --resume ${trained.checkpoint}`);
    return INTERRUPTED;
  }
  signal.dispose();
  const sources = dates.test.map(([source]) => source);
  const translations = await translateAll(trained.model, dates.tokenizer, sources);
  for (let i = 0; i < SHOWN; i++) console.log(`${sources[i]}  →  ${translations[i]}`);
  const files = await writeResults(options.out, trained, dates, translations);
  const figures = figuresOf(trained, options, dates, translations);
  console.log(`exact matches ${(100 * figures.exactMatches).toFixed(2)} %; written: ${files.join(', ')}`);
  if (options.json) console.log(JSON.stringify(figures));
  return 0;
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`attention-seq2seq: ${error.message}. Try --help.`);
    process.exitCode = 2;
  } else if (error instanceof DlError) {
    console.error(`attention-seq2seq: ${error.message}`);
    process.exitCode = 1;
  } else throw error;
}
