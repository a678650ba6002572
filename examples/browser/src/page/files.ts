/** The four files of MNIST among those that were chosen, told apart by their names. */
import type { DigitFiles } from '../messages';

const patterns: Readonly<Record<keyof DigitFiles, RegExp>> = {
  trainImages: /train.*images/i,
  trainLabels: /train.*labels/i,
  testImages: /(t10k|test).*images/i,
  testLabels: /(t10k|test).*labels/i,
};

/**
 * @returns the bytes of the four files
 * @throws Error that names what is missing
 */
export async function readDigitFiles(files: readonly File[]): Promise<DigitFiles> {
  const found = Object.entries(patterns).map(([key, pattern]) => ({
    key,
    file: files.find(({ name }) => pattern.test(name)),
    wanted: `${key.startsWith('train') ? 'train' : 't10k'}-${key.endsWith('Images') ? 'images-idx3' : 'labels-idx1'}-ubyte`,
  }));
  const missing = found.filter(({ file }) => !file).map(({ wanted }) => wanted);
  if (missing.length > 0) {
    const chosen = files.length === 0 ? 'no file is chosen' : `chosen are ${files.map(({ name }) => name).join(', ')}`;
    throw new Error(`Missing: ${missing.join(', ')} (each also as .gz); ${chosen}. Choose all four files together.`);
  }
  const bytes = await Promise.all(found.map(async ({ key, file }) => [key, await file!.arrayBuffer()] as const));
  return Object.fromEntries(bytes) as unknown as DigitFiles;
}
