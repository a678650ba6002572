/** Which class is taken for which. */
import { ClassCounts, type ClassCountsOptions } from './class-counts';

export interface ConfusionMatrixOptions extends ClassCountsOptions {}

/**
 * Counts of samples by true class (rows) and predicted class (columns).
 *
 * @example
 * const confusion = new ConfusionMatrix(10);
 * confusion.update(model.forward(x), y);
 * const rows = await confusion.compute(); // rows[3][5]: how many 3s were taken for 5s
 */
export class ConfusionMatrix extends ClassCounts {
  /**
   * Rows are true classes, columns predicted ones.
   *
   * @throws ValueError if a target was outside the classes
   */
  override compute(): Promise<number[][]> {
    return this.rows();
  }
}
