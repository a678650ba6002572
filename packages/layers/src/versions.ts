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

const same = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((x, i) => Object.is(x, b[i]));

export class StateNumbers {
  private known: Known[] = [];
  private next = 0;

  /** The number of this state; parts are compared by identity. */
  of(state: readonly unknown[]): number {
    const last = this.known[0];
    if (last !== undefined && same(last.state, state)) return last.number;
    const found = this.known.find((k) => same(k.state, state)) ?? { number: this.next++, state };
    this.known = [found, ...this.known.filter((k) => k !== found)].slice(0, REMEMBERED);
    return found.number;
  }
}
