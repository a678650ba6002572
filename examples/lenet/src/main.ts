/** `pnpm example lenet`: trains LeNet-5, says how good it is, and draws what it learned. */
import { cpu } from '@dl/backend-cpu';
import { DlError, setBackend } from '@dl/tensor';
import { interruptSignal, readCheckpoint } from '@dl/train';
import { loadDigits } from './digits';
import { defaults, type Options, type RunOptions, readOptions, UsageError, usage } from './options';
import { drawPictures } from './pictures/draw';
import { predict } from './predict';
import { figuresOf, trainLeNet } from './train';

/** As shells report a program that Ctrl-C ended. */
const INTERRUPTED = 130;

/** The options of a run: those given, else those of the checkpoint, else the defaults. */
async function complete(given: Partial<Options>): Promise<Options> {
  if (given.resume == null) return { ...defaults, ...given };
  const { options } = await readCheckpoint(given.resume);
  return { ...defaults, ...(options as unknown as RunOptions), ...given };
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
  const digits = await loadDigits(options.data, options.seed);
  console.log(
    `${digits.train.length} digits to train on, ${digits.test.length} to test, ${options.data ?? 'generated'}`,
  );
  const trained = await trainLeNet(digits, options, signal);
  if (trained.result.status === 'interrupted') {
    console.log(`go on with --resume ${trained.checkpoint}`);
    return INTERRUPTED;
  }
  signal.dispose();
  const predictions = await predict(trained.model, digits.test);
  const pictures = await drawPictures(options.out, trained.model, trained.result.history, predictions);
  const figures = figuresOf(trained, options);
  console.log(`test accuracy ${(figures.testAccuracy * 100).toFixed(2)} %; pictures: ${pictures.join(', ')}`);
  if (options.json) console.log(JSON.stringify(figures));
  return 0;
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`lenet: ${error.message}. Try --help.`);
    process.exitCode = 2;
  } else if (error instanceof DlError) {
    console.error(`lenet: ${error.message}`);
    process.exitCode = 1;
  } else throw error;
}
