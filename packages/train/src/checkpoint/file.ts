/**
 * Checkpoint files. A file is written under a temporary name, flushed to the disk and renamed, so that a process killed
 * at any moment leaves the old file or the new one, whole.
 */
import { FormatError, ValueError } from '@dl/tensor';
import { nodeFiles } from '../node-files';
import type { State, Stateful } from '../stateful';
import { decodeCheckpoint, encodeCheckpoint } from './format';

/** What a checkpoint is made of, by name. */
export type Parts = Readonly<Record<string, Stateful>>;

/** Writes bytes so that the file is never seen half written. */
export async function writeWhole(file: string, bytes: Uint8Array): Promise<void> {
  const fs = await nodeFiles('saveCheckpoint');
  const path = await import('node:path');
  const folder = path.dirname(file);
  await fs.mkdir(folder, { recursive: true });
  const temporary = `${file}.tmp`;
  const handle = await fs.open(temporary, 'w');
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await fs.rename(temporary, file);
  await syncFolder(folder);
}

/** Makes the new name itself last; some systems cannot, and need not. */
async function syncFolder(folder: string): Promise<void> {
  const fs = await nodeFiles('saveCheckpoint');
  const handle = await fs.open(folder, 'r').catch(() => null);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

/**
 * Writes the states of the given parts to one file, in place of what was there.
 *
 * @param parts - whatever has `stateDict` and `loadStateDict`, by name
 * @example
 * await saveCheckpoint('run/last.ckpt', { model, optimizer, loader, random: defaultGenerator });
 */
export async function saveCheckpoint(file: string, parts: Parts): Promise<void> {
  const states = Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part.stateDict()]));
  await writeWhole(file, await encodeCheckpoint(states));
}

/**
 * The states in a file, by name.
 *
 * @throws FormatError, with the file's name, if it is cut, changed or no checkpoint; ValueError if there is none
 */
export async function readCheckpoint(file: string): Promise<Readonly<Record<string, State>>> {
  const fs = await nodeFiles('readCheckpoint');
  const bytes = await fs.readFile(file).catch((error: { code?: string }) => {
    if (error.code === 'ENOENT')
      throw new ValueError(`readCheckpoint: there is no file ${file}. Give the path of a checkpoint.`);
    throw error;
  });
  const states = decodeCheckpoint(bytes, file);
  if (states === null || typeof states !== 'object')
    throw new FormatError(`${file}: the checkpoint holds ${String(states)}, not states by name.`);
  return states as Readonly<Record<string, State>>;
}

/**
 * Puts the given parts into the states that a file has for them. The file may hold others.
 *
 * @throws ValueError if the file lacks one; FormatError if it is cut or changed
 */
export async function loadCheckpoint(file: string, parts: Parts): Promise<void> {
  const states = await readCheckpoint(file);
  const missing = Object.keys(parts).filter((name) => !(name in states));
  if (missing.length > 0) {
    throw new ValueError(
      `loadCheckpoint: ${file} has no state for ${missing.join(', ')}; it has ${Object.keys(states).join(', ')}. Leave those out, or use another file.`,
    );
  }
  for (const [name, part] of Object.entries(parts)) part.loadStateDict(states[name] as never);
}
