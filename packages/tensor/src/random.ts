/**
 * Random numbers. A generator is a seed and a counter: a random tensor takes the next numbers of the counter when it is
 * recorded, so that its values are the same whenever and wherever they are computed. The bits are threefry2x32 with
 * 20 rounds of (key = seed, counter + element), as in Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
 */
import { ValueError } from './errors';
import type { Counter, Node } from './graph/node';
import { record } from './ops/record';
import { drawing, forbidInTrace } from './run/trace';
import { type Shape, sizeOf } from './shape';

/** A stream of random numbers. `stateDict` and `loadStateDict` put it into a checkpoint. */
export class Generator implements Counter {
  #key: readonly [number, number];
  #counter = 0;

  /** @param seed - whole number from 0 to 2^53 − 1 */
  constructor(seed = 0) {
    this.#key = keyOf(seed);
  }

  get key(): readonly [number, number] {
    return this.#key;
  }

  get counter(): number {
    return this.#counter;
  }

  /** Starts the stream of another seed. */
  setSeed(seed: number): void {
    forbidInTrace('setSeed', 'Call it before the compiled function');
    this.#key = keyOf(seed);
    this.#counter = 0;
  }

  /** Reserves `count` numbers and returns the first's place. */
  draw(count: number): number {
    drawing(this);
    const first = this.#counter;
    this.#counter += count;
    return first;
  }

  /** @internal Puts the stream back to where a recording began. */
  rewind(counter: number): void {
    this.#counter = counter;
  }

  stateDict(): { key: [number, number]; counter: number } {
    return { key: [this.#key[0], this.#key[1]], counter: this.#counter };
  }

  loadStateDict(state: { key: readonly [number, number]; counter: number }): void {
    forbidInTrace('loadStateDict', 'Call it before the compiled function');
    this.#key = [state.key[0], state.key[1]];
    this.#counter = state.counter;
  }
}

function keyOf(seed: number): readonly [number, number] {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new ValueError(`setSeed: ${seed} is not a whole number from 0 to 2^53 − 1. Choose one that is.`);
  return [seed >>> 0, Math.floor(seed / 2 ** 32)];
}

/** The generator that is used where none is given. */
export const defaultGenerator = new Generator(0);

/** Seeds all that draws from the default generator. */
export const setSeed = (seed: number): void => defaultGenerator.setSeed(seed);

/** u32 random bits. */
export function randomBits(shape: Shape, generator: Generator): Node {
  const counter = generator.draw(sizeOf(shape));
  return record('random', [], { key: generator.key, counter, generator }, shape, 'u32');
}
