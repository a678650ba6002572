/**
 * The frame of an example: reads the command line, lets the example train, writes its files, prints its figures. It ends with 0;
 * with 2 for a command line that cannot be meant, 1 for what the library says is wrong, and 130, as shells report Ctrl-C,
 * when it was interrupted and can be resumed.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cpu } from '@dl/backend-cpu';
import { DlError, setBackend } from '@dl/tensor';
import { interruptSignal, readCheckpoint } from '@dl/train';
import { flag, helpOf, initialOf, type OptionTable, path, readOptions, UsageError, type ValuesOf } from './options';
import { type Session, sessionOf } from './session';

/** What an example leaves: figures and files; or nothing, if Ctrl-C ended it. */
export type Outcome = {
  readonly figures: object;
  /** What is printed of them. */
  readonly said: string;
  readonly files: Readonly<Record<string, string | Uint8Array>>;
} | null;

/** The options that every example has. */
const common = {
  resume: path('FILE', 'goes on from a checkpoint, with the options that it was begun with'),
  json: flag('the last line is one JSON object with the figures'),
};

/** What an example that trains is told. */
export type Settings<T extends OptionTable, M extends string = never> = ValuesOf<T> &
  ValuesOf<typeof common> & { readonly out: string; readonly mode: M };

export interface Example<T extends OptionTable, M extends string = never> {
  readonly name: string;
  /** What it does, in a sentence. */
  readonly about: string;
  readonly options: T;
  /** The options that decide the outcome of a run; a resumed run takes them from its checkpoint. */
  readonly kept: readonly (keyof T & string)[];
  /** Modes, of which the command line names one, or means the first, and the defaults that a mode changes. */
  readonly modes?: Readonly<Record<M, Partial<ValuesOf<T>>>>;
  run(settings: Settings<T, M>, session: Session): Promise<Outcome>;
}

/** Runs an example on the arguments of this process, and sets its exit code. */
export async function runExample<T extends OptionTable, M extends string = never>(
  example: Example<T, M>,
): Promise<void> {
  try {
    process.exitCode = await run(example, process.argv.slice(2));
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${example.name}: ${error.message}. Try --help.`);
      process.exitCode = 2;
    } else if (error instanceof DlError) {
      console.error(`${example.name}: ${error.message}`);
      process.exitCode = 1;
    } else throw error;
  }
}

const INTERRUPTED = 130;

async function run<T extends OptionTable, M extends string>(
  example: Example<T, M>,
  args: readonly string[],
): Promise<number> {
  const out = { ...path('DIR', 'folder for what it leaves'), initial: folderOf(example, 'MODE') };
  const table = { ...example.options, ...common, out };
  const read = readOptions(table, args, example.modes !== undefined);
  if (read === null) {
    console.log(usage(example, table));
    return 0;
  }
  const mode = modeOf(example, read.words);
  const signal = interruptSignal();
  setBackend(await cpu());
  const settings = await complete(example, mode, read.given as Partial<Settings<T, M>>);
  const kept = Object.fromEntries(
    [...(example.modes ? ['mode'] : []), ...example.kept].map((name) => [
      name,
      settings[name as keyof typeof settings],
    ]),
  );
  const session = sessionOf(settings, kept, signal);
  const outcome = await example.run(settings, session);
  if (outcome === null) {
    console.log(`go on with --resume ${session.checkpoint}`);
    return INTERRUPTED;
  }
  signal.dispose();
  console.log(`${outcome.said}; written: ${await writeFiles(settings.out, outcome.files)}`);
  if (settings.json) console.log(JSON.stringify(outcome.figures));
  return 0;
}

/** The mode that was named, if one was. */
function modeOf<M extends string>(
  { modes }: { readonly modes?: Readonly<Record<M, unknown>> },
  words: readonly string[],
) {
  const [word, ...rest] = words;
  if (modes === undefined || word === undefined) return undefined;
  const names = Object.keys(modes);
  if (rest.length > 0) throw new UsageError(`one mode is named, but then comes '${rest[0]}'`);
  if (!names.includes(word)) throw new UsageError(`the mode is ${names.join(' or ')}, not '${word}'`);
  return word as M;
}

/** Where an example leaves what it makes, by default. */
const folderOf = (
  { name, modes }: { readonly name: string; readonly modes?: object | undefined },
  mode?: string,
): string => `out/${name}${modes === undefined ? '' : `-${mode}`}`;

/** The settings of a run: those given, else those of the checkpoint, else the defaults. */
async function complete<T extends OptionTable, M extends string>(
  { name, options, modes }: Example<T, M>,
  named: M | undefined,
  given: Partial<Settings<T, M>>,
): Promise<Settings<T, M>> {
  const old = given.resume == null ? {} : await keptIn(given.resume);
  const mode = named ?? old.mode ?? (modes && Object.keys(modes)[0]);
  if (old.mode !== undefined && mode !== old.mode)
    throw new UsageError(`--resume ${given.resume} is a checkpoint of the mode ${old.mode}, not of ${mode}`);
  const out = folderOf({ name, modes }, mode);
  const changed = mode === undefined ? {} : modes?.[mode as M];
  return { ...initialOf(options), ...initialOf(common), out, ...changed, ...old, ...given, mode } as Settings<T, M>;
}

/** The settings that a checkpoint was begun with. */
async function keptIn(file: string): Promise<{ readonly mode?: string }> {
  const { options = {} } = await readCheckpoint(file);
  return Object.fromEntries(Object.entries(options as object).filter(([, value]) => value !== undefined));
}

function usage({ name, about, modes }: Example<OptionTable, string>, table: OptionTable): string {
  const names = modes === undefined ? [''] : Object.keys(modes).map((mode) => ` ${mode}`);
  const calls = names.map((mode) => `pnpm example ${name} --${mode} [options]`).join('\n');
  const changes = Object.entries(modes ?? {}).filter(([, changed]) => Object.keys(changed as object).length > 0);
  const others = changes.map(([mode, changed]) => {
    const list = Object.entries(changed as object).map(([option, value]) => `--${option} ${value}`);
    return `\nDefaults of ${mode}: ${list.join(', ')}\n`;
  });
  return `${about}\n\n${calls}\n\n${helpOf(table)}\n${others.join('')}`;
}

async function writeFiles(out: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  await mkdir(out, { recursive: true });
  const names = Object.keys(files).map((name) => join(out, name));
  await Promise.all(Object.values(files).map((content, i) => writeFile(names[i]!, content)));
  return names.join(', ');
}
