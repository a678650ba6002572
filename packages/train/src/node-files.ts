/** The file system, where there is one. It is imported when a file is used, so that the package loads in a browser. */
import { ValueError } from '@dl/tensor';

type Files = typeof import('node:fs/promises');

/**
 * Node's file functions.
 *
 * @param operation - for the message
 * @throws ValueError in a browser, which has no files
 */
export async function nodeFiles(operation: string): Promise<Files> {
  // A bundler for browsers puts an empty module in the place of Node's.
  const files: Partial<Files> = await import('node:fs/promises').catch(() => ({}));
  if (typeof files.readFile === 'function') return files as Files;
  throw new ValueError(
    `${operation}: this runtime has no files. Keep the bytes of encodeCheckpoint, in IndexedDB for one, and use callbacks instead of files.`,
  );
}
