/** Boxes as offsets from anchors, which is what a detector predicts: encoding, and decoding as its inverse. */
import { ShapeError, sameShape, showShape, stack, type Tensor, ValueError } from '@dl/tensor';
import { boxConvert, checkBoxes, coordinates } from './boxes';

export interface BoxCodeOptions {
  /** Factors of the four offsets, as Faster R-CNN's [10, 10, 5, 5]. Default [1, 1, 1, 1]. */
  readonly weights?: readonly [number, number, number, number];
}

function check(operation: string, anchors: Tensor, other: Tensor, name: string, weights: readonly number[]): void {
  checkBoxes(operation, 'anchors', anchors);
  checkBoxes(operation, name, other);
  if (!sameShape(anchors.shape, other.shape))
    throw new ShapeError(
      `${operation}: anchors are ${showShape(anchors.shape)} and ${name} ${showShape(other.shape)}. Give one of the ${name} for each anchor.`,
    );
  if (weights.length !== 4 || weights.some((w) => w === 0 || !Number.isFinite(w)))
    throw new ValueError(
      `${operation}: weights ${showShape(weights)} do not scale 4 offsets. Give 4 numbers other than 0.`,
    );
}

/**
 * The offsets from anchors to boxes: w₀·(gx − ax)/aw, w₁·(gy − ay)/ah, w₂·log(gw/aw), w₃·log(gh/ah), with centres x, y and
 * sizes w, h.
 *
 * @param anchors - `[..., 4]`, corners, float, with area
 * @param boxes - `[..., 4]`, corners, with area
 * @param options - `weights`, default [1, 1, 1, 1]
 * @returns `[..., 4]`
 * @throws ShapeError if the shapes differ
 * @throws ValueError if a weight is 0
 * @see Girshick, Donahue, Darrell & Malik 2014, eq. 6–9
 */
export function boxEncode(anchors: Tensor, boxes: Tensor, { weights = [1, 1, 1, 1] }: BoxCodeOptions = {}): Tensor {
  check('boxEncode', anchors, boxes, 'boxes', weights);
  const [ax, ay, aw, ah] = coordinates(boxConvert(anchors, 'xyxy', 'cxcywh'));
  const [gx, gy, gw, gh] = coordinates(boxConvert(boxes, 'xyxy', 'cxcywh'));
  const offsets = [gx.sub(ax).div(aw), gy.sub(ay).div(ah), gw.div(aw).log(), gh.div(ah).log()];
  return stack(
    offsets.map((offset, i) => offset.mul(weights[i]!)),
    -1,
  );
}

export interface BoxDecodeOptions extends BoxCodeOptions {
  /** Limit of the last two offsets before exp, such as log(1000/16) against overflow in early training. Default none. */
  readonly maxLogScale?: number;
}

/**
 * The boxes that offsets from anchors stand for: the inverse of `boxEncode`.
 *
 * @param anchors - `[..., 4]`, corners, float
 * @param deltas - `[..., 4]`, offsets
 * @param options - `weights`, default [1, 1, 1, 1], and `maxLogScale`
 * @returns `[..., 4]`, corners
 * @throws ShapeError if the shapes differ
 * @throws ValueError if a weight is 0
 * @see Girshick, Donahue, Darrell & Malik 2014, eq. 1–4
 */
export function boxDecode(
  anchors: Tensor,
  deltas: Tensor,
  { weights = [1, 1, 1, 1], maxLogScale = Number.POSITIVE_INFINITY }: BoxDecodeOptions = {},
): Tensor {
  check('boxDecode', anchors, deltas, 'deltas', weights);
  const [ax, ay, aw, ah] = coordinates(boxConvert(anchors, 'xyxy', 'cxcywh'));
  const [dx, dy, dw, dh] = coordinates(deltas);
  const grown = (size: Tensor, delta: Tensor, weight: number): Tensor =>
    size.mul(delta.div(weight).clamp(Number.NEGATIVE_INFINITY, maxLogScale).exp());
  const boxes = [
    dx.div(weights[0]).mul(aw).add(ax),
    dy.div(weights[1]).mul(ah).add(ay),
    grown(aw, dw, weights[2]),
    grown(ah, dh, weights[3]),
  ];
  return boxConvert(stack(boxes, -1), 'cxcywh', 'xyxy');
}
