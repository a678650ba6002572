/**
 * Boxes as rows of four numbers: their formats, areas and limits. Everything else in this package takes corners,
 * `x1, y1, x2, y2`, with y downwards and without the +1 of pixel counts.
 */
import { DTypeError, isFloat, ShapeError, showShape, stack, type Tensor, ValueError } from '@dl/tensor';

/** Corners; corner, width and height; or centre, width and height. */
export type BoxFormat = 'xyxy' | 'xywh' | 'cxcywh';

type Four = readonly [Tensor, Tensor, Tensor, Tensor];

/** @internal Boxes are floats whose last axis has four numbers. */
export function checkBoxes(operation: string, name: string, boxes: Tensor): void {
  if (boxes.rank === 0 || boxes.shape[boxes.rank - 1] !== 4)
    throw new ShapeError(`${operation}: ${name} is ${showShape(boxes.shape)}, but a box is 4 numbers. Give [..., 4].`);
  if (!isFloat(boxes.dtype))
    throw new DTypeError(`${operation}: ${name} is ${boxes.dtype}, but boxes are floats. Use cast('f32').`);
}

/** @internal The four numbers of each box, without the last axis. */
export const coordinates = (boxes: Tensor): Four => [
  boxes.at('...', 0),
  boxes.at('...', 1),
  boxes.at('...', 2),
  boxes.at('...', 3),
];

const toCorners: Record<BoxFormat, (box: Four) => Four> = {
  xyxy: (box) => box,
  xywh: ([x, y, w, h]) => [x, y, x.add(w), y.add(h)],
  cxcywh: ([cx, cy, w, h]) => [cx.sub(w.mul(0.5)), cy.sub(h.mul(0.5)), cx.add(w.mul(0.5)), cy.add(h.mul(0.5))],
};

const fromCorners: Record<BoxFormat, (box: Four) => Four> = {
  xyxy: (box) => box,
  xywh: ([x1, y1, x2, y2]) => [x1, y1, x2.sub(x1), y2.sub(y1)],
  cxcywh: ([x1, y1, x2, y2]) => [x1.add(x2).mul(0.5), y1.add(y2).mul(0.5), x2.sub(x1), y2.sub(y1)],
};

/**
 * Boxes in another format.
 *
 * @param boxes - `[..., 4]`, float
 * @param from - the format they are in
 * @param to - the format wanted
 * @returns `[..., 4]`
 * @throws ValueError if a format is not 'xyxy', 'xywh' or 'cxcywh'
 * @throws ShapeError if the last axis is not 4
 */
export function boxConvert(boxes: Tensor, from: BoxFormat, to: BoxFormat): Tensor {
  checkBoxes('boxConvert', 'boxes', boxes);
  for (const format of [from, to]) {
    if (!Object.hasOwn(toCorners, format))
      throw new ValueError(`boxConvert: format '${String(format)}' is not known. Use 'xyxy', 'xywh' or 'cxcywh'.`);
  }
  return from === to ? boxes : stack(fromCorners[to](toCorners[from](coordinates(boxes))), -1);
}

/**
 * (x2 − x1) · (y2 − y1) of each box.
 *
 * @param boxes - `[..., 4]`, corners, float
 * @returns `[...]`
 * @throws ShapeError if the last axis is not 4
 */
export function boxArea(boxes: Tensor): Tensor {
  checkBoxes('boxArea', 'boxes', boxes);
  const [x1, y1, x2, y2] = coordinates(boxes);
  return x2.sub(x1).mul(y2.sub(y1));
}

/**
 * Boxes cut off at the edges of an image.
 *
 * @param boxes - `[..., 4]`, corners, float
 * @param size - `[height, width]` of the image
 * @returns `[..., 4]`; a box outside of the image has area 0
 * @throws ShapeError if the last axis is not 4
 */
export function clipBoxes(boxes: Tensor, size: readonly [number, number]): Tensor {
  checkBoxes('clipBoxes', 'boxes', boxes);
  const [height, width] = size;
  const [x1, y1, x2, y2] = coordinates(boxes);
  return stack([x1.clamp(0, width), y1.clamp(0, height), x2.clamp(0, width), y2.clamp(0, height)], -1);
}
