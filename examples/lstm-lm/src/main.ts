/** `pnpm example lstm-lm`: trains a character language model, says how good it is, and lets it write. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cpu } from '@dl/backend-cpu';
import { DlError, setBackend } from '@dl/tensor';
import { interruptSignal, readCheckpoint } from '@dl/train';
import { lossCurve } from './curve';
import { defaults, type Options, type RunOptions, readOptions, UsageError, usage } from './options';
import { writeSample } from './sample';
import { loadText } from './text';
import { figuresOf, type Trained, trainModel } from './train';

/** As shells report a program that Ctrl-C ended. */
const INTERRUPTED = 130;

/** The options of a run: those given, else those of the checkpoint, else the defaults. */
async function complete(given: Partial<Options>): Promise<Options> {
  if (given.resume == null) return { ...defaults, ...given };
  const { options } = await readCheckpoint(given.resume);
  return { ...defaults, ...(options as unknown as RunOptions), ...given };
}

async function writeResults(out: string, { result }: Trained, sample: string): Promise<string[]> {
  const files = { 'loss.svg': lossCurve(result.history), 'sample.txt': sample };
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
  const text = await loadText(options.data);
  const { size } = text.tokenizer.vocabulary;
  console.log(
    `${text.train.length} characters to train on, ${text.validation.length} to validate, ${size} different ones`,
  );
  const trained = await trainModel(text, options, signal);
  if (trained.result.status === 'interrupted') {
    console.log(`go on with --resume ${trained.checkpoint}`);
    return INTERRUPTED;
  }
  signal.dispose();
  const sample = await writeSample(trained.model, text, options, (character) => void process.stdout.write(character));
  const files = await writeResults(options.out, trained, sample);
  const figures = figuresOf(trained, options);
  console.log(`\n\nvalidation loss ${figures.validationLoss} nats a character; written: ${files.join(', ')}`);
  if (options.json) console.log(JSON.stringify(figures));
  return 0;
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`lstm-lm: ${error.message}. Try --help.`);
    process.exitCode = 2;
  } else if (error instanceof DlError) {
    console.error(`lstm-lm: ${error.message}`);
    process.exitCode = 1;
  } else throw error;
}
