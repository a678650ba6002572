/** Averages of weights over training, which often do better than the last ones. */
import { dependsOn, forbidInTrace, isFloat, Tensor, tensor, ValueError, Variable, withGrad } from '@dl/tensor';

export interface WeightAverageOptions {
  /** Share of the average that stays. Null averages all updates equally. Default 0.999. */
  readonly decay?: number | null;
}

/**
 * An average of variables: a ← decay · a + (1 − decay) · w at each `update()`, or the mean of all updates.
 *
 * @example
 * const average = new WeightAverage(model.parameters(), { decay: 0.999 });
 * // after each step: average.update();
 * average.swap(); // evaluate with the averages
 * average.swap(); // and go on training
 */
export class WeightAverage {
  readonly version = 0;
  readonly #averages: ReadonlyMap<Variable, Variable>;
  readonly #decay: number | null;
  /** How many updates an equal average is made of. */
  readonly #count: Variable;
  #isSwapped = false;

  constructor(variables: Iterable<Variable>, { decay = 0.999 }: WeightAverageOptions = {}) {
    if (decay !== null && !(decay >= 0 && decay < 1))
      throw new ValueError(`WeightAverage: decay is ${decay}, but must be from 0 to below 1.`);
    this.#decay = decay;
    const floats = [...variables].filter((v) => isFloat(v.dtype));
    this.#averages = new Map(floats.map((v) => [v, new Variable(new Tensor(v.node), { name: `${v.name}.average` })]));
    this.#count = new Variable(tensor(0), { isPrivate: true, name: 'updates' });
  }

  /** Takes the weights as they are now into the average; also inside a compiled function. */
  update(): void {
    if (this.#isSwapped)
      throw new ValueError('WeightAverage.update: the weights are swapped with their averages. Call swap() first.');
    dependsOn(this);
    withGrad(false, () => {
      const count = this.#count.add(1);
      if (this.#decay === null) this.#count.assign(count);
      for (const [v, a] of this.#averages) {
        const share = this.#decay === null ? count.cast(v.dtype).reciprocal() : 1 - this.#decay;
        a.assign(a.add(v.sub(a).mul(share)));
      }
    });
  }

  /** The average of one of the variables. */
  of(variable: Variable): Tensor {
    const average = this.#averages.get(variable);
    if (average === undefined)
      throw new ValueError(`WeightAverage.of: ${variable.name} is not averaged. Pass it to the constructor.`);
    return average;
  }

  /** Exchanges the weights with their averages; a second call exchanges them back. */
  swap(): void {
    forbidInTrace('WeightAverage.swap', 'Call it outside');
    this.#isSwapped = !this.#isSwapped;
    for (const [v, a] of this.#averages) {
      const [weights, average] = [v.snapshot(), a.snapshot()];
      v.assign(average);
      a.assign(weights);
    }
  }

  /** Copies of the averages, by place, and how many updates they are made of. */
  stateDict(): Record<string, Tensor> {
    const averages = [...this.#averages.values()].map((a, i) => [`${i}`, a.snapshot()] as const);
    return { ...Object.fromEntries(averages), updates: this.#count.snapshot() };
  }

  /** @throws ValueError if the state is of other variables */
  loadStateDict(state: Readonly<Record<string, Tensor>>): void {
    const own = new Map([...this.#averages.values()].map((a, i) => [`${i}`, a]));
    own.set('updates', this.#count);
    const differ = [...own.keys()]
      .filter((k) => !Object.hasOwn(state, k))
      .concat(Object.keys(state).filter((k) => !own.has(k)));
    if (differ.length > 0)
      throw new ValueError(
        `loadStateDict: ${differ.slice(0, 4).join(', ')} missing or not expected. The state is of other variables.`,
      );
    for (const [key, variable] of own) variable.assign(state[key]!);
  }
}
