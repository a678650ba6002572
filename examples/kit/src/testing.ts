/** An example as a process of its own, for tests of what it does on a command line. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Tensor } from '@dl/tensor';
import { readCheckpoint } from '@dl/train';

const root = fileURLToPath(new URL('../../..', import.meta.url));

export interface ExampleRun {
  /** Null if a signal ended it. */
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** A signal that is sent once the example's output has the given text. */
export interface Interruption {
  readonly until: string;
  readonly signal: NodeJS.Signals;
}

/** Sends a signal when an epoch says how far it is; the checkpoint of the one before it is there by then. */
export const inEpoch = (epoch: number, signal: NodeJS.Signals): Interruption => ({
  until: `\nepoch ${epoch}/`,
  signal,
});

/** Runs `pnpm example NAME -- ARGS` to its end. */
export function startExample(
  name: string,
  args: readonly string[],
  interruption: Interruption | null = null,
): Promise<ExampleRun> {
  const child: ChildProcess = spawn(process.execPath, ['scripts/example.mjs', name, '--', ...args], { cwd: root });
  let [output, errors, isSent] = ['', '', false];
  child.stdout!.on('data', (data) => {
    output += data;
    if (isSent || interruption === null || !output.includes(interruption.until)) return;
    isSent = true;
    child.kill(interruption.signal);
  });
  child.stderr!.on('data', (data) => {
    errors += data;
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output, errors })));
}

/** Options as arguments. */
export const argumentsOf = (options: Readonly<Record<string, string | number>>): string[] =>
  Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);

/** The figures, which `--json` prints last. */
export const lastLine = (output: string): Record<string, unknown> => JSON.parse(output.trim().split('\n').at(-1)!);

/** The weights in a checkpoint, as numbers. */
export async function weightsIn(file: string): Promise<Record<string, readonly number[]>> {
  const { model } = await readCheckpoint(file);
  const entries = Object.entries(model as Record<string, Tensor>);
  return Object.fromEntries(await Promise.all(entries.map(async ([key, t]) => [key, [...(await t.data())]] as const)));
}
