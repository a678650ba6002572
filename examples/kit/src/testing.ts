/** An example as a process of its own, for tests of what it does on a command line, and what each promises about its checkpoints. */
import { type ChildProcess, spawn } from 'node:child_process';
import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Tensor } from '@dl/tensor';
import { readCheckpoint } from '@dl/train';
import { expect } from 'vitest';

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

/** Runs an example with arguments, until a signal if there is one. */
export type Example = (args: readonly string[], interruption?: Interruption | null) => Promise<ExampleRun>;

/**
 * Ctrl-C in the first epoch of a run ends it with exit code 130 and the line that says how to go on; done so, it ends with the
 * weights of `whole`, the checkpoint of a run that was not interrupted.
 *
 * @param args - of the run, `--out DIR` apart
 * @param more - of the resumption
 */
export async function expectResumable(
  example: Example,
  args: readonly string[],
  { out, whole, more = [] }: { readonly out: string; readonly whole: string; readonly more?: readonly string[] },
): Promise<void> {
  const file = join(out, 'last.ckpt');
  const interrupted = await example([...args, '--out', out], inEpoch(1, 'SIGINT'));
  expect(interrupted.code).toBe(130);
  expect(interrupted.output).toContain(`go on with --resume ${file}`);
  const resumed = await example(['--resume', file, '--out', out, ...more]);
  expect([resumed.code, resumed.errors]).toEqual([0, '']);
  expect(resumed.output).toContain('going on after step');
  expect(await weightsIn(file)).toEqual(await weightsIn(whole));
}

/**
 * A run that is killed leaves a checkpoint of a whole epoch, with its options; cut short, the file is refused.
 *
 * @param args - of a run that would take long, `--out DIR` apart
 * @param options - what the checkpoint holds of them
 */
export async function expectRefusedWhenCut(
  example: Example,
  args: readonly string[],
  { out, options }: { readonly out: string; readonly options: object },
): Promise<void> {
  const file = join(out, 'last.ckpt');
  expect((await example([...args, '--out', out], inEpoch(2, 'SIGKILL'))).code).toBeNull();
  const checkpoint = await readCheckpoint(file);
  expect(checkpoint['options']).toMatchObject(options);
  expect((checkpoint['progress'] as { epoch: number }).epoch).toBeGreaterThanOrEqual(1);
  await truncate(file, 5000);
  const cut = await example(['--resume', file, '--out', out]);
  expect([cut.code, cut.errors]).toEqual([1, expect.stringContaining(`${file}: `)]);
  expect(cut.errors).toContain('it was cut short');
}
