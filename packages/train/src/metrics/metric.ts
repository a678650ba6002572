/**
 * Metrics: figures that add up on the device while batches go by, and are read once. This file decides what they share:
 * their state is variables, so that `update` is recorded like any other operation, inside a compiled function too.
 */
import { sameShape, showShape, type Tensor, ValueError, type Variable } from '@dl/tensor';
import type { Stateful } from '../stateful';

/** What a metric gives: a number, or numbers in arrays. */
export type MetricValue = number | readonly MetricValue[];

/** A figure over batches. */
export abstract class Metric implements Stateful {
  /** The variables that the figure is computed from, under the names of the state. */
  protected abstract readonly state: Readonly<Record<string, Variable>>;

  /** Takes a batch into account. Lazy: nothing is read. */
  abstract update(...batch: readonly Tensor[]): void;

  /** The figure over all batches since the last `reset`. */
  abstract compute(): Promise<MetricValue>;

  /** Starts anew. */
  reset(): void {
    for (const variable of Object.values(this.state)) variable.assign(0);
  }

  stateDict(): Record<string, Tensor> {
    return Object.fromEntries(Object.entries(this.state).map(([name, variable]) => [name, variable.snapshot()]));
  }

  /** @throws ValueError if a value is missing or has another shape */
  loadStateDict(state: Readonly<Record<string, Tensor>>): void {
    for (const [name, variable] of Object.entries(this.state)) {
      const value = state[name];
      if (value === undefined || !sameShape(value.shape, variable.shape)) {
        throw new ValueError(
          `${this.constructor.name}.loadStateDict: ${name} is ${showShape(variable.shape)} here, but ` +
            `${value === undefined ? 'missing' : showShape(value.shape)} in the state. Load the state of the same metric.`,
        );
      }
    }
    for (const [name, variable] of Object.entries(this.state)) variable.assign(state[name]!);
  }
}
