/** Which class is taken for which. */
import { type Tensor, ValueError, Variable, zeros } from '@dl/tensor';
import { classesOf } from './accuracy';
import { Metric } from './metric';

/**
 * Counts of samples by true class (rows) and predicted class (columns).
 *
 * @example
 * const confusion = new ConfusionMatrix(10);
 * confusion.update(model.forward(x), y);
 * const rows = await confusion.compute(); // rows[3][5]: how many 3s were taken for 5s
 */
export class ConfusionMatrix extends Metric {
  protected override readonly state: { readonly counts: Variable };

  constructor(readonly classes: number) {
    super();
    if (!Number.isInteger(classes) || classes < 1)
      throw new ValueError(`ConfusionMatrix: the number of classes is a whole number of at least 1, not ${classes}.`);
    this.state = { counts: new Variable(zeros([classes * classes], 'i32'), { name: 'ConfusionMatrix.counts' }) };
  }

  /**
   * @param output - scores `[N, classes, …]`
   * @param target - class indices `[N, …]` in [0, classes), or probabilities of the output's shape
   * @throws ShapeError if they do not fit; an index out of range rejects the next read
   */
  override update(output: Tensor, target: Tensor): void {
    const { predicted, actual } = classesOf('ConfusionMatrix.update', output, target);
    if (output.rank >= 2 && output.shape[1] !== this.classes) {
      throw new ValueError(
        `ConfusionMatrix.update: the output has ${output.shape[1]} classes, but the matrix ${this.classes}. Make it with as many.`,
      );
    }
    const { counts } = this.state;
    const cell = actual.mul(this.classes).add(predicted).flatten(); // [N]
    const ones = zeros(cell.shape, 'i32').add(1);
    counts.assign(counts.scatterAdd(0, cell, ones));
  }

  /** Rows are true classes, columns predicted ones. */
  override async compute(): Promise<number[][]> {
    const counts = await this.state.counts.data('i32');
    return Array.from({ length: this.classes }, (_, i) => [
      ...counts.subarray(i * this.classes, (i + 1) * this.classes),
    ]);
  }
}
