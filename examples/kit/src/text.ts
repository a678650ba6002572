/** The text, as ids: nine tenths to train on, the last tenth for validation. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CharacterTokenizer } from '@dl/data';
import { ValueError } from '@dl/tensor';

export interface Text {
  readonly tokenizer: CharacterTokenizer;
  readonly train: Int32Array;
  readonly validation: Int32Array;
}

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** This project's own documentation, every Markdown file of it, in the order of the paths. */
async function documentation(): Promise<string> {
  const packages = (await readdir(join(root, 'packages'))).sort().map((name) => join('packages', name));
  const docs = (await readdir(join(root, 'docs'), { recursive: true })).sort().map((name) => join('docs', name));
  const files = ['README.md', 'CONTRIBUTING.md', ...docs, ...packages.map((folder) => join(folder, 'README.md'))];
  const texts = await Promise.all(
    files.filter((f) => f.endsWith('.md')).map((f) => readFile(join(root, f), 'utf8').catch(() => '')),
  );
  return texts.join('\n');
}

/** @throws ValueError if there is no such file or it is too short */
export async function loadText(file: string | null): Promise<Text> {
  const text = file === null ? await documentation() : await readText(file);
  if (text.length < 1000)
    throw new ValueError(
      `the text has ${text.length} characters, which is too few to learn from. Give one of at least 1000.`,
    );
  const tokenizer = CharacterTokenizer.train(text);
  const ids = tokenizer.encode(text);
  const cut = Math.floor(ids.length * 0.9);
  return { tokenizer, train: ids.subarray(0, cut), validation: ids.subarray(cut) };
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new ValueError(`${file} could not be read: ${(cause as Error).message}`, { cause });
  }
}
