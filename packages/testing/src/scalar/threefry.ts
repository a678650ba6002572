/**
 * The generator of all random numbers, as plain scalar code: threefry2x32 with 20 rounds. A backend's own version is
 * right when it gives the same bits as this one.
 */

const rotations = [13, 15, 26, 6, 17, 29, 16, 24] as const;
const parity = 0x1bd11bda;

const rotateLeft = (x: number, by: number): number => (x << by) | (x >>> (32 - by));

/**
 * Both output words of threefry2x32-20 for one block of two counter words.
 *
 * @see Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"; known answers in Random123
 */
export function threefryBlock(key0: number, key1: number, c0: number, c1: number): readonly [number, number] {
  const keys = [key0 | 0, key1 | 0, parity ^ key0 ^ key1] as const;
  let x0 = (c0 + keys[0]) | 0;
  let x1 = (c1 + keys[1]) | 0;
  for (let round = 0; round < 20; round++) {
    x0 = (x0 + x1) | 0;
    x1 = rotateLeft(x1, rotations[round % 8]!) ^ x0;
    if (round % 4 === 3) {
      const injection = (round + 1) / 4;
      x0 = (x0 + keys[injection % 3]!) | 0;
      x1 = (x1 + keys[(injection + 1) % 3]! + injection) | 0;
    }
  }
  return [x0 >>> 0, x1 >>> 0];
}

/** The first output word of `threefryBlock`: the bits of one element. */
export const threefry2x32 = (key0: number, key1: number, c0: number, c1: number): number =>
  threefryBlock(key0, key1, c0, c1)[0];

/**
 * The u32 bits of element `index` of a `random` node: the counter words are the low and the high 32 bits of the whole
 * number `counter + index`, which is below 2^53.
 */
export function randomBits(key0: number, key1: number, counter: number, index: number): number {
  const position = counter + index;
  return threefry2x32(key0, key1, position >>> 0, Math.floor(position / 2 ** 32) >>> 0);
}
