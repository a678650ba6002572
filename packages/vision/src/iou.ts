/**
 * How well boxes overlap: intersection over union, and the variants that still have a gradient where boxes are apart. All are
 * pairwise, [N] against [M]; axes in front of these are batches and broadcast, so that `[K, 1, 4]` twice compares box by box.
 */
import { atan2, ShapeError, showShape, type Tensor, withGrad } from '@dl/tensor';
import { boxArea, checkBoxes, coordinates } from './boxes';

/** Keeps a quotient finite where the enclosing box is a point; torchvision's value. */
const eps = 1e-7;

/** Two sets of boxes against each other; each number is [..., N, M]. */
interface Pairs {
  readonly iou: Tensor;
  readonly union: Tensor;
  /** Corners, [..., N, 1] and [..., 1, M]. */
  readonly first: Corners;
  readonly second: Corners;
  /** Sides of the smallest box around both. */
  readonly width: Tensor;
  readonly height: Tensor;
}

type Corners = readonly [x1: Tensor, y1: Tensor, x2: Tensor, y2: Tensor];

function pair(operation: string, boxes1: Tensor, boxes2: Tensor): Pairs {
  for (const [name, boxes] of Object.entries({ boxes1, boxes2 })) {
    checkBoxes(operation, name, boxes);
    if (boxes.rank < 2)
      throw new ShapeError(
        `${operation}: ${name} is ${showShape(boxes.shape)}, but sets of boxes are compared. Give [..., N, 4], as by unsqueeze(0).`,
      );
  }
  const [a, b] = [boxes1.unsqueeze(-2), boxes2.unsqueeze(-3)]; // [..., N, 1, 4], [..., 1, M, 4]
  const [first, second] = [coordinates(a), coordinates(b)];
  const side = (low: 0 | 1, high: 2 | 3): Tensor =>
    first[high].minimum(second[high]).sub(first[low].maximum(second[low])).clamp(0, Number.POSITIVE_INFINITY);
  const intersection = side(0, 2).mul(side(1, 3));
  const union = boxArea(a).add(boxArea(b)).sub(intersection);
  const around = (low: 0 | 1, high: 2 | 3): Tensor =>
    first[high].maximum(second[high]).sub(first[low].minimum(second[low]));
  return { iou: ratio(intersection, union), union, first, second, width: around(0, 2), height: around(1, 3) };
}

/** a / b, and a where b is 0. */
const ratio = (a: Tensor, b: Tensor): Tensor => a.div(b.eq(0).where(1, b));

/** Squared distance of the centres over the squared diagonal of the box around both. */
function centreDistance({ first, second, width, height }: Pairs): Tensor {
  const apart = (low: 0 | 1, high: 2 | 3): Tensor =>
    first[low].add(first[high]).sub(second[low].add(second[high])).mul(0.5).square();
  return apart(0, 2).add(apart(1, 3)).div(width.square().add(height.square()).add(eps));
}

/**
 * Intersection over union of each box of one set with each of another: |A ∩ B| / |A ∪ B|.
 *
 * @param boxes1 - `[..., N, 4]`, corners, float
 * @param boxes2 - `[..., M, 4]`; the axes in front broadcast
 * @returns `[..., N, M]` in [0, 1]; 0 for two boxes without area
 * @throws ShapeError if a set is not `[..., boxes, 4]`
 * @throws DTypeError if a set is not of floats
 */
export const boxIou = (boxes1: Tensor, boxes2: Tensor): Tensor => pair('boxIou', boxes1, boxes2).iou;

/**
 * Generalised IoU: IoU − |C \ (A ∪ B)| / |C|, where C is the smallest box around A and B.
 *
 * @param boxes1 - `[..., N, 4]`, corners, float
 * @param boxes2 - `[..., M, 4]`; the axes in front broadcast
 * @returns `[..., N, M]` in (−1, 1]
 * @throws ShapeError if a set is not `[..., boxes, 4]`
 * @throws DTypeError if a set is not of floats
 * @see Rezatofighi et al. 2019, algorithm 1
 */
export function generalizedBoxIou(boxes1: Tensor, boxes2: Tensor): Tensor {
  const { iou, union, width, height } = pair('generalizedBoxIou', boxes1, boxes2);
  const enclosing = width.mul(height);
  return iou.sub(ratio(enclosing.sub(union), enclosing));
}

/**
 * Distance IoU: IoU − ρ² / c², with ρ the distance of the centres and c the diagonal of the smallest box around both.
 *
 * @param boxes1 - `[..., N, 4]`, corners, float
 * @param boxes2 - `[..., M, 4]`; the axes in front broadcast
 * @returns `[..., N, M]` in (−1, 1]
 * @throws ShapeError if a set is not `[..., boxes, 4]`
 * @throws DTypeError if a set is not of floats
 * @see Zheng et al. 2020, eq. 7
 */
export function distanceBoxIou(boxes1: Tensor, boxes2: Tensor): Tensor {
  const pairs = pair('distanceBoxIou', boxes1, boxes2);
  return pairs.iou.sub(centreDistance(pairs));
}

/**
 * Complete IoU: DIoU − α·v, where v = 4/π² · (atan(w₁/h₁) − atan(w₂/h₂))² says how the proportions differ, and
 * α = v / (1 − IoU + v) is a constant for the gradient.
 *
 * @param boxes1 - `[..., N, 4]`, corners, float
 * @param boxes2 - `[..., M, 4]`; the axes in front broadcast
 * @returns `[..., N, M]`, at most 1
 * @throws ShapeError if a set is not `[..., boxes, 4]`
 * @throws DTypeError if a set is not of floats
 * @see Zheng et al. 2020, eq. 8–11
 */
export function completeBoxIou(boxes1: Tensor, boxes2: Tensor): Tensor {
  const pairs = pair('completeBoxIou', boxes1, boxes2);
  const proportion = ([x1, y1, x2, y2]: Corners): Tensor => atan2(x2.sub(x1), y2.sub(y1));
  const v = proportion(pairs.first)
    .sub(proportion(pairs.second))
    .square()
    .mul(4 / Math.PI ** 2);
  const alpha = withGrad(false, () => v.div(v.sub(pairs.iou).add(1 + eps)));
  return pairs.iou.sub(centreDistance(pairs)).sub(alpha.mul(v));
}
