/** The file system, where there is one. It is imported when a path is used, so that the package loads in a browser. */
import { ValueError } from '@dl/tensor';

type Files = typeof import('node:fs/promises');

/**
 * Node's file functions.
 *
 * @param asking - operation and path, for the message
 * @param remedy - what to do instead
 * @throws ValueError in a browser, where a path has no meaning
 */
export async function nodeFiles(asking: string, remedy = 'Give the bytes, or an http(s) URL'): Promise<Files> {
  // A bundler for browsers puts an empty module in the place of Node's.
  const files: Partial<Files> = await import('node:fs/promises').catch(() => ({}));
  if (typeof files.readFile === 'function') return files as Files;
  throw new ValueError(`${asking} is a path, and this runtime has no files. ${remedy}.`);
}
