/** The share of predictions that are right. */
import { isFloat, ShapeError, sameShape, showShape, type Tensor, Variable, zeros } from '@dl/tensor';
import { Metric } from './metric';

/**
 * Predicted and true class indices, as i32 of one shape.
 *
 * @param output - scores `[N, C, …]`, or `[N]` of scores for one class, above 0 for yes
 * @param target - class indices `[N, …]`, or probabilities of the output's shape
 */
export function classesOf(operation: string, output: Tensor, target: Tensor): { predicted: Tensor; actual: Tensor } {
  const isBinary = output.rank < 2;
  const predicted = isBinary ? output.gt(0).cast('i32') : output.argmax(1);
  const isShare = isFloat(target.dtype) && !isBinary && sameShape(target.shape, output.shape);
  const actual = isShare ? target.argmax(1) : target.cast('i32');
  if (!sameShape(predicted.shape, actual.shape)) {
    throw new ShapeError(
      `${operation}: the output is ${showShape(output.shape)}, so the target holds class indices ${showShape(predicted.shape)}, but it is ` +
        `${showShape(target.shape)}. The classes of the output are axis 1.`,
    );
  }
  return { predicted, actual };
}

export interface AccuracyOptions {
  /** A prediction is right if the true class is among this many best. Default 1. */
  readonly topK?: number;
  /** Targets of this index do not count. Default −100. */
  readonly ignoreIndex?: number;
}

/**
 * The share of samples whose class has the largest score.
 *
 * @example
 * const accuracy = new Accuracy();
 * const score = compile((x: Tensor, y: Tensor) => accuracy.update(model.forward(x), y));
 * for await (const [x, y] of new DataLoader(test, { batchSize: 500 })) score(x, y);
 * console.log(await accuracy.compute());
 */
export class Accuracy extends Metric {
  protected override readonly state = {
    correct: new Variable(zeros([], 'i32'), { name: 'Accuracy.correct' }),
    count: new Variable(zeros([], 'i32'), { name: 'Accuracy.count' }),
  };
  readonly #options: Required<AccuracyOptions>;

  constructor({ topK = 1, ignoreIndex = -100 }: AccuracyOptions = {}) {
    super();
    this.#options = { topK, ignoreIndex };
  }

  /**
   * @param output - scores `[N, C, …]`, or `[N]` for one class, above 0 for yes
   * @param target - class indices `[N, …]`, or probabilities of the output's shape
   * @throws ShapeError if they do not fit
   */
  override update(output: Tensor, target: Tensor): void {
    const { topK, ignoreIndex } = this.#options;
    const { predicted, actual } = classesOf('Accuracy.update', output, target);
    const counts = actual.ne(ignoreIndex);
    const isRight = topK === 1 ? predicted.eq(actual) : output.argtopk(1, topK).eq(actual.unsqueeze(1)).any(1);
    const { correct, count } = this.state;
    correct.assign(correct.add(isRight.and(counts).cast('i32').sum()));
    count.assign(count.add(counts.cast('i32').sum()));
  }

  /** NaN before the first update. */
  override async compute(): Promise<number> {
    const [[correct], [count]] = await Promise.all([this.state.correct.data(), this.state.count.data()]);
    return correct! / count!;
  }
}
