/** Which class is taken for which. */
import { type Tensor, ValueError, Variable, zeros } from '@dl/tensor';
import { classesOf } from './accuracy';
import { Metric } from './metric';

export interface ConfusionMatrixOptions {
  /** Targets of this index do not count. Default −100. */
  readonly ignoreIndex?: number;
}

/**
 * Counts of samples by true class (rows) and predicted class (columns).
 *
 * @example
 * const confusion = new ConfusionMatrix(10);
 * confusion.update(model.forward(x), y);
 * const rows = await confusion.compute(); // rows[3][5]: how many 3s were taken for 5s
 */
export class ConfusionMatrix extends Metric {
  protected override readonly state: { readonly counts: Variable; readonly outside: Variable };
  readonly #ignoreIndex: number;

  constructor(
    readonly classes: number,
    { ignoreIndex = -100 }: ConfusionMatrixOptions = {},
  ) {
    super();
    if (!Number.isInteger(classes) || classes < 1) {
      throw new ValueError(`ConfusionMatrix: the number of classes is a whole number of at least 1, not ${classes}.`);
    }
    this.#ignoreIndex = ignoreIndex;
    this.state = {
      counts: new Variable(zeros([classes * classes], 'i32'), { name: 'ConfusionMatrix.counts' }),
      outside: new Variable(zeros([], 'i32'), { name: 'ConfusionMatrix.outside' }),
    };
  }

  /**
   * @param output - scores `[N, classes, …]`, or `[N]` for one class of two, above 0 for yes
   * @param target - class indices `[N, …]` in [0, classes), or probabilities of the output's shape
   * @throws ShapeError if they do not fit; an index out of range makes `compute` throw
   */
  override update(output: Tensor, target: Tensor): void {
    const { predicted, actual } = classesOf('ConfusionMatrix.update', output, target);
    if (output.rank >= 2 && output.shape[1] !== this.classes) {
      throw new ValueError(
        `ConfusionMatrix.update: the output has ${output.shape[1]} classes, but the matrix ${this.classes}. Make it with as many.`,
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
  override async compute(): Promise<number[][]> {
    const { classes } = this;
    const [counts, [outside]] = await Promise.all([this.state.counts.data('i32'), this.state.outside.data()]);
    if (outside! > 0) {
      throw new ValueError(
        `ConfusionMatrix: ${outside} targets were outside the classes 0 to ${classes - 1}. Make it with more classes, or look at the labels.`,
      );
    }
    return Array.from({ length: classes }, (_, i) => [...counts.subarray(i * classes, (i + 1) * classes)]);
  }
}
