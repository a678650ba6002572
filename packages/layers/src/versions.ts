/**
 * Numbers for the states that an object was in: the same state has the same number again. A compiled function that saw
 * a module in one state records anew while the number is another one, and not because the module was elsewhere in between.
 */

/** As many states as are remembered; toggling between training and evaluation needs two. */
const REMEMBERED = 16;

interface Known {
  readonly number: number;
  readonly state: readonly unknown[];
}

/** Is told each part of a state, in order. */
export type See = (part: unknown) => void;

export class StateNumbers {
  private known: Known[] = [];
  private next = 0;
  /** How many parts agree so far with the state that was last; −1 after one that does not. Calls are many, and mostly agree. */
  private agreed = 0;

  private readonly compare: See = (part) => {
    if (this.agreed < 0) return;
    this.agreed = Object.is(this.known[0]!.state[this.agreed], part) ? this.agreed + 1 : -1;
  };

  /**
   * The number of a state; parts are compared by identity.
   *
   * @param describe - tells the parts; called once, or twice if the state is not the last one
   */
  of(describe: (see: See) => void): number {
    const last = this.known[0];
    if (last !== undefined) {
      this.agreed = 0;
      describe(this.compare);
      if (this.agreed === last.state.length) return last.number;
    }
    const state: unknown[] = [];
    describe((part) => state.push(part));
    const found = this.known.find((k) => same(k.state, state)) ?? { number: this.next++, state };
    this.known = [found, ...this.known.filter((k) => k !== found)].slice(0, REMEMBERED);
    return found.number;
  }
}

const same = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((x, i) => Object.is(x, b[i]));
