/**
 * Random numbers by counter: the n-th number of a stream is a pure function of the stream's key and n, and a key is a
 * pure function of a seed and a list of counters. So a shuffle is found again from (seed, epoch), and a sample's
 * augmentation from (seed, epoch, index), whatever was drawn before: nothing but positions needs saving.
 *
 * The block function is Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror & Shaw 2011), which needs only additions,
 * rotations and exclusive ors and so gives the same bits on every engine.
 */
import { ValueError } from '@dl/tensor';

const PARITY = 0x1bd11bda;
const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;

/** Where {@link threefry} leaves its two words: a result object per call would be most of its cost. */
const block = new Uint32Array(2);

/**
 * One block of Threefry-2x32-20: two random words from a key and a counter of two words each.
 *
 * @returns the two words in one array that the next call overwrites
 * @see Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"
 */
export function threefry(k0: number, k1: number, c0: number, c1: number): Uint32Array {
  const k2 = PARITY ^ k0 ^ k1;
  let x0 = (c0 + k0) | 0;
  let x1 = (c1 + k1) | 0;
  for (let group = 0; group < 5; group++) {
    const first = (group & 1) * 4;
    for (let i = first; i < first + 4; i++) {
      const r = ROTATIONS[i]!;
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << r) | (x1 >>> (32 - r))) ^ x0;
    }
    const next = group % 3;
    x0 = (x0 + (next === 0 ? k1 : next === 1 ? k2 : k0)) | 0;
    x1 = (x1 + (next === 0 ? k2 : next === 1 ? k0 : k1) + group + 1) | 0;
  }
  block[0] = x0;
  block[1] = x1;
  return block;
}

/**
 * A stream of random numbers that its seed and counters determine.
 *
 * @example
 * const random = new RandomStream(7, epoch, index);
 * const angle = random.uniform(-10, 10);
 */
export class RandomStream {
  private k0 = 0;
  private k1 = 0;
  private counter = 0;
  /** The second word of the last block, or −1 when it was handed out. */
  private spare = -1;

  /**
   * @param seed - an integer from 0 to 2^53 − 1
   * @param counters - what tells this stream from others of the same seed, such as an epoch and an index
   * @throws ValueError for a seed or counter that is no such integer
   */
  constructor(seed: number, ...counters: readonly number[]) {
    this.reset(seed, ...counters);
  }

  /** Moves to the start of the stream of `seed` and `counters`, as a new object would be. */
  reset(seed: number, ...counters: readonly number[]): this {
    this.k0 = 0;
    this.k1 = 0;
    this.fold(seed, 'seed');
    for (const counter of counters) this.fold(counter, 'counter');
    this.counter = 0;
    this.spare = -1;
    return this;
  }

  private fold(value: number, what: string): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new ValueError(`RandomStream: a ${what} is an integer from 0 to 2^53 - 1, but this one is ${value}`);
    }
    const words = threefry(this.k0, this.k1, value >>> 0, Math.floor(value / 4294967296));
    this.k0 = words[0]!;
    this.k1 = words[1]!;
  }

  /** The next 32 random bits, as an integer from 0 to 2^32 − 1. */
  uint32(): number {
    if (this.spare >= 0) {
      const word = this.spare;
      this.spare = -1;
      return word;
    }
    const words = threefry(this.k0, this.k1, this.counter >>> 0, Math.floor(this.counter / 4294967296));
    this.counter++;
    this.spare = words[1]!;
    return words[0]!;
  }

  /** A number from [low, high), [0, 1) unless told; of 2^32 equally spaced values. */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * (this.uint32() / 4294967296);
  }

  /**
   * An integer from [0, n), each equally likely.
   *
   * @param n - from 1 to 2^32
   */
  integer(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 4294967296) {
      throw new ValueError(`RandomStream.integer: n is an integer from 1 to 2^32, but this one is ${n}`);
    }
    // What is at or above the last multiple of n would make the small values likelier.
    const limit = 4294967296 - (4294967296 % n);
    for (;;) {
      const bits = this.uint32();
      if (bits < limit) return bits % n;
    }
  }

  /** A number of the normal distribution (Box–Muller, one number a call). */
  normal(mean = 0, std = 1): number {
    const radius = Math.sqrt(-2 * Math.log((this.uint32() + 1) / 4294967296));
    return mean + std * radius * Math.cos((2 * Math.PI * this.uint32()) / 4294967296);
  }

  /** Whether an event of the given probability happens. */
  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  /** Puts the elements into random order, in place (Fisher–Yates), and returns them. */
  shuffle<T extends { length: number; [index: number]: unknown }>(elements: T): T {
    for (let i = elements.length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const kept = elements[i];
      elements[i] = elements[j];
      elements[j] = kept;
    }
    return elements;
  }

  /** The integers from 0 to n − 1 in random order. */
  permutation(n: number): Uint32Array {
    return this.shuffle(Uint32Array.from({ length: n }, (_, i) => i));
  }
}
