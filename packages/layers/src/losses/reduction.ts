/** What becomes of one loss an element. */
import { ShapeError, sameShape, showShape, type Tensor, ValueError } from '@dl/tensor';

/** `none` keeps every loss, `mean` averages them, `sum` adds them. */
export type Reduction = 'none' | 'mean' | 'sum';

export interface ReductionOptions {
  /** Default `mean`. */
  readonly reduction?: Reduction;
}

export function reduced(losses: Tensor, reduction: Reduction): Tensor {
  switch (reduction) {
    case 'none':
      return losses;
    case 'mean':
      return losses.mean();
    case 'sum':
      return losses.sum();
    default:
      return unknownReduction(reduction satisfies never);
  }
}

export function unknownReduction(reduction: string): never {
  throw new ValueError(`A reduction is 'none', 'mean' or 'sum', not '${reduction}'.`);
}

/** @throws ShapeError if prediction and target differ in shape: broadcasting here is nearly always a mistake */
export function checkAlike(operation: string, input: Tensor, target: Tensor): void {
  if (sameShape(input.shape, target.shape)) return;
  throw new ShapeError(
    `${operation}: the prediction is ${showShape(input.shape)}, but the target is ${showShape(target.shape)}. Reshape one of them; they are not broadcast.`,
  );
}
