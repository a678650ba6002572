/**
 * Counts of samples by true and predicted class. This file decides how they are kept and which targets count; what is made of
 * them is for the metrics that extend it.
 */
import { type Tensor, ValueError, Variable, zeros } from '@dl/tensor';
import { classesOf } from './accuracy';
import { Metric } from './metric';

export interface ClassCountsOptions {
  /** Targets of this index do not count. Default −100. */
  readonly ignoreIndex?: number;
}

/** What metrics of classes have in common: `[classes, classes]` counts. */
export abstract class ClassCounts extends Metric {
  protected override readonly state: { readonly counts: Variable; readonly outside: Variable };
  readonly #ignoreIndex: number;

  constructor(
    readonly classes: number,
    { ignoreIndex = -100 }: ClassCountsOptions = {},
  ) {
    super();
    if (!Number.isInteger(classes) || classes < 1) {
      throw new ValueError(
        `${new.target.name}: the number of classes is a whole number of at least 1, not ${classes}.`,
      );
    }
    this.#ignoreIndex = ignoreIndex;
    this.state = {
      counts: new Variable(zeros([classes * classes], 'i32'), { name: `${new.target.name}.counts` }),
      outside: new Variable(zeros([], 'i32'), { name: `${new.target.name}.outside` }),
    };
  }

  /**
   * @param output - scores `[N, classes, …]`, or `[N]` for one class of two, above 0 for yes
   * @param target - class indices `[N, …]` in [0, classes), or probabilities of the output's shape
   * @throws ShapeError if they do not fit; an index out of range makes `compute` throw
   */
  override update(output: Tensor, target: Tensor): void {
    const { name } = this.constructor;
    const { predicted, actual } = classesOf(`${name}.update`, output, target);
    if (output.rank >= 2 && output.shape[1] !== this.classes) {
      throw new ValueError(
        `${name}.update: the output has ${output.shape[1]} classes, but the metric ${this.classes}. Make it with as many.`,
      );
    }
    const { counts, outside } = this.state;
    const isKnown = actual.ge(0).and(actual.lt(this.classes));
    const isOutside = isKnown.not().and(actual.ne(this.#ignoreIndex));
    outside.assign(outside.add(isOutside.cast('i32').sum()));
    const cell = isKnown.where(actual.mul(this.classes).add(predicted), 0).flatten(); // [N]
    counts.assign(counts.scatterAdd(0, cell, isKnown.cast('i32').flatten()));
  }

  /**
   * Rows are true classes, columns predicted ones.
   *
   * @throws ValueError if a target was outside the classes
   */
  protected async rows(): Promise<number[][]> {
    const { classes } = this;
    const [counts, [outside]] = await Promise.all([this.state.counts.data('i32'), this.state.outside.data()]);
    if (outside! > 0) {
      throw new ValueError(
        `${this.constructor.name}: ${outside} targets were outside the classes 0 to ${classes - 1}. Make it with more classes, or look at the labels.`,
      );
    }
    return Array.from({ length: classes }, (_, i) => [...counts.subarray(i * classes, (i + 1) * classes)]);
  }
}
