/**
 * Non-maximum suppression: of boxes that overlap, only the best scored stays. How many stay depends on the data, so `nms` and
 * `batchedNms` read the boxes and answer with a promise; `nmsPadded` is the form of fixed size, for graphs and `compile`.
 */
import {
  DTypeError,
  forbidInTrace,
  full,
  iota,
  isFloat,
  ShapeError,
  showShape,
  stack,
  type Tensor,
  type TypedArray,
  tensor,
  ValueError,
  withGrad,
  zeros,
} from '@dl/tensor';
import { checkBoxes } from './boxes';
import { boxIou } from './iou';

export interface NmsOptions {
  /** Boxes that overlap a better one by more than this are dropped. In [0, 1], default 0.5. */
  readonly iouThreshold?: number;
}

function checkNms(operation: string, boxes: Tensor, scores: Tensor, iouThreshold: number): void {
  checkBoxes(operation, 'boxes', boxes);
  if (boxes.rank !== 2 || scores.rank !== 1 || scores.shape[0] !== boxes.shape[0])
    throw new ShapeError(
      `${operation}: boxes are ${showShape(boxes.shape)} and scores ${showShape(scores.shape)}. Give [N, 4] and [N].`,
    );
  if (!isFloat(scores.dtype))
    throw new DTypeError(`${operation}: scores are ${scores.dtype}, but scores are floats. Use cast('f32').`);
  if (!(iouThreshold >= 0 && iouThreshold <= 1))
    throw new ValueError(`${operation}: iouThreshold ${iouThreshold} is no share of an area. Use 0 to 1.`);
}

/** Intersection over union of two of the boxes, in f64; 0 without area. */
function overlap(boxes: TypedArray, i: number, j: number): number {
  const at = (box: number, k: number): number => boxes[4 * box + k]!;
  const side = (low: number, high: number): number =>
    Math.max(0, Math.min(at(i, high), at(j, high)) - Math.max(at(i, low), at(j, low)));
  const area = (box: number): number => (at(box, 2) - at(box, 0)) * (at(box, 3) - at(box, 1));
  const intersection = side(0, 2) * side(1, 3);
  const union = area(i) + area(j) - intersection;
  return union === 0 ? 0 : intersection / union;
}

function checkNumbers(operation: string, name: string, values: TypedArray): void {
  const at = values.findIndex((value: number) => Number.isNaN(value));
  if (at >= 0)
    throw new ValueError(`${operation}: element ${at} of ${name} is NaN, which has no order. Drop such boxes first.`);
}

/** Greedy suppression on the host; `isRival` says which pairs may suppress each other. */
async function suppress(
  operation: string,
  boxes: Tensor,
  scores: Tensor,
  iouThreshold: number,
  isRival: (i: number, j: number) => boolean,
): Promise<Tensor> {
  const [corners, ranks] = await Promise.all([boxes.data(), scores.data()]);
  checkNumbers(operation, 'boxes', corners);
  checkNumbers(operation, 'scores', ranks);
  const order = Array.from(ranks.keys()).sort((i, j) => ranks[j]! - ranks[i]! || i - j);
  const kept: number[] = [];
  for (const i of order) {
    if (!kept.some((k) => isRival(i, k) && overlap(corners, i, k) > iouThreshold)) kept.push(i);
  }
  return tensor(Int32Array.from(kept));
}

/**
 * Keeps the best scored of boxes that overlap: by falling score, a box stays if its IoU with every box that stayed is at most
 * the threshold. Equal scores go by index.
 *
 * @param boxes - `[N, 4]`, corners, float
 * @param scores - `[N]`
 * @param options - `iouThreshold`, default 0.5
 * @returns i32 `[kept]`: the indices of those that stay, by falling score
 * @throws ShapeError or DTypeError if boxes and scores do not fit
 * @throws ValueError if a number is NaN, or the threshold is outside [0, 1]
 */
export async function nms(boxes: Tensor, scores: Tensor, { iouThreshold = 0.5 }: NmsOptions = {}): Promise<Tensor> {
  forbidInTrace('nms', 'Use nmsPadded');
  checkNms('nms', boxes, scores, iouThreshold);
  return suppress('nms', boxes, scores, iouThreshold, () => true);
}

/**
 * Non-maximum suppression within each class: boxes of different classes leave each other alone.
 *
 * @param boxes - `[N, 4]`, corners, float
 * @param scores - `[N]`
 * @param classes - `[N]`, integers
 * @param options - `iouThreshold`, default 0.5
 * @returns i32 `[kept]`: the indices of those that stay, by falling score over all classes
 * @throws ShapeError or DTypeError if boxes, scores and classes do not fit
 * @throws ValueError if a number is NaN, or the threshold is outside [0, 1]
 */
export async function batchedNms(
  boxes: Tensor,
  scores: Tensor,
  classes: Tensor,
  { iouThreshold = 0.5 }: NmsOptions = {},
): Promise<Tensor> {
  forbidInTrace('batchedNms', 'Use nmsPadded for each class');
  checkNms('batchedNms', boxes, scores, iouThreshold);
  if (classes.rank !== 1 || classes.shape[0] !== boxes.shape[0])
    throw new ShapeError(
      `batchedNms: classes are ${showShape(classes.shape)} for boxes ${showShape(boxes.shape)}. Give one class a box, [N].`,
    );
  if (isFloat(classes.dtype))
    throw new DTypeError(`batchedNms: classes are ${classes.dtype}, but classes are integers. Use cast('i32').`);
  const names = await classes.data();
  return suppress('batchedNms', boxes, scores, iouThreshold, (i, j) => names[i] === names[j]);
}

export interface NmsPaddedOptions extends NmsOptions {
  /** How many boxes are kept at most: the size of the result. */
  readonly maxOutput: number;
}

/**
 * Non-maximum suppression with a result of fixed size, recorded like any other operation: `maxOutput` times, the best box left
 * is taken and those that overlap it are dropped. Computed in the dtype of the boxes.
 *
 * @param boxes - `[N, 4]`, corners, float
 * @param scores - `[N]`, float; NaN and −∞ are never taken
 * @param options - `maxOutput`, and `iouThreshold`, default 0.5
 * @returns `indices`, i32 `[maxOutput]`, by falling score, and `valid`, bool `[maxOutput]`, which is false where there was no
 * box left to take; the index there is 0
 * @throws ShapeError if boxes and scores do not fit
 * @throws ValueError if `maxOutput` is no whole number, or the threshold is outside [0, 1]
 */
export function nmsPadded(
  boxes: Tensor,
  scores: Tensor,
  { maxOutput, iouThreshold = 0.5 }: NmsPaddedOptions,
): { indices: Tensor; valid: Tensor } {
  checkNms('nmsPadded', boxes, scores, iouThreshold);
  if (!Number.isInteger(maxOutput) || maxOutput < 1)
    throw new ValueError(`nmsPadded: maxOutput is ${maxOutput}. Keep a whole number of boxes, at least 1.`);
  const N = boxes.shape[0]!;
  if (N === 0) return { indices: zeros([maxOutput], 'i32'), valid: full([maxOutput], false) };
  return withGrad(false, () => takeBest(boxes, scores, maxOutput, iouThreshold));
}

function takeBest(boxes: Tensor, scores: Tensor, maxOutput: number, iouThreshold: number) {
  const none = Number.NEGATIVE_INFINITY;
  const places = iota(scores.shape, 0);
  let left = scores.isNaN().where(none, scores);
  const indices: Tensor[] = [];
  const valid: Tensor[] = [];
  for (let i = 0; i < maxOutput; i++) {
    const best = left.argmax(0); // []
    const isLeft = left.max().gt(none);
    indices.push(isLeft.where(best, 0));
    valid.push(isLeft);
    const shares = boxIou(boxes.take(0, best.reshape([1])), boxes).reshape(scores.shape); // [N]
    left = shares.gt(iouThreshold).or(places.eq(best)).where(none, left);
  }
  return { indices: stack(indices), valid: stack(valid) };
}
