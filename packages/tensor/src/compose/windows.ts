/**
 * Windows as an axis of their own, and their adjoint. A window is movement: x is tiled so that row r of the tiles, read with
 * rows one element longer than x, begins r elements later.
 */
import { ShapeError } from '../errors';
import { checkAxis, type Shape, showShape } from '../shape';
import type { Tensor } from '../tensor';

/** How a window slides; every list has one entry a spatial axis. */
export interface Sliding {
  readonly kernelSize: readonly number[];
  readonly stride?: readonly number[];
  readonly dilation?: readonly number[];
  readonly padding?: readonly number[];
}

const replaced = <T>(list: readonly T[], at: number, value: T): T[] => list.map((x, i) => (i === at ? value : x));

/**
 * Windows of `size` elements every `step` along an axis: the axis counts windows, and a last axis runs through each.
 *
 * @returns [..., windows, ..., size]
 */
export function slidingWindows(x: Tensor, axis: number, size: number, step = 1, dilation = 1): Tensor {
  const at = checkAxis('slidingWindows', axis, x.rank);
  const n = x.shape[at]!;
  const reach = (size - 1) * dilation + 1;
  if (size < 1 || step < 1 || dilation < 1 || reach > n) {
    throw new ShapeError(
      `slidingWindows: windows of ${size} elements ${dilation} apart, every ${step}, do not fit axis ${at} of ${showShape(x.shape)}.`,
    );
  }
  const count = Math.floor((n - reach) / step) + 1;
  const last = x.permute([...x.shape.map((_, i) => i).filter((i) => i !== at), at]); // [..., n]
  const outer = last.shape.slice(0, -1);
  const rows = size * (n + dilation);
  const tiled = last.tile([...outer.map(() => 1), Math.ceil(rows / n)]).narrow(-1, 0, rows);
  const shifted = tiled.reshape([...outer, size, n + dilation]); // row r begins r · dilation later
  const zeros = [...outer, 0].map(() => 0);
  const windows = shifted.slice([...zeros, 0], [...outer, size, count], [...zeros.map(() => 1), step]);
  const order = outer.map((_, i) => i);
  order.splice(at, 0, x.rank); // the windows' axis back to its place
  return windows.permute([...order, x.rank - 1]);
}

/**
 * Patches of images as columns ("im2col").
 *
 * @param x - [N, C, H, W]
 * @returns [N, C · kh · kw, windows]
 */
export function unfold(x: Tensor, options: Sliding): Tensor {
  const [N, C] = x.dims(4);
  const { kernelSize, stride = [1, 1], dilation = [1, 1], padding = [0, 0] } = options;
  const padded = x.pad([0, 0, ...padding], [0, 0, ...padding]);
  const byRow = slidingWindows(padded, 2, kernelSize[0]!, stride[0], dilation[0]); // [N, C, oh, W, kh]
  const both = slidingWindows(byRow, 3, kernelSize[1]!, stride[1], dilation[1]); // [N, C, oh, ow, kh, kw]
  return both.permute([0, 1, 4, 5, 2, 3]).reshape([N, C * kernelSize[0]! * kernelSize[1]!, -1]);
}

/**
 * Adds columns of patches up to images; the adjoint of `unfold`.
 *
 * @param columns - [N, C · kh · kw, windows]
 * @param outputSize - [H, W]
 * @returns [N, C, H, W]
 */
export function fold(columns: Tensor, outputSize: Shape, options: Sliding): Tensor {
  const [N, CK, L] = columns.dims(3);
  const { kernelSize, stride = [1, 1], dilation = [1, 1], padding = [0, 0] } = options;
  const [kh, kw] = [kernelSize[0]!, kernelSize[1]!];
  const counts = outputSize.map(
    (n, i) => Math.floor((n + 2 * padding[i]! - (kernelSize[i]! - 1) * dilation[i]! - 1) / stride[i]!) + 1,
  );
  if (counts[0]! * counts[1]! !== L || CK % (kh * kw) !== 0) {
    throw new ShapeError(
      `fold: ${showShape(columns.shape)} does not hold ${counts[0]} × ${counts[1]} windows of ${kh} × ${kw}. Give the size that was unfolded.`,
    );
  }
  const patches = columns.reshape([N, CK / (kh * kw), kh, kw, counts[0]!, counts[1]!]);
  let sum: Tensor | null = null;
  for (let i = 0; i < kh; i++) {
    for (let j = 0; j < kw; j++) {
      const part = patches.slice([0, 0, i, j, 0, 0], replaced(replaced(patches.shape, 2, 1), 3, 1)).squeeze([2, 3]);
      const low = [i * dilation[0]! - padding[0]!, j * dilation[1]! - padding[1]!];
      const interior = [stride[0]! - 1, stride[1]! - 1];
      const high = outputSize.map((n, a) => n - low[a]! - counts[a]! - (counts[a]! - 1) * interior[a]!);
      const placed = part.pad([0, 0, ...low], [0, 0, ...high], { interior: [0, 0, ...interior] });
      sum = sum === null ? placed : sum.add(placed);
    }
  }
  return sum!;
}
