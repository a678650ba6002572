/**
 * MNIST, and whatever else comes as the same four IDX files (Fashion-MNIST, KMNIST). This file decides the files'
 * names, that pictures and labels fit together, and the form of a dataset of digits; `idx.ts` reads the files.
 */
import { FormatError, ValueError } from '@dl/tensor';
import { ArrayDataset, type Column, type Normalization } from './array-dataset';
import { type ByteSource, listFolder, nameOf } from './bytes';
import { readIdx } from './idx';

/** Pictures as bytes, which batches normalise to f32 `[B, 1, 28, 28]`, and labels, which batches have as i32 `[B]`. */
export type DigitDataset = ArrayDataset<readonly [image: Column, label: Column]>;

/** Mean and standard deviation of the training pixels of MNIST, divided by 255. */
export const MNIST_NORMALIZATION: Normalization = { mean: 0.1307, std: 0.3081 };

export interface DigitOptions {
  /** out = (pixel/255 − mean)/std; `false` leaves the bytes as u8. Default {@link MNIST_NORMALIZATION}. */
  readonly normalize?: Normalization | false;
}

/** The four files, each by its path, URL or bytes. */
export interface MnistFiles {
  readonly trainImages: ByteSource;
  readonly trainLabels: ByteSource;
  readonly testImages: ByteSource;
  readonly testLabels: ByteSource;
}

export interface MnistOptions extends DigitOptions {
  /** The folder that holds the four files, gzipped or not. Default `data/mnist`. */
  readonly dir?: string;
  /** The files themselves, in place of `dir`: the way in a browser. */
  readonly files?: MnistFiles;
}

/**
 * Makes a dataset of pictures of digits and their labels.
 *
 * @param images - `[N, height, width]` bytes, 0 for background, 255 for ink
 * @param labels - `[N]`
 * @returns a dataset whose batches are `[x, y]`: f32 `[B, 1, height, width]` (u8 if not normalised), i32 `[B]`
 */
export function digitDataset(
  images: { readonly data: Uint8Array; readonly shape: readonly [number, number, number] },
  labels: Uint8Array,
  options: DigitOptions = {},
): DigitDataset {
  const { normalize = MNIST_NORMALIZATION } = options;
  const [count, height, width] = images.shape;
  const shape = [count, 1, height, width];
  return new ArrayDataset([
    { name: 'image', data: images.data, shape, ...(normalize ? { normalize } : {}) },
    { name: 'label', data: labels, dtype: 'i32' },
  ] as const);
}

/**
 * Loads MNIST from its four IDX files: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`
 * and `t10k-labels-idx1-ubyte`, each as it is or with `.gz`, and also spelled `train-images.idx3-ubyte`.
 *
 * @returns 60,000 training and 10,000 test samples, kept as bytes; batches are f32 `[B, 1, 28, 28]` and i32 `[B]`
 * @throws ValueError if the folder or a file is missing, or pictures and labels differ in number
 * @throws FormatError if a file is no valid IDX file of bytes with the expected axes
 *
 * @example
 * const { train, test } = await mnist({ dir: 'data/mnist' });
 * for await (const [x, y] of new DataLoader(train, { batchSize: 128, shuffle: true })) step(x, y);
 */
export async function mnist(options: MnistOptions = {}): Promise<{ train: DigitDataset; test: DigitDataset }> {
  const files = options.files ?? (await findFiles(options.dir ?? 'data/mnist'));
  const [train, test] = await Promise.all([
    loadPair(files.trainImages, files.trainLabels, options),
    loadPair(files.testImages, files.testLabels, options),
  ]);
  return { train, test };
}

const STEMS = {
  trainImages: ['train-images', 'idx3-ubyte'],
  trainLabels: ['train-labels', 'idx1-ubyte'],
  testImages: ['t10k-images', 'idx3-ubyte'],
  testLabels: ['t10k-labels', 'idx1-ubyte'],
} as const satisfies Record<keyof MnistFiles, readonly [string, string]>;

async function findFiles(dir: string): Promise<MnistFiles> {
  const present = await listFolder(dir);
  const wanted = Object.values(STEMS).map(([stem, end]) => `${stem}-${end}`);
  if (!present) {
    throw new ValueError(
      `mnist: there is no folder ${dir}; expected one with ${wanted.join(', ')} (each also as .gz). ` +
        'generateDigits() makes digits without any file.',
    );
  }
  const find = (key: keyof MnistFiles): string => {
    const [stem, end] = STEMS[key];
    const names = [`${stem}-${end}`, `${stem}.${end}`].flatMap((name) => [name, `${name}.gz`]);
    const name = names.find((candidate) => present.includes(candidate));
    if (name === undefined) {
      const found = present.length === 0 ? 'the folder is empty' : `found ${present.slice(0, 12).join(', ')}`;
      throw new ValueError(`mnist: a file is missing in ${dir}: looked for ${names.join(', ')}; ${found}`);
    }
    return `${dir.replace(/\/$/, '')}/${name}`;
  };
  return {
    trainImages: find('trainImages'),
    trainLabels: find('trainLabels'),
    testImages: find('testImages'),
    testLabels: find('testLabels'),
  };
}

async function loadPair(images: ByteSource, labels: ByteSource, options: DigitOptions): Promise<DigitDataset> {
  const [pictures, classes] = await Promise.all([readBytesOfRank(images, 3), readBytesOfRank(labels, 1)]);
  const count = pictures.shape[0]!;
  if (count !== classes.shape[0]) {
    throw new ValueError(
      `mnist: images and labels differ in number: ${nameOf(images)} has ${count} images, ` +
        `${nameOf(labels)} has ${classes.shape[0]} labels`,
    );
  }
  const shape = [count, pictures.shape[1]!, pictures.shape[2]!] as const;
  return digitDataset({ data: pictures.data, shape }, classes.data, options);
}

async function readBytesOfRank(
  source: ByteSource,
  rank: 1 | 3,
): Promise<{ data: Uint8Array; shape: readonly number[] }> {
  const { type, shape, data } = await readIdx(source);
  if (type !== 'u8' || shape.length !== rank) {
    const kind = rank === 3 ? 'images: u8 [count, height, width]' : 'labels: u8 [count]';
    throw new FormatError(
      `mnist: ${nameOf(source)} does not hold ${kind} (magic number 0x0000080${rank}), ` +
        `found ${type} [${shape.join(', ')}]`,
    );
  }
  return { data: data as Uint8Array, shape };
}
