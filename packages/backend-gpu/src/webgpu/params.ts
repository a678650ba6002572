/*
 * The block of numbers that a kernel reads: four words a parameter, after one with the number by which faults name the kernel. What
 * changes from run to run is written again before each.
 */
import { encodeHalf, type Kernel } from '@dl/tensor';

export const blockAlignment = 256;

/** Bytes of a kernel's block. */
export const blockBytes = (kernel: Kernel): number =>
  Math.ceil(((kernel.params.length + 1) * 16) / blockAlignment) * blockAlignment;

/** A place of the blocks that takes a number of the run. */
export interface ScalarPlace {
  readonly scalar: number;
  readonly word: number;
}

/** Writes a number as its bits in f32, its low and high words, and its bits in f16 with a flag "not 0". */
export function writeNumber(words: Uint32Array, floats: Float32Array, word: number, value: number): void {
  floats[word] = value;
  words[word + 1] = value; // modulo 2^32
  words[word + 2] = Math.floor(value / 2 ** 32);
  words[word + 3] = encodeHalf(value) | (value !== 0 ? 0x10000 : 0);
}

/** Fills a kernel's block as far as it is known, and lists the places that a run fills. */
export function fillBlock(
  kernel: Kernel,
  words: Uint32Array,
  floats: Float32Array,
  firstWord: number,
  faultId: number,
): ScalarPlace[] {
  words[firstWord] = faultId;
  return kernel.params.flatMap((param, i) => {
    const word = firstWord + 4 * (i + 1);
    if (param.kind === 'scalar') return [{ scalar: param.index, word }];
    if (param.kind === 'constant') writeNumber(words, floats, word, param.value);
    return [];
  });
}
