/** `pnpm example transformer`: trains a GPT that writes, or a Transformer that translates, and says how good it is. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cpu } from '@dl/backend-cpu';
import { DlError, setBackend } from '@dl/tensor';
import { type InterruptSignal, interruptSignal, readCheckpoint } from '@dl/train';
import { attentionMap } from './attention-maps';
import { lossCurve } from './curve';
import { generationSpeed, writeSample } from './gpt-sample';
import { gptFigures, trainGpt } from './gpt-train';
import { heatMaps } from './heat-map';
import { defaultsOf, type Options, type RunOptions, readOptions, UsageError, usage } from './options';
import { loadText } from './text';
import { loadTranslation } from './translate-data';
import { trainTranslator, translateFigures, translateTest } from './translate-train';

/** As shells report a program that Ctrl-C ended. */
const INTERRUPTED = 130;

/** The options of a run: those given, else those of the checkpoint, else the defaults. */
async function complete(given: Partial<Options>): Promise<Options> {
  if (given.resume == null) return { ...defaultsOf(given.mode ?? 'gpt'), ...given };
  const { options } = await readCheckpoint(given.resume);
  const kept = options as unknown as RunOptions;
  return { ...defaultsOf(kept.mode), ...kept, ...given };
}

async function writeFiles(out: string, files: Readonly<Record<string, string>>): Promise<string> {
  await mkdir(out, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(out, name), content);
  return Object.keys(files)
    .map((name) => join(out, name))
    .join(', ');
}

/** What a mode leaves: figures and files; or where to go on, if Ctrl-C ended it. */
type Outcome =
  | { readonly figures: object; readonly said: string; readonly files: Readonly<Record<string, string>> }
  | { readonly checkpoint: string };

async function gpt(options: Options, signal: InterruptSignal): Promise<Outcome> {
  const text = await loadText(options.data);
  const { size } = text.tokenizer.vocabulary;
  const lengths = `${text.train.length} characters to train on, ${text.validation.length} to validate`;
  console.log(`${lengths}, ${size} different ones`);
  const trained = await trainGpt(text, options, signal);
  if (trained.result.status === 'interrupted') return { checkpoint: trained.checkpoint };
  const speed = await generationSpeed(trained.model, text);
  const sample = await writeSample(trained.model, text, options, (character) => void process.stdout.write(character));
  const figures = gptFigures(trained, options, speed);
  return {
    figures,
    said: `\n\nvalidation loss ${figures.validationLoss} nats a character`,
    files: { 'loss.svg': lossCurve(trained.result.history, 'Loss, nats a character'), 'sample.txt': sample },
  };
}

/** How many attention maps are drawn, and translations printed. */
const SHOWN = 4;

async function translate(options: Options, signal: InterruptSignal): Promise<Outcome> {
  const data = await loadTranslation(options.data, options.seed);
  const { size } = data.tokenizer.vocabulary;
  console.log(`${data.train.length} pairs to train on, ${data.test.length} to test, ${size} tokens`);
  const trained = await trainTranslator(data, options, signal);
  if (trained.result.status === 'interrupted') return { checkpoint: trained.checkpoint };
  const translations = await translateTest(trained.model, data, options.beams);
  const figures = translateFigures(trained, options, data, translations);
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

async function run(args: readonly string[]): Promise<number> {
  const given = readOptions(args);
  if (given === null) {
    console.log(usage);
    return 0;
  }
  const signal = interruptSignal();
  setBackend(await cpu());
  const options = await complete(given);
  const outcome = await (options.mode === 'gpt' ? gpt : translate)(options, signal);
  if ('checkpoint' in outcome) {
    console.log(`go on with --resume ${outcome.checkpoint}`);
    return INTERRUPTED;
  }
  signal.dispose();
  console.log(`${outcome.said}; written: ${await writeFiles(options.out, outcome.files)}`);
  if (options.json) console.log(JSON.stringify(outcome.figures));
  return 0;
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`transformer: ${error.message}. Try --help.`);
    process.exitCode = 2;
  } else if (error instanceof DlError) {
    console.error(`transformer: ${error.message}`);
    process.exitCode = 1;
  } else throw error;
}
